import type { QueryResult } from '../server-connection.ts'

/** Where SQL runs: the part of a `ServerConnection` that this folder needs. */
export interface SqlRunner {
  /** Runs a text of one or more statements by the simple protocol: one result a statement. */
  query(text: string): Promise<readonly QueryResult[]>
  /** Runs one statement with values in text format. */
  execute(text: string, values: readonly (string | null)[]): Promise<QueryResult>
}
