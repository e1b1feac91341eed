import type { ServerConnection } from '../server-connection.ts'
import { type BranchTable, chooseTables, COMPARE_SETTINGS, loadBranchTables } from './branch-table.ts'
import { type Change, CHANGES, changeQuery, hasRowChanges } from './change-query.ts'
import type { RowChange } from './row-change.ts'
import { type MovedRow, streamMovedRows } from './moved-row.ts'
import { streamRows, type TextRow } from './row-stream.ts'

/** How many rows of a table changed how. */
export type RowCounts = Readonly<Record<Change, number>>

/** One step of a diff. A table whose rows are all production's has no step. */
export type DiffStep =
  | { readonly kind: 'table'; readonly table: BranchTable }
  | { readonly kind: 'row'; readonly table: BranchTable; readonly row: RowChange }
  | { readonly kind: 'moved'; readonly table: BranchTable; readonly row: MovedRow }
  | { readonly kind: 'end'; readonly table: BranchTable; readonly counts: RowCounts; readonly moved: number }

/** What a diff is of. */
export interface DiffOptions {
  /** `name` or `schema.name`; none: all tables. */
  readonly tables: readonly string[]
  /** Looks up the touched rows in production, through the gate: it has to be open. */
  readonly checkProduction: boolean
}

/**
 * What a branch changed, table by table, row by row, as of one moment. Of production nothing is asked unless `checkProduction`.
 * The connection is the diff's own until it is over.
 */
export async function* diffBranch(admin: ServerConnection, options: DiffOptions): AsyncGenerator<DiffStep> {
  const tables = await prepareDiff(admin, options.tables)
  for (const table of tables) yield* diffTable(admin, table, options.checkProduction)
  await admin.query('COMMIT')
}

/** The rows of one table with one of these changes, in the transaction of `prepareDiff`. */
export async function* streamChanges(
  admin: ServerConnection,
  table: BranchTable,
  changes: readonly Change[] = CHANGES,
): AsyncGenerator<RowChange> {
  if (!hasRowChanges(table)) return
  for await (const row of streamRows(admin, changeQuery(table, changes))) yield readChange(row)
}

/** The tables of a branch as of one moment, which the connection's transaction then keeps. */
export async function prepareDiff(admin: ServerConnection, names: readonly string[]): Promise<readonly BranchTable[]> {
  await admin.query(`${COMPARE_SETTINGS} BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`)
  return chooseTables(await loadBranchTables(admin), names)
}

async function* diffTable(
  admin: ServerConnection,
  table: BranchTable,
  checkProduction: boolean,
): AsyncGenerator<DiffStep> {
  const counts: Record<Change, number> = { inserted: 0, updated: 0, deleted: 0 }
  let begun = table.state !== 'merged'
  if (begun) yield { kind: 'table', table }
  for await (const row of streamChanges(admin, table)) {
    if (!begun) yield { kind: 'table', table }
    begun = true
    counts[row.change] += 1
    yield { kind: 'row', table, row }
  }
  let moved = 0
  if (checkProduction) {
    for await (const row of streamMovedRows(admin, table)) {
      if (!begun) yield { kind: 'table', table }
      begun = true
      moved += 1
      yield { kind: 'moved', table, row }
    }
  }
  if (begun) yield { kind: 'end', table, counts, moved }
}

function readChange([change, key, before, after, written]: TextRow): RowChange {
  return {
    change: change === 'inserted' || change === 'deleted' ? change : 'updated',
    key: (readTexts(key) ?? []).map((value) => value ?? ''),
    before: readTexts(before),
    after: readTexts(after),
    written: readTexts(written),
  }
}

/** The query is ours: a JSON list of texts. */
function readTexts(text: string | null | undefined): readonly (string | null)[] | undefined {
  if (text === null || text === undefined) return undefined
  const parsed: unknown = JSON.parse(text)
  if (!Array.isArray(parsed)) return undefined
  return parsed.map((value: unknown) => (typeof value === 'string' ? value : null))
}
