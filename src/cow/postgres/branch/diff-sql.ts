import { qualified, quoteName, quoteText } from '../overlay/identifiers.ts'
import { IMAGE_SETTINGS } from '../overlay/key-table.ts'
import { rowsOf, textOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'
import { type BranchTable, fullName } from './branch-table.ts'
import type { Change } from './change-query.ts'
import { prepareDiff, streamChanges } from './diff.ts'
import { changedColumns, type RowChange } from './row-change.ts'
import type { RowMask } from './row-mask.ts'

/** What the statements are of. */
export interface DiffSqlOptions {
  /** `name` or `schema.name`; none: all tables. */
  readonly tables: readonly string[]
  /** Undefined: values as they are, which alone makes statements that mean the same. */
  readonly mask: RowMask | undefined
}

/**
 * Statements that would give production the rows of a branch, one transaction, line by line. Inserts come first, parents before
 * children, then updates, then deletes, children before parents: foreign keys hold at each step, and none cascades over a row that an
 * update still moves. A unique value that passes from one row to another is not seen to: the transaction fails then, as a whole.
 */
export async function* diffSql(admin: ServerConnection, options: DiffSqlOptions): AsyncGenerator<string> {
  const tables = parentsFirst(await prepareDiff(admin, options.tables))
  yield '-- Rows only: migrations and positions of sequences are not among it.'
  if (options.mask !== undefined) yield '-- Secrets are masked: with --keep-secrets the statements hold their values.'
  yield 'BEGIN;'
  for (const setting of IMAGE_SETTINGS) yield `SET LOCAL ${setting};`
  const partitions = await ownPartitions(admin)
  for (const table of tables) yield* notes(table, partitions.get(fullName(table)) ?? [])
  for (const table of tables.toReversed()) if (table.state === 'truncated') yield `DELETE FROM ${nameOf(table)};`
  for (const table of tables) yield* statements(admin, table, 'inserted', options.mask)
  for (const table of tables) yield* statements(admin, table, 'updated', options.mask)
  for (const table of tables.toReversed()) yield* statements(admin, table, 'deleted', options.mask)
  yield 'COMMIT;'
  await admin.query('COMMIT')
}

/** Partitions that the branch has made, by their root. A branch of an earlier mesh has none. */
async function ownPartitions(admin: ServerConnection): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>()
  if (textOf(await admin.query(`SELECT to_regclass('mesh.partitions')`)) === null) return found
  const query = `SELECT n.nspname || '.' || c.relname, v.relname FROM mesh.partitions p JOIN pg_class c ON c.oid = p.root
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class v ON v.oid = p.relation WHERE p.made AND p.parent IS NOT NULL ORDER BY p.id`
  for (const [root, name] of rowsOf(await admin.query(query))) {
    found.set(root ?? '', [...(found.get(root ?? '') ?? []), name ?? ''])
  }
  return found
}

function* notes(table: BranchTable, partitions: readonly string[]): Generator<string> {
  const name = fullName(table)
  if (partitions.length > 0)
    yield `-- ${name}: partitions were made on the branch, and have to be made first: ${partitions.map(quoteName).join(', ')}.`
  if (table.state === 'made') yield `-- ${name} was made on the branch, and has to be made first.`
  if (table.state === 'dropped') yield `-- ${name} was dropped on the branch.`
  if (table.state === 'refreshed') yield `-- ${name}, a materialized view, was refreshed on the branch.`
  const migrated = table.columns.filter((column) => column.migrated).map((column) => column.name)
  if (table.state === 'made' || table.kind === 'matview' || migrated.length === 0) return
  yield `-- ${name}: the branch's migration has to be run first. It added, renamed or gave another type: ${migrated.map(quoteName).join(', ')}.`
}

async function* statements(
  admin: ServerConnection,
  table: BranchTable,
  change: Change,
  mask: RowMask | undefined,
): AsyncGenerator<string> {
  for await (const row of streamChanges(admin, table, [change])) {
    yield statementOf(table, mask === undefined ? row : mask.mask(table, row))
  }
}

/** A statement that does to a row of production what the branch did to it. */
function statementOf(table: BranchTable, row: RowChange): string {
  if (row.change === 'inserted') return insertOf(table, row)
  return row.change === 'updated' ? updateOf(table, row) : deleteOf(table, row)
}

function insertOf(table: BranchTable, row: RowChange): string {
  const own = table.columns.map((column, place) => ({ column, place })).filter(({ column }) => !column.generated)
  const names = own.map(({ column }) => quoteName(column.name)).join(', ')
  const values = own.map(({ place }) => literal(row.written?.[place])).join(', ')
  if (own.length === 0) return `INSERT INTO ${nameOf(table)} DEFAULT VALUES;`
  const overriding = own.some(({ column }) => column.identityAlways) ? ' OVERRIDING SYSTEM VALUE' : ''
  return `INSERT INTO ${nameOf(table)} (${names})${overriding} VALUES (${values});`
}

function updateOf(table: BranchTable, row: RowChange): string {
  const sets = changedColumns(row).flatMap((place) => {
    const column = table.columns[place]
    if (column === undefined || column.generated) return []
    return [`${quoteName(column.name)} = ${literal(row.written?.[place])}`]
  })
  if (sets.length === 0) return `-- ${fullName(table)}: only generated columns differ`
  return `UPDATE ${nameOf(table)} SET ${sets.join(', ')} WHERE ${keyCondition(table, row)};`
}

function deleteOf(table: BranchTable, row: RowChange): string {
  if (row.key.length > 0) return `DELETE FROM ${nameOf(table)} WHERE ${keyCondition(table, row)};`
  const image = table.columns.map(({ name }, place) => `${JSON.stringify(name)}: ${row.before?.[place] ?? 'null'}`)
  const same = `to_jsonb(t) = ${quoteText(`{${image.join(', ')}}`)}::jsonb`
  return `DELETE FROM ${nameOf(table)} WHERE ctid = (SELECT ctid FROM ${nameOf(table)} AS t WHERE ${same} LIMIT 1);`
}

function keyCondition({ key }: BranchTable, row: RowChange): string {
  return key.map(({ name }, place) => `${quoteName(name)} = ${quoteText(row.key[place] ?? '')}`).join(' AND ')
}

function literal(value: string | null | undefined): string {
  return value === null || value === undefined ? 'NULL' : quoteText(value)
}

function nameOf({ schema, name }: BranchTable): string {
  return qualified(schema, name)
}

/** Tables that refer to one another in a circle stay in the order of their names. */
function parentsFirst(tables: readonly BranchTable[]): readonly BranchTable[] {
  const byName = new Map(tables.map((table) => [fullName(table), table]))
  const sorted = new Set<BranchTable>()
  const entered = new Set<BranchTable>()
  const visit = (table: BranchTable): void => {
    if (entered.has(table)) return
    entered.add(table)
    for (const parent of table.parents) {
      const found = byName.get(parent)
      if (found !== undefined) visit(found)
    }
    sorted.add(table)
  }
  for (const table of tables) visit(table)
  return [...sorted]
}
