import { collated, operator, quoteName } from './identifiers.ts'
import { touchedColumn, touchedColumns, touchedName } from './names.ts'
import type { TableShape } from './table-shape.ts'

/**
 * The key table of a merged table: one row for each touched row. `kind` is `c` for a copy of a base row, whose image
 * at that moment is `base_row`, and `i` for a row that began in the overlay. A deleted row is a touched one without
 * a row in the table: rows of a key table are never updated, so they are never waited for once committed.
 */
export function keyTableSql(shape: TableShape): string {
  const name = touchedName(shape.id)
  const columns = shape.key.map((column, place) => `${touchedColumn(place)} ${collated(column)} NOT NULL`)
  const all = [...columns, `kind "char" NOT NULL`, 'base_row jsonb', `PRIMARY KEY (${touchedColumns(shape)})`]
  return [
    `CREATE TABLE ${name} (${all.join(', ')});`,
    `GRANT SELECT (${touchedColumns(shape)}) ON ${name} TO PUBLIC;`,
  ].join('\n')
}

/** While images of rows are made or compared: the same row gives the same JSON, whatever a client has set. */
export const IMAGE_SETTINGS: readonly string[] = [
  `TimeZone = 'UTC'`,
  `DateStyle = 'ISO'`,
  `IntervalStyle = 'postgres'`,
  `bytea_output = 'hex'`,
  'extra_float_digits = 1',
]

/** True where the row under `alias` has the key in `touched`, compared by the key's own operators. */
export function sameKey(shape: Pick<TableShape, 'key'>, touched: string, alias: string): string {
  return shape.key
    .map((column, place) => {
      const equals = operator(column.operatorSchema, column.operatorName)
      return `${touched}.${touchedColumn(place)} ${equals} ${alias}.${quoteName(column.name)}`
    })
    .join(' AND ')
}

/** True where the row under `alias` is not touched. */
export function untouched(shape: TableShape, alias: string): string {
  return `NOT EXISTS (SELECT 1 FROM ${touchedName(shape.id)} AS mesh_t WHERE ${sameKey(shape, 'mesh_t', alias)})`
}
