import { qualified, quoteName } from './identifiers.ts'
import { isDated } from '../sql/probe.ts'
import type { TableShape } from './table-shape.ts'

/**
 * Terms: a merged *table* is the overlay's own; its *base* is the foreign table with production's rows; a row is
 * *touched* once the overlay has a say in it (copied up, changed, deleted, or inserted there), which hides the base row.
 */

/** Superuser of the overlay: owns what mesh adds; never given to a client. */
export const ADMIN_ROLE = 'mesh_admin'

/**
 * Role that functions with rights of their own run as: reads and writes all tables past their policies, but is no
 * superuser, since user code (expressions of indexes, check constraints) runs under it during a copy-up.
 */
export const COPY_ROLE = 'mesh_copy'

/** Name of the triggers on merged tables. `~` sorts after what users write, so it sees the row as it will be stored. */
export const TRIGGER_PREFIX = '~mesh_'

/**
 * Of triggers that run before all others: `RI_ConstraintTrigger` and what users write sort behind it. PostgreSQL has looked into its own
 * indexes before, and looks for parents after them.
 */
export const FIRST_TRIGGER_PREFIX = '!mesh_'

/** An SQL condition: `name`, an expression, is that of a trigger of ours. */
export function isOurTrigger(name: string): string {
  return `(starts_with(${name}, '${TRIGGER_PREFIX}') OR starts_with(${name}, '${FIRST_TRIGGER_PREFIX}'))`
}

/** The merged table, quoted. */
export function tableName(shape: Pick<TableShape, 'schema' | 'name'>): string {
  return qualified(shape.schema, shape.name)
}

/** Foreign table with production's rows: `mesh_base.b7`. */
export function baseName(id: number): string {
  return `mesh_base.b${id}`
}

/** Keys of touched rows: `mesh.touched_7 (k1, k2, ..., kind, base_row)`. */
export function touchedName(id: number): string {
  return `mesh.touched_${id}`
}

/** Column of the key table for the key's place, from 0: not the table's own name, which may be `kind` or change. */
export function touchedColumn(place: number): string {
  return `k${place + 1}`
}

/** All key columns of a key table. */
export function touchedColumns(shape: Pick<TableShape, 'key'>): string {
  return shape.key.map((_, place) => touchedColumn(place)).join(', ')
}

/** Key columns of the merged table or its base, under an alias. */
export function keyNames(shape: Pick<TableShape, 'key'>, alias: string): string[] {
  return shape.key.map(({ name }) => `${alias}.${quoteName(name)}`)
}

/**
 * A key as JSON: an array with the text of each column, `["5", "eu"]`. Reports and copy-up speak of keys so. A date is written as JSON
 * has it, whatever the client's DateStyle.
 */
export function keyAsJson(shape: Pick<TableShape, 'key'>, alias: string): string {
  const texts = shape.key.map(({ name, type }) => {
    const column = `${alias}.${quoteName(name)}`
    return isDated(type) ? `pg_catalog.to_jsonb(${column}) OPERATOR(pg_catalog.#>>) '{}'` : `${column}::pg_catalog.text`
  })
  return `pg_catalog.jsonb_build_array(${texts.join(', ')})`
}
