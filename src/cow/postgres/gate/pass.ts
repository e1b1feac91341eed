import { gateFault, SQLSTATE } from './faults.ts'
import type { AfterExecution, Portal, ReadTransaction } from './read-transaction.ts'
import { MAX_SHORT_BYTES, type ShortHistory } from './short-history.ts'
import type { PassedPortal, PassedStatement, PassOutcome } from './passed.ts'
import { ResultLimit } from './result-limit.ts'
import { unknownSetting } from './settings.ts'
import type { Transactions } from './transactions.ts'
import type { RowSink } from './upstream-statement.ts'

export interface PassOptions {
  readonly transactions: Transactions
  readonly maxResultBytes: number
  readonly maxTransactionMs: number
  /** Why the text is not passed; undefined: it is. */
  readonly objection: string | undefined
  /** Told of how long it took. */
  readonly history: ShortHistory
}

/** Runs one statement on production and streams its rows. The signal cancels it there. */
export async function passStatement(
  statement: PassedStatement,
  sink: RowSink,
  options: PassOptions,
  signal?: AbortSignal,
): Promise<PassOutcome> {
  const setting = unknownSetting(statement.settings)
  const reason = setting === undefined ? options.objection : `setting ${setting} cannot be replayed`
  if (reason !== undefined) return { kind: 'refused', reason }
  const { lane, describe, settings, rowLimit = 0 } = statement
  const after: AfterExecution = rowLimit === 0 ? 'commit' : 'await'
  const limit = new ResultLimit(sink, options.maxResultBytes)
  const begun = (transaction: ReadTransaction): void => limit.endBy(transaction)
  const started = await options.transactions.start(
    { purpose: 'ordinary', isolation: 'statement', settings, begun, ...(signal === undefined ? {} : { signal }) },
    statement,
    { lane, describe, maxRows: rowLimit, after, history: options.history },
    limit,
  )
  const { transaction, portal } = started
  if (limit.bytes > MAX_SHORT_BYTES) options.history.lose()
  const end = limit.judge(started.end)
  if (end.kind !== 'suspended') {
    if (after === 'await') transaction?.commit()
    return end
  }
  if (transaction === undefined || portal === undefined) return { kind: 'failed', error: OVER, rows: 0 }
  return { kind: 'suspended', rows: end.rows, portal: new OpenPassage(transaction, portal, limit, options) }
}

class OpenPassage implements PassedPortal {
  readonly #transaction: ReadTransaction
  readonly #portal: Portal
  readonly #limit: ResultLimit
  readonly #timer: NodeJS.Timeout

  constructor(transaction: ReadTransaction, portal: Portal, limit: ResultLimit, options: PassOptions) {
    this.#transaction = transaction
    this.#portal = portal
    this.#limit = limit
    this.#timer = setTimeout(() => transaction.cancel(), options.maxTransactionMs)
  }

  async more(rowLimit: number, sink: RowSink): Promise<PassOutcome> {
    this.#limit.sink = sink
    const executed = await this.#transaction.resume(this.#portal, rowLimit, 'await', this.#limit)
    const end = this.#limit.judge(executed)
    if (end.kind === 'suspended') return { ...end, portal: this }
    this.close()
    return end
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#transaction.commit()
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#transaction.cancel()
  }
}

const OVER = gateFault(SQLSTATE.serializationFailure, "the portal's transaction on production is over", 'repeat it')
