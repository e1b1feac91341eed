import {
  commandComplete,
  errorResponse,
  type PgErrorFields,
  readyForQuery,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import { sync } from '../../../wire/postgres/frontend.ts'
import type { Branch } from '../branch/branch.ts'
import type { ProductionGate } from '../branch/production-gate.ts'
import { hasParameters, type PlannedStatement, type TextPlan } from '../branch/text-plan.ts'
import { SQLSTATE } from '../gate/faults.ts'
import type { PassedPortal, PassedStatement, PassOutcome } from '../gate/passed.ts'
import type { Cancellable } from '../gate/result-limit.ts'
import type { ShortOutcome } from '../gate/short-reads.ts'
import type { RowSink } from '../gate/upstream-statement.ts'
import { type BoundValues, NO_VALUES } from './bound-values.ts'
import type { ClientOutput } from './client-output.ts'
import { ClientSink, type DescriptionUse } from './client-sink.ts'
import { type LaneChoice, LaneChooser, type LaneVerdict } from './lane-choice.ts'
import { askOverlay, runNothing } from './our-query.ts'
import type { OverlayLink } from './overlay-link.ts'
import { raise } from './raise.ts'
import type { RelationNames } from './relation-names.ts'
import { type PassableQuery, SimpleLookups } from './simple-lookups.ts'
import { SESSION_SETTINGS_QUERY, SessionSettings } from './session-settings.ts'

/** What a passage is made of. */
export interface PassageOptions {
  readonly link: OverlayLink
  readonly branch: Branch
  readonly gate: ProductionGate
  readonly names: RelationNames
  readonly user: string
  /** Gives the client what it is answered here. */
  readonly output: ClientOutput
}

/** A statement that runs on production. */
export interface Passing {
  readonly choice: LaneChoice
  /** The client's whole text: an error's position is one in it. */
  readonly text: string
  readonly types: readonly number[]
  readonly values: BoundValues
  readonly description: DescriptionUse
  /** The answer to the client's Bind, where it is still to be given: it is not, where production cannot bind the statement. */
  readonly bindComplete?: Uint8Array | undefined
  /** 0: all. */
  readonly maxRows: number
}

/** How a statement went on production; `elsewhere`: nothing of it was seen, and it belongs on the overlay. */
export type Passed = Exclude<PassOutcome, { kind: 'refused' }> | { readonly kind: 'elsewhere' }

/**
 * Lets a session's reads run on production as they are (lanes T0 and TK): decides for each statement, runs it, and gives errors to the
 * overlay too, so that the client's transaction is in one state everywhere.
 */
export class Passage {
  readonly link: OverlayLink
  readonly output: ClientOutput
  readonly branch: Branch
  readonly #gate: ProductionGate
  readonly #names: RelationNames
  readonly #chooser: LaneChooser
  readonly #lookups: SimpleLookups
  readonly #settings = new SessionSettings()
  /** What runs on production. */
  #running: Cancellable | undefined
  /** The schema was changed in the transaction at hand. */
  #schemaChanged = false
  /** Statements that were passed since the last Sync share their transaction's time of day. */
  #passedSinceSync = false
  /** The overlay knows of them. */
  #joined = false
  /** Statements of the client's transaction ran on production alone, which the overlay takes for unbegun. */
  #passedInBlock = false

  constructor({ link, branch, gate, names, user, output }: PassageOptions) {
    this.link = link
    this.output = output
    this.branch = branch
    this.#gate = gate
    this.#names = names
    this.#chooser = new LaneChooser(branch, names, user)
    this.#lookups = new SimpleLookups(branch, names, {
      mayPass: (plan, types) => this.mayPass(plan, types),
      verdict: (planned, types) => this.#chooser.verdict(planned, types, false),
    })
  }

  get status(): TransactionStatus {
    return this.link.connection.status
  }

  /** Told of each statement that goes to the overlay; undefined: of one that nobody has parsed. */
  note(planned: PlannedStatement | undefined): void {
    if (planned !== undefined && this.#passedInBlock && this.#mayAsk() && isOfTransaction(planned)) {
      this.#passedInBlock = false
      runNothing(this.link)
    }
    const harmless = planned?.statement.kind === 'select' && this.#chooser.isHarmless(planned)
    this.link.note(harmless)
    this.#settings.note(planned?.statement, harmless)
  }

  /** A statement that was noted before runs on the overlay. */
  executes(): void {
    this.joinPipeline()
    this.#settings.executes()
  }

  /**
   * Statements since the last Sync ran on production alone: the overlay runs one as well, for behind the first Execute of a pipeline
   * PostgreSQL takes what follows for one transaction, and says so in ReadyForQuery.
   */
  joinPipeline(): void {
    if (!this.#passedSinceSync || this.#joined || this.status !== 'I') return
    this.#joined = true
    runNothing(this.link)
  }

  /** The overlay is done with a query or Sync. True: the schema has changed, for all to see. */
  onStatus(status: TransactionStatus): boolean {
    this.#settings.onStatus(status)
    this.endBatch()
    if (status === 'I') this.#passedInBlock = false
    if (status !== 'I' || !this.#schemaChanged) return false
    this.#schemaChanged = false
    return true
  }

  /** This session has changed the schema; others do not see that before the transaction's end. */
  noteSchemaChange(): void {
    this.#schemaChanged = true
  }

  /** What was passed belongs to the past: outside of a transaction block the next one has a time of day of its own. */
  endBatch(): void {
    this.#passedSinceSync = false
    this.#joined = false
  }

  /** May the statement run on production, at some moment? Cheap. */
  mayPass(plan: TextPlan, types: readonly number[]): PlannedStatement | undefined {
    const [planned] = plan.statements
    if (planned === undefined || plan.statements.length > 1 || this.#schemaChanged) return undefined
    return this.#chooser.verdict(planned, types, false) === undefined ? undefined : planned
  }

  /** Everything that decides a lane is known without waiting. */
  get isReady(): boolean {
    return this.link.settled && this.#settings.known !== undefined && this.#chooser.knowsRole
  }

  /** Waits until all replies are in, then asks what is not known. */
  async makeReady(): Promise<void> {
    await this.link.settle()
    if (!this.#mayAsk()) return
    if (!this.#chooser.knowsRole) await this.#chooser.learnRole()
    if (this.#settings.known !== undefined) return
    const [row] = await askOverlay(this.link, SESSION_SETTINGS_QUERY)
    if (row !== undefined) this.#settings.learn(row)
  }

  /** The lane now, where `isReady`. */
  choose(planned: PlannedStatement, types: readonly number[], values: BoundValues): LaneChoice | undefined {
    const { known } = this.#settings
    if (known === undefined || !this.#mayAsk() || this.#schemaChanged || !this.branch.unread.none) return undefined
    const inTransaction = this.status !== 'I' || !this.link.synced || this.#passedSinceSync
    const verdict = this.#chooser.verdict(planned, types, inTransaction)
    return verdict === undefined ? undefined : this.#chooser.choose(verdict, values, known)
  }

  #mayAsk(): boolean {
    return this.status !== 'E' && !this.link.failed && !this.link.copying
  }

  /** A simple query as it may run on production, at some moment; undefined where it never does. */
  passable(text: string): PassableQuery | undefined {
    const lookup = this.#lookups.find(text)
    if (lookup !== undefined) return lookup
    const plan = this.branch.plan(text, this.#names)
    const planned = hasParameters(plan) ? undefined : this.mayPass(plan, NO_TYPES)
    return planned === undefined ? undefined : { planned, text, types: NO_TYPES, values: NO_VALUES }
  }

  /** Runs a simple query of one statement. False: it belongs on the overlay. */
  async query({ planned, text, types, values }: PassableQuery): Promise<boolean> {
    if (!this.link.synced || this.#passedSinceSync) return false
    if (!this.isReady) await this.makeReady()
    const choice = this.choose(planned, types, values)
    if (choice === undefined) return false
    const passed = await this.run({ choice, text, types, values, description: 'sent', maxRows: 0 })
    this.#passedSinceSync = false
    // The overlay tells the error's place in the text that the client wrote.
    if (passed.kind === 'failed' && passed.error.position !== undefined && values !== NO_VALUES) return false
    if (passed.kind === 'elsewhere') return false
    if (passed.kind === 'complete') {
      this.output.append(commandComplete(passed.tag))
      this.output.append(readyForQuery(this.status))
    } else if (passed.kind === 'failed' && this.fail(passed.error)) {
      this.output.append(readyForQuery('I'))
    } else {
      this.link.send(sync(), { kind: 'sync' })
    }
    return true
  }

  /** Runs a statement on production; rows, and a description where it is to be sent, go to the client. */
  async run({ choice, text, types, values, description, bindComplete, maxRows }: Passing): Promise<Passed> {
    const { knowledge } = this.branch
    if (knowledge === undefined) return { kind: 'elsewhere' }
    const sink = new ClientSink(this.output, knowledge.descriptions, text, description, bindComplete)
    const statement = {
      lane: choice.lane,
      text,
      parameterTypes: types,
      bindTail: values.tail,
      describe: true,
      settings: choice.settings,
      ...(maxRows === 0 ? {} : { rowLimit: maxRows }),
    }
    const short = this.#runShort(statement, sink, choice.statementTimeoutMs)
    const ended = short === undefined ? undefined : await short
    const outcome =
      ended === undefined || ended.kind === 'again'
        ? await this.#cancellable(choice.statementTimeoutMs, (signal) => this.#gate.pass(statement, sink, signal))
        : ended
    if (outcome.kind === 'refused') refuse(choice.verdict)
    if (sink.isUnknown) this.branch.forgetProduction()
    if (outcome.kind === 'refused' || sink.isUnknown) {
      if (outcome.kind === 'suspended') outcome.portal.close()
      return { kind: 'elsewhere' }
    }
    if (outcome.kind !== 'failed' || outcome.unrun !== 'unbound') sink.begin()
    this.#passedSinceSync = true
    if (this.status === 'T' || !this.link.synced) this.#passedInBlock = true
    const { counters } = this.branch
    counters.passed++
    if (choice.lane === 'TK') counters.byKey++
    return outcome
  }

  /** More rows of a portal that was suspended. */
  async resume(portal: PassedPortal, maxRows: number): Promise<Passed> {
    const rows: RowSink = {
      rows: (bytes) => {
        this.output.append(bytes)
        return !this.output.isFull
      },
      whenReady: () => this.output.whenDrained(),
    }
    const outcome = await this.#cancellable(0, async (signal) => {
      const cancel = (): void => portal.cancel()
      signal.addEventListener('abort', cancel, { once: true })
      const more = await portal.more(maxRows, rows)
      signal.removeEventListener('abort', cancel)
      return more
    })
    return outcome.kind === 'refused' ? { kind: 'elsewhere' } : outcome
  }

  /** Together with short statements of other clients; undefined where it is not known to be short. */
  #runShort(statement: PassedStatement, sink: RowSink, timeoutMs: number): Promise<ShortOutcome> | undefined {
    const isTimed = timeoutMs !== 0 && timeoutMs < MIN_SHARED_TIMEOUT_MS
    if (isTimed || statement.rowLimit !== undefined || this.output.isFull) return undefined
    let resolve = (_outcome: ShortOutcome): void => undefined
    const ended = (outcome: ShortOutcome): void => {
      this.#running = undefined
      this.output.release()
      resolve(outcome.kind === 'failed' ? { ...outcome, error: plainError(outcome.error) } : outcome)
    }
    const running = this.#gate.passShort(statement, sink, ended)
    if (running === undefined) return undefined
    this.#running = running
    this.output.hold()
    return new Promise((settle) => {
      resolve = settle
    })
  }

  /** Runs something that `cancel`, the end of the session, or the client's statement_timeout stops. */
  async #cancellable(timeoutMs: number, work: (signal: AbortSignal) => Promise<PassOutcome>): Promise<PassOutcome> {
    const running = new AbortController()
    this.#running = { cancel: () => running.abort() }
    this.output.hold()
    let isTimeout = false
    const timer =
      timeoutMs === 0
        ? undefined
        : setTimeout(() => {
            isTimeout = true
            running.abort()
          }, timeoutMs)
    try {
      const outcome = await work(running.signal)
      if (outcome.kind !== 'failed') return outcome
      const error = isTimeout && outcome.error.code === SQLSTATE.cancelled ? TIMED_OUT : plainError(outcome.error)
      return { ...outcome, error }
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown)
      return { kind: 'failed', error: { severity: 'ERROR', code: LOST, message }, rows: 0 }
    } finally {
      clearTimeout(timer)
      this.#running = undefined
      this.output.release()
    }
  }

  /**
   * Tells the client of an error. True where that is all: outside of a transaction. Else the overlay raises it, so that its transaction
   * fails too.
   */
  fail(error: PgErrorFields): boolean {
    if (this.status === 'I' && this.link.synced) {
      this.output.append(errorResponse(error))
      return true
    }
    raise(this.link, { code: error.code, message: error.message, hint: error.hint ?? '' }, error)
    return false
  }

  /** Stops what runs on production; false where nothing does. */
  cancel(): boolean {
    const running = this.#running
    running?.cancel()
    return running !== undefined
  }
}

/** It sets what a transaction is like, which PostgreSQL takes before its first query only. */
function isOfTransaction({ statement: { detail } }: PlannedStatement): boolean {
  if (detail.kind === 'transaction') return detail.transaction.verb === 'begin'
  return (
    detail.kind === 'set' &&
    (detail.setting.action === 'set-transaction' || detail.setting.name.startsWith('transaction_'))
  )
}

function refuse(verdict: LaneVerdict): void {
  verdict.refused = true
}

/** A statement_timeout is kept by a timer of its own, but for short statements of clients that allow them this much or more. */
const MIN_SHARED_TIMEOUT_MS = 1000

const NO_TYPES: readonly number[] = []

const LOST = '08006'

const TIMED_OUT: PgErrorFields = {
  severity: 'ERROR',
  code: SQLSTATE.cancelled,
  message: 'canceling statement due to statement timeout',
}

/** Errors that end a connection: to the client's own, which goes on, production was out of reach. */
const ENDING: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04', '08000', '08003'])

function plainError(error: PgErrorFields): PgErrorFields {
  return ENDING.has(error.code) ? { ...error, code: LOST, severity: 'ERROR' } : error
}
