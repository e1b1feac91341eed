import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { faultOf, gateFault, SQLSTATE } from './faults.ts'
import { MAX_SHORT_MS, type Pace } from './pace.ts'
import type { PassedStatement, PassOutcome } from './passed.ts'
import type { Pool } from './pool.ts'
import { type ExecutionObserver, ReadTransaction, type SharedStatement } from './read-transaction.ts'
import { type Cancellable, ResultLimit } from './result-limit.ts'
import type { SessionSettings } from './settings.ts'
import { ENDED_CODES, STALE_CODES } from './transactions.ts'
import type { Execution, UpstreamConnection } from './upstream-connection.ts'
import type { RowSink } from './upstream-statement.ts'

/** Statements that share a transaction at most: each waits for those in front of it. */
const MAX_SHARED = 16
/** A client that does not read keeps the others waiting only where its result is longer. */
const MAX_UNREAD_BYTES = 1024 * 1024

/** How a short read ended. `again`: nothing of it was seen, and it is to be run by itself. */
export type ShortOutcome = PassOutcome | { readonly kind: 'again' }

export interface ShortReadsOptions {
  readonly pool: Pool
  readonly observe: ExecutionObserver
  readonly maxResultBytes: number
}

/**
 * Short statements of clients. Those that come in one turn of the event loop, under the same settings, share a read-only transaction
 * and a packet: production begins and commits once for all of them. Each is a statement of its own to the server, and in READ
 * COMMITTED sees what is committed when it begins; where one fails, those behind it are run by themselves.
 */
export class ShortReads {
  readonly #options: ShortReadsOptions
  readonly #waiting = new Map<string, ShortRead[]>()
  #isScheduled = false

  constructor(options: ShortReadsOptions) {
    this.#options = options
  }

  /** `ended` is told once, never before this returns. */
  add(statement: PassedStatement, pace: Pace, sink: RowSink, ended: (outcome: ShortOutcome) => void): Cancellable {
    const read = new ShortRead(statement, pace, new ResultLimit(sink, this.#options.maxResultBytes), ended)
    const key = keyOf(statement.settings)
    const others = this.#waiting.get(key)
    if (others === undefined) this.#waiting.set(key, [read])
    else others.push(read)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => this.#sendAll())
    }
    return read
  }

  #sendAll(): void {
    this.#isScheduled = false
    for (const key of this.#waiting.keys()) {
      for (let reads = this.#take(key); reads.length > 0; reads = this.#take(key)) {
        const connection = this.#options.pool.take('ordinary')
        if (connection === undefined) void this.#sendLater(reads)
        else this.#send(connection, reads)
      }
    }
  }

  #take(key: string): ShortRead[] {
    const reads = this.#waiting.get(key) ?? []
    if (reads.length <= MAX_SHARED) {
      this.#waiting.delete(key)
      return reads
    }
    return reads.splice(0, MAX_SHARED)
  }

  async #sendLater(reads: readonly ShortRead[]): Promise<void> {
    try {
      this.#send(await this.#options.pool.acquire('ordinary'), reads)
    } catch (error) {
      for (const read of reads) read.end({ kind: 'failed', error: faultOf(error), rows: 0 })
    }
  }

  #send(connection: UpstreamConnection, reads: readonly ShortRead[]): void {
    const { pool, observe } = this.#options
    const wanted = reads.filter((read) => !read.endIfCancelled())
    const [first] = wanted
    if (first === undefined) {
      pool.release(connection)
      return
    }
    const options = { isolation: 'statement', settings: first.statement.settings } as const
    const transaction = new ReadTransaction(connection, options, (done) => pool.release(done), observe)
    new SharedTransaction(transaction, wanted).run()
  }
}

const keys = new WeakMap<SessionSettings, string>()

function keyOf(settings: SessionSettings): string {
  let key = keys.get(settings)
  if (key === undefined) keys.set(settings, (key = settings.size === 0 ? '' : JSON.stringify([...settings])))
  return key
}

const CANCELLED = gateFault(SQLSTATE.cancelled, 'canceling statement due to user request')

