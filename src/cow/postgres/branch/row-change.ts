import type { Change } from './change-query.ts'

/** A row that is not production's. Lists are by the table's columns. */
export interface RowChange {
  readonly change: Change
  /** The values of the key, as PostgreSQL writes them; empty for a table without one. */
  readonly key: readonly string[]
  /** The row when it was copied up, a JSON text a column; null: no such column then, or no value. Undefined: there was no such row. */
  readonly before: readonly (string | null)[] | undefined
  /** The row as it is now. */
  readonly after: readonly (string | null)[] | undefined
  /** The same as PostgreSQL writes it. */
  readonly written: readonly (string | null)[] | undefined
}

/** Positions of the columns whose value changed in a row that was updated. */
export function changedColumns({ before = [], after = [] }: RowChange): readonly number[] {
  return after.flatMap((value, place) => (jsonOf(value) === jsonOf(before[place]) ? [] : [place]))
}

/** JSON's null and none at all are the same. */
export function jsonOf(value: string | null | undefined): string {
  return value ?? 'null'
}
