import type { AuditLog } from './audit.ts'
import { faultOf } from './faults.ts'
import type { Pool, PoolPurpose } from './pool.ts'
import {
  type BeginOptions,
  type ExecutionLog,
  type Portal,
  ReadTransaction,
  type RunOptions,
} from './read-transaction.ts'
import type { SentStatement } from './sent-statement.ts'
import type { Execution } from './upstream-connection.ts'
import type { RowSink, UpstreamStatement } from './upstream-statement.ts'

/** What a transaction on production is begun with. */
export interface TransactionRequest extends BeginOptions {
  readonly purpose: PoolPurpose
  readonly signal?: AbortSignal
  /** Gets the transaction before its statement is sent; once more where it is begun again. */
  begun?(transaction: ReadTransaction): void
}

/** A statement that ran first in its transaction. `transaction` is undefined where no connection was to be had. */
export interface Started {
  readonly transaction: ReadTransaction | undefined
  readonly portal: Portal | undefined
  readonly end: Execution
  /** Why there was no connection, as it was thrown. */
  readonly thrown?: unknown
}

/** Failures that say nothing of the statement: a plan made before the table was altered, a name that is not kept. */
export const STALE_CODES: ReadonlySet<string> = new Set(['0A000', '26000'])

/** The server ended the session: administrator, crash, start-up, idle timeout. */
export const ENDED_CODES: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '57P05', '25P03'])

/** Begins transactions on the pool's connections, and has every statement recorded. */
export class Transactions {
  readonly #pool: Pool
  readonly #audit: AuditLog | undefined
  /** Counts and records what was sent. */
  readonly log: ExecutionLog

  constructor(pool: Pool, audit: AuditLog | undefined, count: (sent: SentStatement) => void) {
    this.#pool = pool
    this.#audit = audit
    this.log = {
      get failure() {
        return audit?.failure
      },
      record: (sent) => {
        count(sent)
        audit?.record(sent)
      },
    }
  }

  /** A connection with nothing begun on it. Throws a fault where none is to be had. */
  async begin(request: TransactionRequest): Promise<ReadTransaction> {
    const room = this.#audit?.ready()
    if (room !== undefined) await room
    const connection = this.#pool.take(request.purpose) ?? (await this.#pool.acquire(request.purpose, request.signal))
    return new ReadTransaction(connection, request, (done) => this.#pool.release(done), this.log)
  }

  /**
   * Begins with this statement. Where its connection turns out to have died while it was idle, or has an outdated plan, it is run
   * once more: nothing of it was seen.
   */
  async start(
    request: TransactionRequest,
    statement: UpstreamStatement,
    options: RunOptions,
    sink: RowSink,
  ): Promise<Started> {
    let last: Started | undefined
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const started = await this.#startOnce(request, statement, options, sink)
      const { end, wasUsed } = started
      if (end.kind !== 'failed' || end.rows > 0 || request.signal?.aborted === true) return started
      const isLost = (end.lost && end.isSilent !== true) || ENDED_CODES.has(end.error.code)
      if (!wasUsed || !(isLost || STALE_CODES.has(end.error.code))) return started
      // The same text may be refused for good with the same code: once more, not again and again.
      if (last !== undefined && !isLost) return started
      last = started
    }
    return last ?? { transaction: undefined, portal: undefined, end: failure(undefined) }
  }

  async #startOnce(
    request: TransactionRequest,
    statement: UpstreamStatement,
    options: RunOptions,
    sink: RowSink,
  ): Promise<Started & { readonly wasUsed: boolean }> {
    let transaction: ReadTransaction
    try {
      transaction = await this.begin(request)
    } catch (error) {
      return { transaction: undefined, portal: undefined, end: failure(error), wasUsed: false, thrown: error }
    }
    request.begun?.(transaction)
    const { signal } = request
    const wasUsed = transaction.connection.isUsed
    const { portal, end } = transaction.run(statement, options, sink)
    if (signal === undefined) return { transaction, portal, end: await end, wasUsed }
    const cancel = (): void => transaction.cancel()
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel, { once: true })
    const ended = await end
    signal.removeEventListener('abort', cancel)
    return { transaction, portal, end: ended, wasUsed }
  }
}

/** A pool of idle connections may have died together: each is tried, up to this many. */
const MAX_TRIES = 12

function failure(error: unknown): Execution {
  return { kind: 'failed', error: faultOf(error), rows: 0, lost: false }
}
