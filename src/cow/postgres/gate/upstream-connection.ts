import { BACKEND, readCommandComplete, readReadyForQuery } from '../../../wire/postgres/backend.ts'
import type { TransactionStatus } from '../../../wire/postgres/backend.ts'
import { type PgErrorFields, readErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgFrame } from '../../../wire/postgres/framer.ts'
import type { ServerConnection } from '../server-connection.ts'
import { CANCELLED, gateFault, SQLSTATE } from './faults.ts'
import { PreparedNames } from './prepared-names.ts'
import type { RowSink } from './upstream-statement.ts'

/**
 * Why a statement has not run: production did not take its text or could not bind its values, or skipped it behind one that failed.
 * Missing where it ran, and where nobody knows.
 */
export type Unrun = 'unbound' | 'skipped'

/** How one execution on production ended. `rows`: those of this execution, not of the portal. */
export type Execution =
  | { readonly kind: 'complete'; readonly tag: string; readonly rows: number }
  | { readonly kind: 'suspended'; readonly rows: number }
  | {
      readonly kind: 'failed'
      readonly error: PgErrorFields
      readonly rows: number
      readonly lost: boolean
      /** Lost because production has stopped answering: another connection would have to wait as long. */
      readonly isSilent?: true
      readonly unrun?: Unrun
    }

/**
 * An answer that is awaited. A `command` is ours (START, COMMIT and the like): its answers are filtered out. An `execution` is
 * the caller's. After an error the server skips up to the next Sync, and so do the steps.
 */
export type Step =
  | { readonly kind: 'command'; readonly name?: string; readonly failed?: (error: PgErrorFields) => void }
  | { readonly kind: 'close' }
  | {
      readonly kind: 'execution'
      /** Of the prepared statement that is bound in front of it. */
      readonly name: string | undefined
      /** In which its results are asked for. */
      readonly formats: () => string
      readonly sink: RowSink
      readonly done: (end: Execution) => void
    }
  | { readonly kind: 'sync'; readonly done: (status: TransactionStatus) => void }

/** A reader that stops may keep a transaction on production open for so long, as one that leaves a cursor open may. */
const MAX_STALL_MS = 300_000

/** A backend that was asked to cancel what it runs, and does not, hangs. */
const CANCEL_GRACE_MS = 5000

/** Silence is measured in so many looks, so that hearing costs a frame no more than a flag. */
const LOOKS = 8

const LOST = gateFault(
  SQLSTATE.connectionFailure,
  'the connection to production was lost',
  'the next statement connects anew; repeat this one',
)

const GARBLED = gateFault(
  SQLSTATE.protocolViolation,
  'what production answered is not what it was asked',
  'check what stands between mesh and production; the next statement connects anew',
)

/** Messages that a server may send unasked. */
const UNASKED: ReadonlySet<number> = new Set([
  BACKEND.noticeResponse,
  BACKEND.parameterStatus,
  BACKEND.notificationResponse,
  BACKEND.errorResponse,
])

/** How many rows a tag says there were, of commands that give rows. */
const TAG_ROWS = /^(?:SELECT|FETCH) (\d+)$/

/** Tags of commands that are ours alone. */
const OUR_TAG = /^(?:START TRANSACTION|BEGIN|COMMIT|ROLLBACK|SET)$/

/** One connection to production, in raw mode: what is sent is paired with the answers that are awaited, in order. */
export class UpstreamConnection {
  readonly server: ServerConnection
  /** Texts that this connection has prepared. */
  readonly prepared: PreparedNames = new PreparedNames()
  /** Set where a statement ended before: only then may a lost connection be one that died while it was idle. */
  isUsed = false
  /** A cancel is under way that might hit a later statement: not to be used again. */
  isTainted = false
  readonly #steps: Step[] = []
  #rows = 0
  /** The execution that is awaited was bound. */
  #bound = false
  #lost = false
  #fault: PgErrorFields = LOST
  #isSilent = false
  /** An answer was not to what was asked: nothing that follows is believed. */
  #isGarbled = false
  #isPaused = false
  #hasHeard = false
  #silentLooks = 0
  readonly #maxSilenceMs: number
  readonly #look: NodeJS.Timeout
  #cancelled: NodeJS.Timeout | undefined

