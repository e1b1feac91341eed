import { rowsOf, textOf } from '../overlay/rows.ts'
import type { SqlRunner } from '../overlay/sql-runner.ts'
import type { ProductionGate } from './production-gate.ts'

/** What a start says of at most: a schema that was made anew differs in everything. */
const MAX_LINES = 20

/** Columns of production's tables, as they were when the branch was made; of tables that still show production's rows. */
const KNOWN = `SELECT t.upstream_schema, t.upstream_name, u.name, u.type FROM %known% AS u JOIN mesh.tables AS t ON t.id = u.id
  JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = t.foreign_relation`

const FOUND = `SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`

/**
 * In what production's tables differ from what they were when a branch was made, a line each. A branch keeps the schema that it was made
 * with: a table or column that is gone fails where it is read, one that is new is not seen.
 */
export async function findDrift(admin: SqlRunner, gate: Pick<ProductionGate, 'query'>): Promise<readonly string[]> {
  const known = await knownColumns(admin)
  const found = columnsByTable((await gate.query(FOUND)).rows)
  const lines: string[] = []
  for (const [table, columns] of known) {
    const theirs = found.get(table)
    if (theirs === undefined) lines.push(`table ${table} is gone`)
    else lines.push(...columnDrift(table, columns, theirs))
  }
  const more = lines.length - MAX_LINES
  return more > 0 ? [...lines.slice(0, MAX_LINES), `and ${more} more`] : lines
}

type Columns = Map<string, string>

async function knownColumns(admin: SqlRunner): Promise<ReadonlyMap<string, Columns>> {
  // Types are printed alike on both sides.
  await admin.query('SET search_path = pg_catalog')
  const kept = textOf(
    await admin.query(
      `SELECT coalesce(to_regclass('mesh.upstream_columns'), to_regclass('mesh.base_columns'))::pg_catalog.text`,
    ),
  )
  if (kept === null) return new Map()
  // Before its first client a branch has had no migration: its bases' columns are production's.
  const source =
    kept === 'mesh.upstream_columns'
      ? kept
      : '(SELECT id, asked AS name, type FROM mesh.base_columns WHERE asked IS NOT NULL)'
  return columnsByTable(rowsOf(await admin.query(KNOWN.replace('%known%', source))))
}

function columnsByTable(rows: readonly (readonly (string | null)[])[]): Map<string, Columns> {
  const tables = new Map<string, Columns>()
  for (const [schema, name, column, type] of rows) {
    const table = `${schema ?? ''}.${name ?? ''}`
    const columns: Columns = tables.get(table) ?? new Map<string, string>()
    columns.set(column ?? '', type ?? '')
    tables.set(table, columns)
  }
  return tables
}

function columnDrift(table: string, known: Columns, found: Columns): readonly string[] {
  const lines: string[] = []
  for (const [column, type] of known) {
    const now = found.get(column)
    if (now === undefined) lines.push(`column ${table}.${column} is gone`)
    else if (now !== type) lines.push(`column ${table}.${column} was ${type}, and is ${now}`)
  }
  for (const column of found.keys()) if (!known.has(column)) lines.push(`column ${table}.${column} is new`)
  return lines
}
