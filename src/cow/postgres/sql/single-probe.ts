/** Probes whose condition names one row: they ask production only where the overlay does not have that row yet. */
import type { MergedTable, TypedColumn } from '../catalog.ts'
import { touchedColumn, touchedName } from '../overlay/names.ts'
import type { WriteLevel } from './level.ts'
import { type TextRange, usesIn } from './mention.ts'
import type { SingleProbe } from './rewriting.ts'
import type { Statement } from './statement.ts'

/** Types of key columns whose values `=` of pg_catalog tells apart, with those of parameters that have no value but of that type. */
const EXACT: Readonly<Record<string, readonly number[]>> = {
  smallint: [21],
  integer: [21, 23],
  bigint: [21, 23, 20],
  uuid: [2950],
  text: [25, 1043],
}
/** How many digits are surely of the type. A number of up to nine is an int4 for the parser. */
const DIGITS: Readonly<Record<string, number>> = { smallint: 4, integer: 9, bigint: 9 }

/** A constant or a parameter that a key column has to equal. */
interface KeyPin {
  readonly text: string
  readonly parameter: number | undefined
}

/**
 * What a probe becomes whose conjuncts give each key column a value: one query that also copies the row up. A row that is touched is no
 * base row any more, so that nothing is asked of production then. With no other conjunct nothing has to be asked at all but for the row;
 * with others their condition stands behind one of constants alone, which PostgreSQL looks at first.
 * Undefined where some column has no value, or one that another `=` may compare.
 */
export function singleProbe(
  statement: Statement,
  level: WriteLevel,
  table: MergedTable,
  conjuncts: readonly TextRange[],
  conditions: number,
  text: string,
): SingleProbe | undefined {
  const name = level.target.alias ?? level.target.name
  const pins: KeyPin[] = []
  for (const column of table.keyColumns) {
    const found = conjuncts.map((range) => pinIn(statement, range, name, column)).find((pin) => pin !== undefined)
    if (found === undefined) return undefined
    pins.push(found)
  }
  const places = pins.map((_, place) => touchedColumn(place))
  const same = pins.map(({ text }, place) => `mesh_k.${touchedColumn(place)} OPERATOR(pg_catalog.=) ${text}`)
  const touched = `EXISTS (SELECT 1 FROM ${touchedName(table.id)} AS mesh_k WHERE ${same.join(' AND ')})`
  const isWhole = conjuncts.length === pins.length && conditions === pins.length
  return {
    text: isWhole ? bringText(table, pins, touched) : probeText(places, table, text, touched),
    parameters: pins.flatMap(({ parameter }, place) =>
      parameter === undefined ? [] : [{ number: parameter, types: EXACT[table.keyColumns[place]?.type ?? ''] ?? [] }],
    ),
  }
}

/** The row of these values, whatever else it has. */
function bringText(table: MergedTable, pins: readonly KeyPin[], touched: string): string {
  const values = pins.map(({ text }, place) => `(${text})::${table.keyColumns[place]?.type ?? ''}::pg_catalog.text`)
  return `SELECT CASE WHEN ${touched} THEN 0 ELSE mesh.bring(${table.id}, pg_catalog.jsonb_build_array(${values.join(', ')})) END`
}

/** The row, if it is one that the statement wants. */
function probeText(places: readonly string[], { id }: MergedTable, text: string, touched: string): string {
  const key = `pg_catalog.jsonb_build_array(${places.map((place) => `mesh_p.${place}::pg_catalog.text`).join(', ')})`
  return `SELECT pg_catalog.count(*), mesh.fault_in(${id}, pg_catalog.jsonb_agg(${key})) FROM (${text} AND NOT ${touched}) AS mesh_p(${places.join(', ')})`
}

/** `column = value`, and nothing else. */
function pinIn(
  { tokens, columns }: Statement,
  range: TextRange,
  target: string,
  { name, type }: TypedColumn,
): KeyPin | undefined {
  const [use] = usesIn(columns, range)
  const length = use?.names.length ?? 0
  if (use?.position !== range.start || use.names.at(-1) !== name || length > 2) return undefined
  if (length === 2 && use.names[0] !== target) return undefined
  const equals = tokens.indexAt(range.start) + length * 2 - 1
  const value = equals + 1
  if (!tokens.isSign(equals, '=') || tokens.end(value) !== range.end) return undefined
  const text = tokens.at(value)
  const kind = tokens.kind(value)
  if (EXACT[type] === undefined) return undefined
  if (kind === 'parameter') return { text, parameter: Number(text.slice(1)) }
  const isNumber = kind === 'number' && /^[0-9]+$/.test(text) && text.length <= (DIGITS[type] ?? 0)
  const isString = kind === 'string' && (type === 'uuid' || type === 'text') && text.startsWith("'")
  return isNumber || isString ? { text, parameter: undefined } : undefined
}
