import { monotonicNs } from '../../../core/clock.ts'
import type { MeshError } from '../../../core/errors.ts'
import { execute, flush, FRONTEND, query, sync } from '../../../wire/postgres/frontend.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'
import { faultOf, gateFault, SQLSTATE } from './faults.ts'
import type { ShortHistory } from './short-history.ts'
import type { Lane, SentStatement } from './sent-statement.ts'
import { type SessionSettings, settingsCommand, settingsKey } from './settings.ts'
import type { Execution, Step, UpstreamConnection } from './upstream-connection.ts'
import { NO_PARAMETERS, resultFormatsOf, type RowSink, type UpstreamStatement } from './upstream-statement.ts'

/**
 * The only text that begins a transaction of ours on production. It stands in front of every statement, in the same packet:
 * where it fails, the server skips the statement.
 */
const START = {
  statement: 'START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY',
  snapshot: 'START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
} as const

/** `statement`: each statement sees what is committed when it begins. `snapshot`: all see what the first one saw. */
export type ReadIsolation = keyof typeof START

/**
 * What happens behind an execution. `commit`: the transaction ends in the same packet. `await`: rows may be left in the portal, the
 * server is told to answer and waits for more. `idle`: the transaction stays open between statements (a snapshot).
 */
export type AfterExecution = 'commit' | 'await' | 'idle'

export interface BeginOptions {
  readonly isolation: ReadIsolation
  readonly settings: SessionSettings
  /** Of ours, for as long as the transaction; none of the client's settings. */
  readonly limits?: SessionSettings
}

export interface RunOptions {
  readonly lane: Lane
  /** 0: all. */
  readonly maxRows: number
  readonly after: AfterExecution
  /** Give the sink a RowDescription. */
  readonly describe: boolean
  /** Told of how long it took. */
  readonly history?: ShortHistory
}

/** Where every execution on production is recorded. */
export interface ExecutionLog {
  /** Why nothing can be recorded any more: then nothing is sent any more. */
  readonly failure: MeshError | undefined
  /** Told when the execution has ended. */
  record(sent: SentStatement): void
}

/** A statement that runs to its end beside others. */
export interface SharedStatement {
  readonly lane: Lane
  readonly statement: UpstreamStatement
  /** Gets a RowDescription too. */
  readonly sink: RowSink
  done(end: Execution): void
}

/** A statement's portal in its transaction. */
export interface Portal {
  readonly name: string
  readonly lane: Lane
  readonly statement: UpstreamStatement
}

/**
 * One read-only transaction on one connection. Nothing is sent before the first statement, and then START, settings, statement
 * and, where nothing follows, COMMIT leave in one packet. After an error it rolls back by itself and is over.
 */
export class ReadTransaction {
  readonly connection: UpstreamConnection
  readonly #options: BeginOptions
  readonly #release: (connection: UpstreamConnection) => void
  readonly #log: ExecutionLog
  #state: 'new' | 'open' | 'ending' | 'over' = 'new'
  #nextPortal = 1
  #unsynced = false

  /** `release` is called once, when the connection can serve again or is lost. */
  constructor(
    connection: UpstreamConnection,
    options: BeginOptions,
    release: (connection: UpstreamConnection) => void,
    log: ExecutionLog,
  ) {
    this.connection = connection
    this.#options = options
    this.#release = release
    this.#log = log
  }

  /** It takes statements. */
  get isOpen(): boolean {
    return this.#state === 'new' || this.#state === 'open'
  }

