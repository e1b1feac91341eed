import type { PassedStatement, PassOutcome } from '../gate/passed.ts'
import type { Cancellable } from '../gate/result-limit.ts'
import type { ShortOutcome } from '../gate/short-reads.ts'
import type { RowSink } from '../gate/upstream-statement.ts'
import type { QueryResult } from '../server-connection.ts'

/** The part of the gate that statements and catalogue reads take to production. */
export interface ProductionGate {
  /** Our own read: one statement, values in text form. */
  query(text: string, values?: readonly (string | null)[]): Promise<QueryResult>
  /** Runs a client's statement. The signal cancels it. */
  pass(statement: PassedStatement, sink: RowSink, signal?: AbortSignal): Promise<PassOutcome>
  /** The same for one that is known to be short: see `Gate`. */
  passShort(statement: PassedStatement, sink: RowSink, ended: (outcome: ShortOutcome) => void): Cancellable | undefined
}
