import { MeshError } from '../../../core/errors.ts'
import { postgresErrorOf } from '../../../wire/postgres/error-fields.ts'
import { qualified, quoteName, quoteText } from '../overlay/identifiers.ts'
import { inheritedOnly } from '../overlay/follow-schema.ts'
import { hideAgainSql } from '../overlay/hiding-policy.ts'
import { baseName, touchedName } from '../overlay/names.ts'
import { rowsOf, textOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'
import { maintenanceDatabase } from './branch-database.ts'
import { type BranchTable, chooseTables, fullName, loadBranchTables } from './branch-table.ts'
import { findBranch } from './branches.ts'
import type { BranchStore } from './branch-store.ts'
import { announceReset } from './reset-notice.ts'

/** What a reset is to do. */
export interface ResetOptions {
  /** '' for the first one. */
  readonly branch: string
  /** `name` or `schema.name`; none: all tables. */
  readonly tables: readonly string[]
  /** Although clients are connected. */
  readonly force: boolean
}

/** What became of one table. Those that were production's already are not told of. */
export interface TableReset {
  readonly table: BranchTable
  /** Rows of the branch that are gone. */
  readonly rows: number
  /** It was cut loose from production, and shows production's rows again. */
  readonly attached: boolean
  /** Why it stays as it was; then nothing of it is gone. */
  readonly kept: string | undefined
  /** Tables with rows of their own that refer to it and were not reset with it: what they refer to may be gone. */
  readonly referring: readonly string[]
}

/** How long a reset waits for a client's lock. */
const LOCK_TIMEOUT_MS = 5_000

/**
 * Gives tables of a branch production's rows again: rows and key rows of the branch go. All of it in one transaction; only a table that
 * no longer fits production's stays as it was. Schema and sequences stay as they are.
 *
 * @throws MeshError MESH_ERR_CONFIRMATION while clients are connected, unless forced; MESH_ERR_USAGE for names of nothing.
 */
export async function resetBranch(store: BranchStore, options: ResetOptions): Promise<readonly TableReset[]> {
  const branch = await findBranch(store, options.branch)
  if (branch.clients > 0 && !options.force) {
    throw new MeshError('MESH_ERR_CONFIRMATION', {
      what: `${branch.clients} ${branch.clients === 1 ? 'client is' : 'clients are'} connected to the branch, under whom rows would change`,
      where: branch.database,
      remedy: 'let them disconnect, or say --force',
    })
  }
  const done = await store.use(branch.database, (admin) => resetTables(admin, options.tables))
  if (done.length > 0)
    await store.use(maintenanceDatabase(store.upstreamDatabase), (admin) => announceReset(admin, branch.database))
  return done
}

async function resetTables(admin: ServerConnection, names: readonly string[]): Promise<readonly TableReset[]> {
  await admin.query(`SET search_path = pg_catalog; SET lock_timeout = ${LOCK_TIMEOUT_MS}; SET session_replication_role = replica;
    SET client_min_messages = error; BEGIN`)
  const all = await loadBranchTables(admin)
  const chosen = chooseTables(all, names).filter((table) => table.state !== 'made' && table.state !== 'dropped')
  const done: TableReset[] = []
  for (const table of chosen) {
    const outcome = await resetTable(admin, table)
    if (outcome !== undefined) done.push({ ...outcome, table, referring: [] })
  }
  const reset = new Set(chosen.map(fullName))
  const withReferring: TableReset[] = []
  for (const each of done) {
    const children = all.filter((one) => one.parents.includes(fullName(each.table)) && !reset.has(fullName(one)))
    withReferring.push({ ...each, referring: await withRows(admin, children) })
  }
  await admin.query('COMMIT')
  return withReferring
}

type Outcome = Pick<TableReset, 'rows' | 'attached' | 'kept'>

async function resetTable(admin: ServerConnection, table: BranchTable): Promise<Outcome | undefined> {
  if (table.kind === 'matview') return table.state === 'refreshed' ? resetView(admin, table) : undefined
  const id = table.id ?? 0
  const name = qualified(table.schema, table.name)
  const touched = table.hasKeyTable ? touchedName(id) : `ONLY ${name}`
  if (table.state === 'merged') {
    const dirty = textOf(
      await admin.query(`SELECT EXISTS (SELECT 1 FROM ${touched}) OR EXISTS (SELECT 1 FROM ONLY ${name})`),
    )
    if (dirty !== 't') return undefined
  }
  await admin.query('SAVEPOINT mesh_table')
  try {
    await admin.query(`LOCK TABLE ONLY ${name} IN ACCESS EXCLUSIVE MODE`)
    const rows = Number(
      textOf(await admin.query(`WITH gone AS (DELETE FROM ONLY ${name} RETURNING 1) SELECT count(*) FROM gone`)),
    )
    if (table.hasKeyTable) await admin.query(`DELETE FROM ${touchedName(id)}`)
    await admin.query(`DELETE FROM mesh.copied_rows WHERE table_id = ${id}`)
    const attached = table.state !== 'merged'
    if (attached) {
      await admin.query(`ALTER FOREIGN TABLE ${baseName(id)} INHERIT ${name}`)
      await admin.query(inheritedOnly(`= ${quoteText(baseName(id))}::pg_catalog.regclass`))
      await admin.query(hideAgainSql(name))
      await admin.query(`UPDATE mesh.tables SET cut = NULL WHERE id = ${id}`)
    }
    await admin.query('RELEASE mesh_table')
    return { rows, attached, kept: undefined }
  } catch (thrown) {
    const kept = misfit(thrown)
    if (kept === undefined) throw thrown
    await admin.query('ROLLBACK TO mesh_table')
    return { rows: 0, attached: false, kept }
  }
}

/** Errors of ALTER TABLE INHERIT: a column or constraint that the other lacks, or that is another. Locks and the like are not among them. */
const MISFITS = new Set(['42804', '42P21', '42703', '42809', '42P16', '0A000', '55000'])

function misfit(thrown: unknown): string | undefined {
  const fields = postgresErrorOf(thrown)
  return fields !== undefined && MISFITS.has(fields.code) ? fields.message : undefined
}

/** The view as it was before the branch's own REFRESH. */
async function resetView(admin: ServerConnection, table: BranchTable): Promise<Outcome> {
  const columns = table.columns.map(({ name }) => quoteName(name)).join(', ')
  await admin.query(
    `CREATE OR REPLACE VIEW ${qualified(table.schema, table.name)} AS SELECT ${columns} FROM ${baseName(table.id ?? 0)}`,
  )
  return { rows: 0, attached: true, kept: undefined }
}

async function withRows(admin: ServerConnection, tables: readonly BranchTable[]): Promise<string[]> {
  if (tables.length === 0) return []
  const questions = tables.map(
    (table) =>
      `SELECT ${quoteText(fullName(table))} WHERE EXISTS (SELECT 1 FROM ONLY ${qualified(table.schema, table.name)})`,
  )
  return rowsOf(await admin.query(questions.join(' UNION ALL '))).map(([name]) => name ?? '')
}
