import { quoteName } from './identifiers.ts'
import type { TableShape } from './table-shape.ts'

/**
 * The row of a trigger as a subquery with the table's column names, for expressions over them. Before the row is
 * stored its generated columns are not there yet, so they are computed by their own expressions.
 */
export function rowSource(shape: Pick<TableShape, 'columns'>, row: 'NEW' | 'OLD'): string {
  const generated = shape.columns.filter(({ expression }) => expression !== null)
  if (row === 'OLD' || generated.length === 0) return `(SELECT ${row}.*) AS mesh_row`
  const stored = shape.columns.map(({ name, expression }) =>
    expression === null ? `mesh_plain.${quoteName(name)}` : `(${expression}) AS ${quoteName(name)}`,
  )
  return `(SELECT ${stored.join(', ')} FROM (SELECT NEW.*) AS mesh_plain) AS mesh_row`
}
