import { type BranchStore, openBranchStore } from '../../src/cow/postgres/branch/branch-store.ts'
import { COMPARE_SETTINGS } from '../../src/cow/postgres/branch/branch-table.ts'
import { type DiffOptions, diffBranch, type DiffStep } from '../../src/cow/postgres/branch/diff.ts'
import { diffSql } from '../../src/cow/postgres/branch/diff-sql.ts'
import type { RowMask } from '../../src/cow/postgres/branch/row-mask.ts'
import type { OverlayPair } from './overlay-pair.ts'

/** The branches of an overlay pair, its database `shop` being the first one. */
export async function openTestStore(pair: OverlayPair): Promise<BranchStore> {
  const server = pair.overlay.options('mesh_admin', 'postgres')
  const store = await openBranchStore({ kind: 'external', server }, 'shop', new AbortController().signal)
  await store.use('shop', (admin) => admin.query(`INSERT INTO mesh.settings VALUES ('complete', 'yes')`))
  return store
}

/** All steps of a diff of a database. */
export function stepsOf(
  store: BranchStore,
  options: Partial<DiffOptions> = {},
  database = 'shop',
): Promise<readonly DiffStep[]> {
  return store.use(database, async (admin) => {
    const steps: DiffStep[] = []
    for await (const step of diffBranch(admin, { tables: [], checkProduction: false, ...options })) steps.push(step)
    return steps
  })
}

/** What changed, as short texts: `~ users id=1 name: "a" -> "b"` without the columns that stayed. */
export async function changesOf(store: BranchStore, ...tables: readonly string[]): Promise<readonly string[]> {
  const steps = await stepsOf(store, { tables })
  return steps.flatMap((step) => {
    if (step.kind !== 'row') return []
    const { table, row } = step
    const values = table.columns.map(({ name }, place) => {
      const [before, after] = [row.before?.[place] ?? 'null', row.after?.[place] ?? 'null']
      if (row.change === 'updated') return before === after ? '' : `${name}:${before}>${after}`
      return `${name}=${row.change === 'inserted' ? after : before}`
    })
    return [`${row.change} ${table.name}(${row.key.join(',')}) ${values.filter((value) => value !== '').join(' ')}`]
  })
}

/** The statements that would make production as a branch is. */
export function statementsOf(store: BranchStore, mask?: RowMask): Promise<string> {
  return store.use('shop', async (admin) => {
    await admin.query(COMPARE_SETTINGS)
    const lines: string[] = []
    for await (const line of diffSql(admin, { tables: [], mask })) lines.push(line)
    return lines.join('\n')
  })
}
