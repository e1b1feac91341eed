import type { QueryResult } from '../server-connection.ts'

/** The first value of the last result of a text. */
export function textOf(results: readonly QueryResult[]): string | null {
  return results.at(-1)?.rows[0]?.[0] ?? null
}

/** The rows of the last result of a text. */
export function rowsOf(results: readonly QueryResult[]): readonly (readonly (string | null)[])[] {
  return results.at(-1)?.rows ?? []
}
