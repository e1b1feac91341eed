import { operator, qualified, quoteName, quoteText } from '../overlay/identifiers.ts'
import { touchedColumn, touchedName } from '../overlay/names.ts'
import type { BranchColumn, BranchTable } from './branch-table.ts'

/** What became of a row. */
export type Change = 'inserted' | 'updated' | 'deleted'

export const CHANGES: readonly Change[] = ['inserted', 'updated', 'deleted']

/** A table whose changes are given by row. Of a dropped table and a materialised view there are none to give. */
export function hasRowChanges({ kind, state }: BranchTable): boolean {
  return kind !== 'matview' && state !== 'dropped'
}

/**
 * A query for the rows of a branch that are not production's: change, key, image before, image after, values. Each but the first is
 * a JSON list of texts: the key's values; of each column the JSON that the row's image has for it, before and after; its values as
 * PostgreSQL writes them. Nothing is read from production: what a row was is its image at copy-up.
 */
export function changeQuery(table: BranchTable, changes: readonly Change[] = CHANGES): string {
  const wanted = changes.map(quoteText).join(', ')
  const { from, order } = source(table)
  return `SELECT change, key, before, after, written FROM (${from}) AS mesh_c WHERE change IN (${wanted})${order}`
}

/** A query for one row: how many rows are touched, inserted, updated, deleted. */
export function countQuery(table: BranchTable): string {
  const counts = CHANGES.map((change) => `count(*) FILTER (WHERE change = ${quoteText(change)})`)
  const touched = table.hasKeyTable
    ? `(SELECT count(*) FROM ${touchedName(table.id ?? 0)})`
    : `(SELECT count(*) FROM ONLY ${qualified(table.schema, table.name)})`
  return `SELECT ${touched}, ${counts.join(', ')} FROM (${source(table).from}) AS mesh_c`
}

interface Source {
  readonly from: string
  readonly order: string
}

function source(table: BranchTable): Source {
  if (table.state === 'copied' && table.key.length === 0) return copiedSource(table)
  const byKey = table.hasKeyTable && table.key.length > 0 && (table.state === 'merged' || table.state === 'copied')
  return byKey ? keyedSource(table) : ownSource(table)
}

function keyedSource(table: BranchTable): Source {
  const same = table.key
    .map(
      ({ name, operatorSchema, operatorName }, place) =>
        `t.${touchedColumn(place)} ${operator(operatorSchema, operatorName)} l.${quoteName(name)}`,
    )
    .join(' AND ')
  const differs = table.columns
    .map(
      (column) => `${noNull(imageOf(column, 't'))} IS DISTINCT FROM ${noNull(`to_jsonb(l.${quoteName(column.name)})`)}`,
    )
    .join(' OR ')
  const keys = table.key.map((_, place) => `t.${touchedColumn(place)}`)
  const from = `SELECT CASE WHEN l.tableoid IS NULL THEN CASE WHEN t.kind = 'c' THEN 'deleted' END
      WHEN t.kind = 'i' THEN 'inserted' WHEN ${differs === '' ? 'false' : differs} THEN 'updated' END AS change,
    ${texts(keys)} AS key, CASE WHEN t.kind = 'c' THEN ${texts(table.columns.map((column) => imageOf(column, 't')))} END AS before,
    CASE WHEN l.tableoid IS NOT NULL THEN ${imagesAfter(table)} END AS after,
    CASE WHEN l.tableoid IS NOT NULL THEN ${written(table)} END AS written, ${keys.map((key, place) => `${key} AS o${place}`).join(', ')}
    FROM ${touchedName(table.id ?? 0)} AS t LEFT JOIN ONLY ${qualified(table.schema, table.name)} AS l ON ${same}`
  return { from, order: ` ORDER BY ${keys.map((_, place) => `o${place}`).join(', ')}` }
}

/** Everything in the table is the branch's own. */
function ownSource(table: BranchTable): Source {
  const keys = table.key.map(({ name }) => `l.${quoteName(name)}`)
  const from = `SELECT 'inserted' AS change, ${texts(keys)} AS key, NULL::json AS before, ${imagesAfter(table)} AS after,
    ${written(table)} AS written FROM ONLY ${qualified(table.schema, table.name)} AS l`
  return { from, order: '' }
}

/** Without a key rows are told apart as a whole; equal ones are counted. */
function copiedSource(table: BranchTable): Source {
  const images = `SELECT base_row, row_number() OVER (PARTITION BY base_row) AS mesh_n FROM mesh.copied_rows WHERE table_id = ${table.id ?? 0}`
  const rows = `SELECT m.*, to_jsonb(m) AS mesh_row, row_number() OVER (PARTITION BY to_jsonb(m)) AS mesh_n FROM ONLY ${qualified(table.schema, table.name)} AS m`
  const from = `SELECT 'inserted' AS change, ${texts([])} AS key, NULL::json AS before, ${imagesAfter(table)} AS after, ${written(table)} AS written
    FROM (${rows}) AS l WHERE NOT EXISTS (SELECT 1 FROM (${images}) AS t WHERE t.base_row = l.mesh_row AND t.mesh_n = l.mesh_n)
    UNION ALL SELECT 'deleted', ${texts([])}, ${texts(table.columns.map((column) => imageOf(column, 't')))}, NULL, NULL
    FROM (${images}) AS t WHERE NOT EXISTS (SELECT 1 FROM (${rows}) AS l WHERE l.mesh_row = t.base_row AND l.mesh_n = t.mesh_n)`
  return { from, order: '' }
}

/** A row that is older than a column, which a migration added, has the value that all such rows have. */
function imageOf({ name, imageName, missing }: BranchColumn, alias: string): string {
  const found = [name, imageName]
    .filter((each) => each !== null)
    .map((each) => `${alias}.base_row OPERATOR(pg_catalog.->) ${quoteText(each)}`)
  if (missing !== null) found.push(`${quoteText(missing)}::pg_catalog.jsonb`)
  return `coalesce(${found.join(', ')})`
}

/** JSON's null and none at all are the same here: production has no such column, or no value in it. */
function noNull(json: string): string {
  return `nullif(${json}, 'null'::pg_catalog.jsonb)`
}

function imagesAfter({ columns }: BranchTable): string {
  return texts(columns.map(({ name }) => `to_jsonb(l.${quoteName(name)})`))
}

function written({ columns }: BranchTable): string {
  return texts(columns.map(({ name }) => `l.${quoteName(name)}`))
}

function texts(values: readonly string[]): string {
  return `to_json(ARRAY[${values.map((value) => `${value}::pg_catalog.text`).join(', ')}]::pg_catalog.text[])`
}
