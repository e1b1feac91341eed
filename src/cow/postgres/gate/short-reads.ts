import { copyOf } from '../../../core/bytes.ts'
import { CANCELLED, faultOf, SQLSTATE } from './faults.ts'
import type { ShortHistory } from './short-history.ts'
import type { PassedStatement, PassOutcome } from './passed.ts'
import type { Pool } from './pool.ts'
import { type ExecutionLog, ReadTransaction, type SharedStatement } from './read-transaction.ts'
import { type Cancellable, ResultLimit } from './result-limit.ts'
import { type SessionSettings, settingsKey } from './settings.ts'
import { ENDED_CODES, STALE_CODES } from './transactions.ts'
import type { Execution, UpstreamConnection } from './upstream-connection.ts'
import type { RowSink } from './upstream-statement.ts'

/** Statements that share a transaction at most: each waits for all of them, since production answers a packet as a whole. */
const MAX_SHARED = 16
/**
 * With so many shared transactions under way, those that come wait for the end of one, and share the next: a packet to production, which
 * wakes a server there, costs more than a read in it. Two keep production busy while the ones before are answered.
 */
const MAX_UNDER_WAY = 2
/** Nobody waits longer than this for the end of others. */
const DEFAULT_MAX_WAIT_MS = 1
/** A result is held up to here until its statement has ended, so that it can be run again and no client keeps the others waiting. */
const MAX_HELD_BYTES = 1024 * 1024

/**
 * What production itself ends a shared statement by; it is run by itself then. The lock: others' locks of the shared transaction are not
 * held while one waits, and the wait ends long before production would look for deadlocks (`deadlock_timeout`, 1 s): a migration that
 * meets us is never the one to be aborted.
 */
function sharedLimits(maxShortMs: number): SessionSettings {
  return new Map([
    ['lock_timeout', '50ms'],
    ['statement_timeout', `${maxShortMs}ms`],
  ])
}

/** How a short read ended. `again`: nothing of it was seen, and it is to be run by itself. */
export type ShortOutcome = PassOutcome | { readonly kind: 'again' }

export interface ShortReadsOptions {
  readonly pool: Pool
  readonly log: ExecutionLog
  readonly maxResultBytes: number
  /** Production ends a shared statement after this. */
  readonly maxShortMs: number
  /** How long one waits at most for the end of others. Default 1. */
  readonly maxWaitMs?: number
}

/**
 * Short statements of clients. Those that come in one turn of the event loop, under the same settings, share a read-only transaction
 * and a packet: production begins and commits once for all of them. Each is a statement of its own to the server, and in READ
 * COMMITTED sees what is committed when it begins; where one fails, those behind it are run by themselves.
 */
export class ShortReads {
  readonly #options: ShortReadsOptions
  readonly #limits: SessionSettings
  readonly #waiting = new Map<string, ShortRead[]>()
  #isScheduled = false
  /** Those of each shared transaction that is not at its end, and that nobody has waited for in vain. */
  readonly #underWay = new Set<readonly ShortRead[]>()
  /** Runs while some wait for the end of a transaction. */
  #wait: NodeJS.Timeout | undefined

  constructor(options: ShortReadsOptions) {
    this.#options = options
    this.#limits = sharedLimits(options.maxShortMs)
  }

  /** `ended` is told once, never before this returns. */
  add(
    statement: PassedStatement,
    history: ShortHistory,
    sink: RowSink,
    ended: (outcome: ShortOutcome) => void,
  ): Cancellable {
    const read = new ShortRead(statement, history, new ResultLimit(sink, this.#options.maxResultBytes), ended)
    const key = settingsKey(statement.settings)
    const others = this.#waiting.get(key)
    if (others === undefined) this.#waiting.set(key, [read])
    else others.push(read)
    this.#schedule()
    return read
  }

  /** Everything that comes in this turn of the event loop leaves together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#underWay.size < MAX_UNDER_WAY) this.#sendAll()
      else this.#wait ??= setTimeout(() => this.#stopWaiting(), this.#options.maxWaitMs ?? DEFAULT_MAX_WAIT_MS)
    })
  }

  /** What is under way is slow: nobody waits for it any more. */
  #stopWaiting(): void {
    this.#underWay.clear()
    this.#sendAll()
  }

  #sendAll(): void {
    clearTimeout(this.#wait)
    this.#wait = undefined
    for (const key of this.#waiting.keys()) {
      for (let reads = this.#take(key); reads.length > 0; reads = this.#take(key)) {
        this.#underWay.add(reads)
        const connection = this.#options.pool.take('ordinary')
        if (connection === undefined) void this.#sendLater(reads)
        else this.#send(connection, reads)
      }
    }
  }

  #ended(reads: readonly ShortRead[]): void {
    this.#underWay.delete(reads)
    if (this.#waiting.size > 0) this.#schedule()
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
      this.#ended(reads)
      for (const read of reads) read.end({ kind: 'failed', error: faultOf(error), rows: 0 })
    }
  }