  /** `maxSilenceMs`: a server that owes an answer and says nothing for so long is given up. */
  constructor(server: ServerConnection, maxSilenceMs: number) {
    this.server = server
    this.#maxSilenceMs = maxSilenceMs
    this.#look = setInterval(() => this.#noteSilence(), maxSilenceMs / LOOKS)
    this.#look.unref()
    server.onMessage((frame) => this.#take(frame), { runTypes: [BACKEND.dataRow] })
    void server.closed.then(() => this.#lose())
  }

  get isLost(): boolean {
    return this.#lost
  }

  /** It was given up since production did not answer on it. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Nothing is awaited. */
  get isQuiet(): boolean {
    return this.#steps.length === 0
  }

  /** Sends one packet; `steps` are the answers it will have. */
  send(bytes: Uint8Array, steps: readonly Step[]): void {
    if (this.#lost) {
      for (const step of steps) this.#fail(step, LOST)
      return
    }
    for (const step of steps) this.#steps.push(step)
    this.server.write(bytes)
  }

  /** Asks production to stop what runs. Not to be used again: the cancel may come late. */
  cancel(): void {
    this.isTainted = true
    const giveUp = (): void => {
      if (!this.isQuiet) this.#fault = CANCELLED
      this.server.destroy()
    }
    this.server.cancel().then(() => {
      if (this.#lost || this.#cancelled !== undefined) return
      this.#cancelled = setTimeout(() => {
        if (!this.isQuiet) giveUp()
      }, CANCEL_GRACE_MS)
    }, giveUp)
  }

  #noteSilence(): void {
    const isAwaited = this.#steps.length > 0 && !this.#isPaused
    this.#silentLooks = isAwaited && !this.#hasHeard ? this.#silentLooks + 1 : 0
    this.#hasHeard = false
    // The first look may have come right behind the question.
    if (this.#silentLooks <= LOOKS) return
    this.#isSilent = true
    this.#fault = silence(this.#maxSilenceMs)
    this.server.destroy()
  }

  #take(frame: PgFrame): void {
    if (this.#isGarbled) return
    this.#hasHeard = true
    const step = this.#steps[0]
    if (step === undefined) {
      if (!UNASKED.has(frame.type)) this.#distrust()
      return
    }
    if (frame.type === BACKEND.dataRow) {
      if (step.kind === 'execution') this.#giveRows(step.sink, frame)
      else if (step.kind !== 'command') this.#distrust()
      return
    }
    if (frame.piece !== undefined) return
    switch (frame.type) {
      case BACKEND.parseComplete:
        if ('name' in step && step.name !== undefined) this.prepared.confirm(step.name)
        return
      case BACKEND.bindComplete:
        this.#bound = true
        return
      case BACKEND.rowDescription:
        if (step.kind !== 'execution') return
        if (step.name !== undefined) this.prepared.describe(step.name, step.formats(), frame.bytes)
        step.sink.description?.(frame.bytes)
        return
      case BACKEND.closeComplete:
        if (step.kind === 'close') this.#steps.shift()
        return
      case BACKEND.commandComplete:
        this.#complete(step, { kind: 'complete', tag: readCommandComplete(frame.payload), rows: this.#rows })
        return
      case BACKEND.emptyQuery:
        this.#complete(step, { kind: 'complete', tag: '', rows: 0 })
        return
      case BACKEND.portalSuspended:
        this.#complete(step, { kind: 'suspended', rows: this.#rows })
        return
      case BACKEND.errorResponse:
        this.#failUpToSync(readErrorFields(frame.payload))
        return
      case BACKEND.readyForQuery:
        this.#ready(readReadyForQuery(frame.payload))
        return
      default:
    }
  }

  #giveRows(sink: RowSink, frame: PgFrame): void {
    const messages = frame.piece === undefined ? 1 : frame.messages
    this.#rows += messages
    if (sink.rows(frame.piece ?? frame.bytes, messages)) return
    this.server.pause()
    this.#isPaused = true
    // Production cannot end a statement whose rows nobody takes: neither a cancel nor its own timeout reaches it while it sends.
    const stalled = setTimeout(() => this.server.destroy(), MAX_STALL_MS)
    void sink.whenReady().then(() => {
      clearTimeout(stalled)
      this.#isPaused = false
      this.server.resume()
    })
  }

  /** The server, or what stands between, has lost count of what it answers. */
  #distrust(): void {
    this.#isGarbled = true
    this.#fault = GARBLED
    this.server.destroy()
  }

  #complete(step: Step, end: Execution): void {
    if ((step.kind !== 'command' && step.kind !== 'execution') || (step.kind === 'execution' && !isAnswer(end))) {
      this.#distrust()
      return
    }
    this.#steps.shift()
    this.#rows = 0
    this.#bound = false
    if (step.kind === 'execution') step.done(end)
  }

  #failUpToSync(error: PgErrorFields): void {
    let unrun: Unrun | undefined = this.#steps[0]?.kind === 'execution' && !this.#bound ? 'unbound' : undefined
    while (this.#steps[0] !== undefined && this.#steps[0].kind !== 'sync') {
      const step = this.#steps.shift()
      if (step === undefined) return
      this.#fail(step, error, unrun)
      if (step.kind === 'execution') unrun = 'skipped'
    }
  }

  #fail(step: Step, error: PgErrorFields, unrun?: Unrun): void {
    const rows = this.#rows
    this.#rows = 0
    this.#bound = false
    if ('name' in step && step.name !== undefined) this.prepared.failed(step.name)
    if (step.kind === 'execution') {
      // A FATAL error ends our connection; the caller's goes on.
      const end = { kind: 'failed', error: { ...error, severity: 'ERROR' }, rows, lost: this.#lost } as const
      const known = {
        ...(unrun === undefined ? {} : { unrun }),
        ...(this.#isSilent ? { isSilent: true as const } : {}),
      }
      step.done({ ...end, ...known })
    } else if (step.kind === 'command') step.failed?.(error)
    else if (step.kind === 'sync') step.done('I')
  }

  #ready(status: TransactionStatus): void {
    const step = this.#steps[0]
    if (step?.kind !== 'sync') {
      this.#distrust()
      return
    }
    this.#steps.shift()
    this.isUsed = true
    step.done(status)
  }

  #lose(): void {
    this.#lost = true
    clearInterval(this.#look)
    clearTimeout(this.#cancelled)
    for (const step of this.#steps.splice(0)) this.#fail(step, this.#fault)
  }
}

/** The tag is one of a statement of the caller's, and counts the rows that came. */
function isAnswer(end: Execution): boolean {
  if (end.kind !== 'complete') return true
  const rows = TAG_ROWS.exec(end.tag)?.[1]
  return rows === undefined ? !OUR_TAG.test(end.tag) : Number(rows) === end.rows
}

function silence(maxSilenceMs: number): PgErrorFields {
  return gateFault(
    SQLSTATE.connectionFailure,
    `production has not answered for ${maxSilenceMs / 1000} s`,
    'check that its server is well; the next statement connects anew',
  )
}
