import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { gateFault, SQLSTATE } from './faults.ts'
import type { Portal, ReadTransaction, RunOptions } from './read-transaction.ts'
import type { Started, TransactionRequest, Transactions } from './transactions.ts'
import type { Execution } from './upstream-connection.ts'
import type { RowSink, UpstreamStatement } from './upstream-statement.ts'

/**
 * One client's REPEATABLE READ (or SERIALIZABLE) transaction as production sees it: all its foreign scans share one transaction
 * there. Begun by its first scan, ended by the client or by age.
 */
export class Snapshot {
  readonly #transactions: Transactions
  readonly #maxAgeMs: number
  readonly #mayHold: () => boolean
  #transaction: ReadTransaction | undefined
  #starting: Promise<Started> | undefined
  #hasRead = false
  #ended = false
  #timer: NodeJS.Timeout | undefined

  /** `mayHold`: whether one more may take a connection for itself. */
  constructor(transactions: Transactions, maxAgeMs: number, mayHold: () => boolean) {
    this.#transactions = transactions
    this.#maxAgeMs = maxAgeMs
    this.#mayHold = mayHold
  }

  /** It holds a connection to production. */
  get isHolding(): boolean {
    return this.#starting !== undefined || this.#transaction?.isOpen === true
  }

  /** Runs a statement in the snapshot. After a failure on production the snapshot is over: what follows fails with 40001. */
  async run(
    request: Omit<TransactionRequest, 'isolation'>,
    statement: UpstreamStatement,
    options: Omit<RunOptions, 'after'>,
    sink: RowSink,
  ): Promise<Started> {
    while (this.#starting !== undefined) await this.#starting
    const run: RunOptions = { ...options, after: 'idle' }
    const open = this.#transaction
    if (open?.isOpen === true) {
      const { portal, end } = open.run(statement, run, sink)
      const cancel = (): void => open.cancel()
      request.signal?.addEventListener('abort', cancel, { once: true })
      const ended = await end
      request.signal?.removeEventListener('abort', cancel)
      return { transaction: open, portal, end: ended }
    }
    if (this.#hasRead || this.#ended) return { transaction: undefined, portal: undefined, end: this.#over() }
    if (!this.#mayHold()) return { transaction: undefined, portal: undefined, end: failed(TOO_MANY) }
    this.#starting = this.#transactions.start({ ...request, isolation: 'snapshot' }, statement, run, sink)
    const started = await this.#starting
    this.#starting = undefined
    this.#transaction = started.transaction
    this.#hasRead = started.end.kind !== 'failed'
    if (this.#ended) started.transaction?.commit()
    else this.#timer = setTimeout(() => this.#transaction?.cancel(), this.#maxAgeMs)
    return started
  }

  resume(portal: Portal, maxRows: number, sink: RowSink): Promise<Execution> {
    return this.#transaction?.resume(portal, maxRows, 'idle', sink) ?? Promise.resolve(this.#over())
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#transaction?.commit()
  }

  #over(): Execution {
    return failed(
      gateFault(
        SQLSTATE.serializationFailure,
        `the transaction's view of production is over: it failed there, or is older than ${this.#maxAgeMs / 1000} s`,
        'repeat the transaction',
      ),
    )
  }
}

const TOO_MANY = gateFault(
  SQLSTATE.tooManyConnections,
  'too many REPEATABLE READ transactions hold a connection to production',
  'end one, use READ COMMITTED, or allow more upstream connections',
)

function failed(error: PgErrorFields): Execution {
  return { kind: 'failed', error, rows: 0, lost: false }
}

/** Who has a snapshot: a session by the name of its scans, or one connection of postgres_fdw. */
export type SnapshotOwner = string | symbol

/** Who is in a transaction with a snapshot. */
export class Snapshots {
  readonly #transactions: Transactions
  readonly #maxAgeMs: number
  readonly #maxHolding: number
  readonly #byOwner = new Map<SnapshotOwner, Snapshot>()

  /** At most `maxHolding` of them hold a connection: statements without a snapshot must find some. */
  constructor(transactions: Transactions, maxAgeMs: number, maxHolding: number) {
    this.#transactions = transactions
    this.#maxAgeMs = maxAgeMs
    this.#maxHolding = maxHolding
  }

  begin(owner: SnapshotOwner): void {
    this.end(owner)
    const mayHold = (): boolean => this.holding < this.#maxHolding
    this.#byOwner.set(owner, new Snapshot(this.#transactions, this.#maxAgeMs, mayHold))
  }

  end(owner: SnapshotOwner): void {
    this.#byOwner.get(owner)?.end()
    this.#byOwner.delete(owner)
  }

  of(owner: SnapshotOwner): Snapshot | undefined {
    return this.#byOwner.get(owner)
  }

  /** Snapshots that hold a connection. */
  get holding(): number {
    let holding = 0
    for (const snapshot of this.#byOwner.values()) if (snapshot.isHolding) holding++
    return holding
  }

  endAll(): void {
    for (const owner of this.#byOwner.keys()) this.end(owner)
  }
}