  #send(connection: UpstreamConnection, reads: readonly ShortRead[]): void {
    const { pool, log } = this.#options
    const wanted = reads.filter((read) => !read.isOver)
    const [first] = wanted
    const release = (done: UpstreamConnection): void => {
      pool.release(done)
      this.#ended(reads)
    }
    if (first === undefined) {
      release(connection)
      return
    }
    const options = { isolation: 'statement', settings: first.statement.settings, limits: this.#limits } as const
    const transaction = new ReadTransaction(connection, options, release, log)
    new SharedTransaction(transaction, wanted).run()
  }
}

/** Production ended a statement by one of the limits above. */
const LIMIT_CODES: ReadonlySet<string> = new Set([SQLSTATE.cancelled, '55P03'])

/** One client's statement among others. */
class ShortRead implements SharedStatement, RowSink, Cancellable {
  readonly sink: RowSink = this
  readonly statement: PassedStatement
  readonly history: ShortHistory
  readonly #limit: ResultLimit
  readonly #ended: (outcome: ShortOutcome) => void
  /** Undefined: rows are given as they come. */
  #held: { readonly bytes: Uint8Array; readonly messages: number }[] | undefined = []
  #heldBytes = 0
  #transaction: SharedTransaction | undefined
  #isOver = false

  constructor(
    statement: PassedStatement,
    history: ShortHistory,
    limit: ResultLimit,
    ended: (outcome: ShortOutcome) => void,
  ) {
    this.statement = statement
    this.history = history
    this.#limit = limit
    this.#ended = ended
  }

  get lane(): PassedStatement['lane'] {
    return this.statement.lane
  }

  /** Its client knows how it ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Nothing of its rows was given to the client. */
  get isHeld(): boolean {
    return this.#held !== undefined
  }

  description(bytes: Uint8Array): void {
    if (!this.#isOver) this.#limit.description(bytes)
  }

  rows(bytes: Uint8Array, messages: number): boolean {
    if (this.#isOver) return true
    if (this.#held === undefined) return this.#limit.rows(bytes, messages)
    this.#heldBytes += bytes.length
    this.#held.push({ bytes: copyOf(bytes), messages })
    return this.#heldBytes <= MAX_HELD_BYTES || this.#giveHeld()
  }

  whenReady(): Promise<void> {
    return this.#limit.whenReady()
  }

  sentIn(transaction: SharedTransaction): void {
    this.#transaction = transaction
  }

  /** At once, and at no cost of the others: production's own limit ends what still runs of it. */
  cancel(): void {
    this.end({ kind: 'failed', error: CANCELLED, rows: 0 })
  }

  done(execution: Execution): void {
    if (execution.kind === 'complete' && !this.#isOver) {
      if (this.#heldBytes > MAX_HELD_BYTES) this.history.lose()
      this.#giveHeld()
    }
    const isFailed = execution.kind === 'failed'
    const outcome = this.#limit.judge(execution)
    if (isFailed && execution.isSilent === true && outcome.kind === 'failed') this.end(outcome)
    else this.#transaction?.ended(this, outcome, isFailed && execution.lost)
  }

  end(outcome: ShortOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held = undefined
    this.#ended(outcome)
  }

  /** From here on rows are given as they come; too many of them stop the transaction. */
  #giveHeld(): boolean {
    const held = this.#held ?? []
    this.#held = undefined
    if (this.#heldBytes > MAX_HELD_BYTES && this.#transaction !== undefined) this.#limit.endBy(this.#transaction)
    let isTaken = true
    for (const { bytes, messages } of held) isTaken = this.#limit.rows(bytes, messages)
    return isTaken
  }
}

/** Short reads on their way in one transaction. */
class SharedTransaction implements Cancellable {
  readonly #transaction: ReadTransaction
  readonly #reads: readonly ShortRead[]
  #hasFailed = false

  constructor(transaction: ReadTransaction, reads: readonly ShortRead[]) {
    this.#transaction = transaction
    this.#reads = reads
  }

  run(): void {
    for (const read of this.#reads) read.sentIn(this)
    this.#transaction.runAll(this.#reads)
  }

  /** Stops the one that runs; those behind it are run by themselves. */
  cancel(): void {
    this.#transaction.cancel()
  }

  ended(read: ShortRead, end: ReturnType<ResultLimit['judge']>, isLost: boolean): void {
    if (end.kind === 'complete') read.end(end)
    else if (end.kind === 'failed') this.#failed(read, end, isLost)
  }

  #failed(read: ShortRead, end: Extract<PassOutcome, { kind: 'failed' }>, isLost: boolean): void {
    const { code } = end.error
    const isFirst = !this.#hasFailed
    this.#hasFailed = true
    const isLimit = LIMIT_CODES.has(code)
    if (isFirst && isLimit) read.history.lose()
    // Of its own: the error says something of this statement, not of the connection, a limit, or one in front of it.
    const isOwn = isFirst && !isLost && !isLimit && !STALE_CODES.has(code) && !ENDED_CODES.has(code)
    read.end(isOwn || !read.isHeld ? end : { kind: 'again' })
  }
}
