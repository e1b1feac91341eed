import { operator, quoteName, quoteText } from '../overlay/identifiers.ts'
import { baseName, touchedColumn, touchedName } from '../overlay/names.ts'
import { rowsOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'
import type { BranchTable } from './branch-table.ts'

/** A touched row that production has changed since: what the branch shows rests on a row that is not there any more. */
export interface MovedRow {
  readonly key: readonly string[]
  /** `taken`: the branch inserted a row under this key, and so did production. */
  readonly how: 'changed' | 'deleted' | 'taken'
  /** Names of the columns that changed, as the image has them. */
  readonly columns: readonly string[]
}

/** Keys that are looked up at a time: one round trip to production each. */
const KEYS_PER_LOOKUP = 250

/** The touched rows of a table that production has changed since they were copied up, each read anew by its key. */
export async function* streamMovedRows(admin: ServerConnection, table: BranchTable): AsyncGenerator<MovedRow> {
  if (table.state !== 'merged' || table.key.length === 0 || !table.hasKeyTable) return
  const touched = touchedName(table.id ?? 0)
  const keys = table.key.map((_, place) => touchedColumn(place))
  let after = ''
  for (;;) {
    const batch = rowsOf(
      await admin.query(
        `SELECT ${keys.map((key) => `${key}::text`).join(', ')} FROM ${touched} AS t${after} ORDER BY ${keys.map((key) => `t.${key}`).join(', ')} LIMIT ${KEYS_PER_LOOKUP}`,
      ),
    ).map((row) => row.map((value) => value ?? ''))
    const last = batch.at(-1)
    if (last === undefined) return
    for (const row of rowsOf(await admin.query(lookup(table, batch)))) yield readMoved(row)
    after = ` WHERE (${keys.map((key) => `t.${key}`).join(', ')}) > (${last.map((value, place) => constant(table, value, place)).join(', ')})`
  }
}

function lookup(table: BranchTable, batch: readonly (readonly string[])[]): string {
  const equal = (place: number, left: string, right: string): string => {
    const column = table.key[place]
    return `${left} ${operator(column?.operatorSchema ?? '', column?.operatorName ?? '=')} ${right}`
  }
  const chosen = (alias: string, name: (place: number) => string): string => {
    const [only] = table.key
    if (table.key.length === 1 && only !== undefined) {
      const list = batch.map(([value]) => quoteText(value ?? '')).join(', ')
      return equal(0, `${alias}.${name(0)}`, `ANY (ARRAY[${list}]::${only.type}[])`)
    }
    const one = (key: readonly string[]): string =>
      `(${key.map((value, place) => equal(place, `${alias}.${name(place)}`, constant(table, value, place))).join(' AND ')})`
    return `(${batch.map(one).join(' OR ')})`
  }
  const named = (place: number): string => quoteName(table.key[place]?.name ?? '')
  const same = table.key.map((_, place) => equal(place, `t.${touchedColumn(place)}`, `b.${named(place)}`)).join(' AND ')
  const order = table.key.map((_, place) => `t.${touchedColumn(place)}`)
  const keyTexts = table.key.map((_, place) => `t.${touchedColumn(place)}::text`).join(', ')
  const changed = `SELECT coalesce(json_agg(e.name ORDER BY e.name), '[]') FROM jsonb_each(t.base_row) AS e(name, value)
      WHERE b.mesh_image ? e.name AND b.mesh_image -> e.name IS DISTINCT FROM e.value`
  return `SELECT how, key, columns FROM (SELECT CASE WHEN t.kind = 'i' THEN CASE WHEN b.mesh_image IS NOT NULL THEN 'taken' END
      WHEN b.mesh_image IS NULL THEN 'deleted' ELSE 'changed' END AS how, to_json(ARRAY[${keyTexts}]) AS key, (${changed}) AS columns, ${order.map((key, place) => `${key} AS o${place}`).join(', ')}
    FROM ${touchedName(table.id ?? 0)} AS t LEFT JOIN (
      SELECT b.*, to_jsonb(b) AS mesh_image FROM ${baseName(table.id ?? 0)} AS b WHERE ${chosen('b', named)} OFFSET 0) AS b ON ${same}
    WHERE ${chosen('t', touchedColumn)}) AS m WHERE how IN ('taken', 'deleted') OR how = 'changed' AND columns::text <> '[]'
    ORDER BY ${order.map((_, place) => `o${place}`).join(', ')}`
}

function constant(table: BranchTable, value: string, place: number): string {
  return `${quoteText(value)}::${table.key[place]?.type ?? 'text'}`
}

function readMoved([how, key, columns]: readonly (string | null)[]): MovedRow {
  return {
    how: how === 'taken' || how === 'deleted' ? how : 'changed',
    key: texts(key),
    columns: texts(columns),
  }
}

function texts(json: string | null | undefined): readonly string[] {
  const parsed: unknown = JSON.parse(json ?? '[]')
  return Array.isArray(parsed) ? parsed.map(String) : []
}