  /** Runs a statement up to `maxRows` rows (0: all). The portal is closed by the caller where rows may be left in it. */
  run(
    statement: UpstreamStatement,
    options: RunOptions,
    sink: RowSink,
  ): { readonly portal: Portal; readonly end: Promise<Execution> } {
    const portal: Portal = {
      lane: options.lane,
      statement,
      name: options.after === 'commit' ? '' : `p${this.#nextPortal++}`,
    }
    const unsent = this.#whyUnsent()
    if (unsent !== undefined) return { portal, end: Promise.resolve(unsent) }
    const packet = new MessageBuilder(256 + statement.text.length + statement.bindTail.length)
    const steps: Step[] = []
    if (this.#state === 'new') this.#begin(packet, steps)
    const name = this.#bind(packet, steps, portal, sink, options.describe)
    packet.begin(FRONTEND.execute).text(portal.name).int32(options.maxRows).end()
    const end = new Promise<Execution>((resolve) => {
      this.#execution(steps, sink, { portal, isContinued: false, name, history: options.history, done: resolve })
    })
    this.#follow(packet, steps, options.after)
    this.connection.send(packet.finish(), steps)
    return { portal, end }
  }

  /**
   * Runs statements one after the other to their ends and commits, all in one packet. Where one fails, those behind it fail with its
   * error, and have not run.
   */
  runAll(shared: readonly SharedStatement[]): void {
    const unsent = this.#whyUnsent()
    if (unsent !== undefined) {
      for (const each of shared) each.done(unsent)
      return
    }
    const packet = new MessageBuilder(256 + 128 * shared.length)
    const steps: Step[] = []
    this.#begin(packet, steps)
    for (const each of shared) {
      const { lane, statement, sink } = each
      const portal: Portal = { lane, statement, name: '' }
      const name = this.#bind(packet, steps, portal, sink, true)
      packet.bytes(EXECUTE_ALL)
      this.#execution(steps, sink, { portal, isContinued: false, name, done: (end) => each.done(end) })
    }
    this.#follow(packet, steps, 'commit')
    this.connection.send(packet.finish(), steps)
  }

  /** Takes more rows out of a portal that was suspended. */
  resume(portal: Portal, maxRows: number, after: AfterExecution, sink: RowSink): Promise<Execution> {
    const unsent = this.#whyUnsent()
    if (unsent !== undefined) return Promise.resolve(unsent)
    const packet = new MessageBuilder().bytes(execute({ portal: portal.name, maxRows }))
    const steps: Step[] = []
    const end = new Promise<Execution>((resolve) => {
      this.#execution(steps, sink, { portal, isContinued: true, name: undefined, done: resolve })
    })
    this.#follow(packet, steps, after)
    this.connection.send(packet.finish(), steps)
    return end
  }

  /** Gives up what is left in a portal, where the transaction goes on. */
  closePortal(portal: Portal): void {
    if (this.#state !== 'open') return
    const packet = new MessageBuilder().begin(FRONTEND.close).uint8(PORTAL_TARGET).text(portal.name).end()
    this.connection.send(packet.bytes(flush()).finish(), [{ kind: 'close' }])
    this.#unsynced = true
  }

  /** Ends the transaction; nothing waits for it but the connection's next user. */
  commit(): void {
    if (this.#state === 'new') this.#finish()
    if (this.#state !== 'open') return
    const packet = new MessageBuilder()
    const steps: Step[] = []
    this.#follow(packet, steps, 'commit')
    this.connection.send(packet.finish(), steps)
  }

  /** Stops what is running and ends the transaction; the connection is not used again, for the cancel may come late. */
  cancel(): void {
    if (this.#state === 'over') return
    if (this.#state === 'new') {
      this.#finish()
      return
    }
    this.connection.cancel()
    this.commit()
  }

  /** What cannot be recorded is not sent; a statement may have waited since that was known. */
  #whyUnsent(): Execution | undefined {
    if (!this.isOpen) return overdue()
    const { failure } = this.#log
    if (failure === undefined) return undefined
    this.commit()
    return { kind: 'failed', error: faultOf(failure), rows: 0, lost: false }
  }

  #begin(packet: MessageBuilder, steps: Step[]): void {
    this.#state = 'open'
    this.#command(packet, steps, START[this.#options.isolation], NO_PARAMETERS)
    const { settings, limits = NO_LIMITS } = this.#options
    const replay = settingsCommand(settings, limits)
    if (replay !== undefined) this.#command(packet, steps, replay.text, replay.bindTail)
  }

  #command(packet: MessageBuilder, steps: Step[], text: string, tail: Uint8Array): void {
    const name = this.#prepare(packet, steps, text, [], true)
    appendBind(packet, '', name, tail)
    packet.bytes(EXECUTE_ALL)
    steps.push({ kind: 'command', name })
  }

  /** Binds a statement; its description is asked for where the connection does not have it. Gives the statement's name. */
  #bind(packet: MessageBuilder, steps: Step[], portal: Portal, sink: RowSink, describe: boolean): string {
    const { text, parameterTypes, bindTail } = portal.statement
    const name = this.#prepare(packet, steps, text, parameterTypes, false)
    appendBind(packet, portal.name, name, bindTail)
    if (!describe) return name
    const known = this.connection.prepared.description(name, resultFormatsOf(bindTail))
    if (known === undefined) packet.begin(FRONTEND.describe).uint8(PORTAL_TARGET).text(portal.name).end()
    else sink.description?.(known)
    return name
  }

  /** The name under which the server has the text, or will have it by the Parse that is added. */
  #prepare(packet: MessageBuilder, steps: Step[], text: string, types: readonly number[], always: boolean): string {
    const place = this.connection.prepared.place(text, types, always ? 'ours' : settingsKey(this.#options.settings))
    if (place.evicted !== undefined) {
      packet.begin(FRONTEND.close).uint8(STATEMENT_TARGET).text(place.evicted).end()
      steps.push({ kind: 'close' })
    }
    if (place.known) return place.name
    packet.begin(FRONTEND.parse).text(place.name).text(text).count(types.length)
    for (const oid of types) packet.int32(oid)
    packet.end()
    return place.name
  }

  #execution(steps: Step[], sink: RowSink, { portal, isContinued, name, history, done }: Awaited): void {
    const sentNs = monotonicNs()
    const { lane, statement } = portal
    const { processId } = this.connection.server
    const ended = (end: Execution): void => {
      done(end)
      const sent = { lane, statement, isContinued, processId, durationNs: monotonicNs() - sentNs, end }
      history?.note(sent)
      this.#log.record(sent)
      if (end.kind !== 'failed') return
      if (end.error.code === STALE_PLAN && name !== undefined) this.connection.prepared.forget(name)
      if (end.error.code === UNKNOWN_NAME) this.connection.prepared.disable()
      this.#failed(end.lost)
    }
    const formats = (): string => resultFormatsOf(statement.bindTail)
    steps.push({ kind: 'execution', name, formats, sink, done: ended })
  }

  #follow(packet: MessageBuilder, steps: Step[], after: AfterExecution): void {
    this.#unsynced = after === 'await'
    if (after === 'await') {
      packet.bytes(flush())
      return
    }
    if (after === 'commit') {
      this.#command(packet, steps, 'COMMIT', NO_PARAMETERS)
      this.#state = 'ending'
    }
    packet.bytes(sync())
    steps.push({ kind: 'sync', done: (status) => this.#synced(status) })
  }

  /** The server skips up to a Sync: give it one where none is on its way. */
  #failed(lost: boolean): void {
    if (lost) {
      this.#finish()
      return
    }
    const needsSync = this.#unsynced
    if (this.#state === 'open') this.#state = 'ending'
    if (!needsSync) return
    this.#unsynced = false
    this.connection.send(sync(), [{ kind: 'sync', done: (status) => this.#synced(status) }])
  }

  #synced(status: 'I' | 'T' | 'E'): void {
    // The last Sync on its way decides.
    if (this.#state !== 'ending' || !this.connection.isQuiet) return
    if (status === 'I' || this.connection.isLost) {
      this.#finish()
      return
    }
    this.connection.send(query('ROLLBACK'), [{ kind: 'command' }, { kind: 'sync', done: () => this.#finish() }])
  }

  #finish(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#release(this.connection)
  }
}

/** An execution whose end is awaited. `name`: of its prepared statement, where it was bound just now. */
interface Awaited {
  readonly portal: Portal
  readonly isContinued: boolean
  readonly name: string | undefined
  readonly history?: ShortHistory | undefined
  readonly done: (end: Execution) => void
}

/** Of the unnamed portal. */
const EXECUTE_ALL = execute({ portal: '', maxRows: 0 })

const PORTAL_TARGET = 0x50
const STATEMENT_TARGET = 0x53

/** "cached plan must not change result type": the table was altered since the text was prepared. */
const STALE_PLAN = '0A000'
/** A pooler in between has given us another server connection. */
const UNKNOWN_NAME = '26000'

function appendBind(packet: MessageBuilder, portal: string, statement: string, tail: Uint8Array): void {
  packet.begin(FRONTEND.bind).text(portal).text(statement).bytes(tail).end()
}

const NO_LIMITS: SessionSettings = new Map()

function overdue(): Execution {
  const error = gateFault(
    SQLSTATE.serializationFailure,
    "the transaction's view of production is over",
    'repeat the transaction',
  )
  return { kind: 'failed', error, rows: 0, lost: false }
}
