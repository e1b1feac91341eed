import { rowsOf } from '../overlay/rows.ts'
import { type BranchEntry, listBranches } from './branches.ts'
import type { BranchStore } from './branch-store.ts'
import { type BranchTable, COMPARE_SETTINGS, loadBranchTables } from './branch-table.ts'
import { countQuery, hasRowChanges } from './change-query.ts'
import type { RowCounts } from './diff.ts'

/** How far a table of a branch is from production's. */
export interface TableStatus {
  readonly table: BranchTable
  /** Rows that the overlay has a say in: copied up, inserted, or both and deleted again. */
  readonly touched: number
  readonly counts: RowCounts
}

/** A branch and the tables of it that are not production's alone. */
export interface BranchStatus {
  readonly branch: BranchEntry
  /** How many tables it has. */
  readonly tables: number
  readonly changed: readonly TableStatus[]
}

/** Counts, for each branch or for one, what differs by table. Nothing is asked of production. */
export async function readStatus(store: BranchStore, name: string | undefined): Promise<readonly BranchStatus[]> {
  const branches = await listBranches(store)
  const wanted = name === undefined ? branches : branches.filter((branch) => branch.name === name)
  const statuses: BranchStatus[] = []
  for (const branch of wanted) statuses.push(await readBranch(store, branch))
  return statuses
}

function readBranch(store: BranchStore, branch: BranchEntry): Promise<BranchStatus> {
  return store.use(branch.database, async (admin) => {
    await admin.query(`${COMPARE_SETTINGS} BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`)
    const tables = await loadBranchTables(admin)
    const changed: TableStatus[] = []
    for (const table of tables) {
      const [row] = hasRowChanges(table) ? rowsOf(await admin.query(countQuery(table))) : []
      const [touched = 0, inserted = 0, updated = 0, deleted = 0] = (row ?? []).map(Number)
      if (touched === 0 && table.state === 'merged') continue
      changed.push({ table, touched, counts: { inserted, updated, deleted } })
    }
    await admin.query('COMMIT')
    const there = tables.filter(({ state }) => state !== 'dropped')
    return { branch, tables: there.length, changed }
  })
}