/** One client's statement among others. */
class ShortRead implements SharedStatement, RowSink, Cancellable {
  readonly sink: RowSink = this
  readonly statement: PassedStatement
  readonly pace: Pace
  readonly limit: ResultLimit
  readonly #ended: (outcome: ShortOutcome) => void
  #transaction: SharedTransaction | undefined
  #isCancelled = false

  constructor(statement: PassedStatement, pace: Pace, limit: ResultLimit, ended: (outcome: ShortOutcome) => void) {
    this.statement = statement
    this.pace = pace
    this.limit = limit
    this.#ended = ended
  }

  get lane(): PassedStatement['lane'] {
    return this.statement.lane
  }

  get isCancelled(): boolean {
    return this.#isCancelled
  }

  description(bytes: Uint8Array): void {
    this.limit.description(bytes)
  }

  rows(bytes: Uint8Array, messages: number): boolean {
    return this.limit.rows(bytes, messages) || this.limit.bytes < MAX_UNREAD_BYTES
  }

  whenReady(): Promise<void> {
    return this.limit.whenReady()
  }

  sentIn(transaction: SharedTransaction): void {
    this.#transaction = transaction
    this.limit.endBy(transaction)
  }

  cancel(): void {
    this.#isCancelled = true
    this.#transaction?.cancel()
  }

  /** Cancelled before it was sent. */
  endIfCancelled(): boolean {
    if (this.#isCancelled) this.end({ kind: 'failed', error: CANCELLED, rows: 0 })
    return this.#isCancelled
  }

  done(execution: Execution): void {
    this.#transaction?.ended(this, execution)
  }

  end(outcome: ShortOutcome): void {
    this.#transaction = undefined
    this.#ended(outcome)
  }
}

/** Short reads on their way in one transaction. */
class SharedTransaction implements Cancellable {
  readonly #transaction: ReadTransaction
  readonly #reads: readonly ShortRead[]
  #left: number
  #timer: NodeJS.Timeout | undefined
  #hasFailed = false
  #isStopped = false

  constructor(transaction: ReadTransaction, reads: readonly ShortRead[]) {
    this.#transaction = transaction
    this.#reads = reads
    this.#left = reads.length
  }

  run(): void {
    for (const read of this.#reads) read.sentIn(this)
    // What has come meanwhile is taken first: we may have been late ourselves.
    this.#timer = setTimeout(() => setImmediate(() => this.#tookTooLong()), MAX_SHORT_MS)
    this.#transaction.runAll(this.#reads)
  }

  /** Stops the one that runs; those behind it are run by themselves. */
  cancel(): void {
    this.#isStopped = true
    this.#transaction.cancel()
  }

  ended(read: ShortRead, execution: Execution): void {
    if (--this.#left === 0) clearTimeout(this.#timer)
    if (read.limit.bytes > MAX_UNREAD_BYTES) read.pace.lose()
    const end = read.limit.judge(execution)
    if (end.kind === 'complete') read.end(end)
    else if (end.kind === 'failed') this.#failed(read, execution, end)
  }

  #failed(read: ShortRead, execution: Execution, end: Extract<PassOutcome, { kind: 'failed' }>): void {
    const isFirst = !this.#hasFailed
    this.#hasFailed = true
    const isOwn = isFirst && !this.#isForeign(execution, end.error)
    if (isFirst && this.#isStopped) read.pace.lose()
    if (read.isCancelled && !isFirst) read.end({ ...end, error: CANCELLED })
    else if (read.isCancelled || isOwn || end.rows > 0) read.end(end)
    else read.end({ kind: 'again' })
  }

  /** The error says nothing of the statement: the connection was lost, a plan outdated, or somebody else was to be stopped. */
  #isForeign(execution: Execution, { code }: PgErrorFields): boolean {
    const isLost = execution.kind === 'failed' && execution.lost
    const isCancel = this.#isStopped && code === SQLSTATE.cancelled
    return isLost || isCancel || STALE_CODES.has(code) || ENDED_CODES.has(code)
  }

  /** One of them is not short, or waits for a lock: it is stopped, and all that are left run one by one. */
  #tookTooLong(): void {
    const running = this.#reads.at(-this.#left)
    if (this.#left === 0 || running === undefined) return
    // What is the last keeps nobody waiting, and rows that were given are not given again.
    if (this.#left === 1) running.pace.lose()
    else if (running.limit.bytes === 0) this.cancel()
  }
}
