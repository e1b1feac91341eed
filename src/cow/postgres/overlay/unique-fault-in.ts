import { operator, quoteText, quoteName } from './identifiers.ts'
import { keysQuery } from './copy-up.ts'
import { baseName } from './names.ts'
import { rowSource } from './new-row.ts'
import type { IndexPlace, TableShape, UniqueShape } from './table-shape.ts'

/** One place of what is looked for on production: its value in an inserted row, and what it is compared with there. */
export interface ClashPlace {
  /** SQL over the inserted row. */
  readonly value: string
  readonly type: string
  /** SQL over the base. */
  readonly column: string
  readonly operator: string
}

/** Whether the rows of a statement can be looked for together, behind it. */
export function isInBatches(unique: UniqueShape): boolean {
  return unique.immediate && !unique.exclusion && !unique.nullsNotDistinct
}

export function clashPlaces(unique: UniqueShape): ClashPlace[] {
  return unique.places.map(({ column, expression, type, operatorSchema, operatorName }) => {
    const value = column === null ? expression : quoteName(column)
    return { value, type, column: value, operator: operator(operatorSchema, operatorName) }
  })
}

/** PL/pgSQL that says what the index says of a clash. */
export function clashRaise(shape: TableShape, unique: UniqueShape): string {
  return `RAISE unique_violation USING
        MESSAGE = ${quoteText(`duplicate key value violates unique constraint ${quoteName(unique.name)}`)},
        SCHEMA = ${quoteText(shape.schema)}, TABLE = ${quoteText(shape.name)}, CONSTRAINT = ${quoteText(unique.name)};`
}

/**
 * Statements of a BEFORE INSERT OR UPDATE trigger that fetch the base rows with which the new row would clash, index by index:
 * then the overlay's own index refuses it, in PostgreSQL's own words. `mesh_now`: rows are not looked for behind the statement.
 */
export function uniqueFaultIn(shape: TableShape): string {
  return shape.uniques.map((unique, number) => oneIndex(shape, unique, number)).join('')
}

/** Variables of the statements above. */
export function uniqueVariables(shape: TableShape): string {
  return shape.uniques
    .flatMap((unique, number) => {
      const places = unique.places.map((place, index) => `  ${variable(number, index)} ${place.type};`)
      return unique.predicate === null ? places : [...places, `  ${applies(number)} boolean;`]
    })
    .join('\n')
}

function variable(index: number, place: number): string {
  return `mesh_u${index}_${place}`
}

function applies(index: number): string {
  return `mesh_u${index}`
}

function oneIndex(shape: TableShape, unique: UniqueShape, number: number): string {
  const wanted = unique.places.map((place) => place.expression)
  const into = unique.places.map((_, place) => variable(number, place))
  if (unique.predicate !== null) {
    wanted.push(`(${unique.predicate})`)
    into.push(applies(number))
  }
  const conditions = unique.places.map((place, index) => clash(unique, place, variable(number, index)))
  if (unique.predicate !== null) conditions.push(`(${unique.predicate})`)
  const holds = unique.predicate === null ? '' : ` AND ${applies(number)}`
  const given = unique.nullsNotDistinct
    ? 'true'
    : into
        .slice(0, unique.places.length)
        .map((name) => `${name} IS NOT NULL`)
        .join(' AND ')
  const fetch =
    shape.key.length === 0
      ? refuse(shape, unique, conditions)
      : `
    ${keysQuery(shape, conditions.join(' AND '))} INTO mesh_keys;
    PERFORM mesh.fault_in(${shape.id}, mesh_keys);`
  return `
  IF ${isInBatches(unique) ? `mesh_now AND (${changed(unique)})` : changed(unique)} THEN
    SELECT ${wanted.join(', ')} INTO ${into.join(', ')} FROM ${rowSource(shape, 'NEW')};
    IF ${given}${holds} THEN${fetch}
    END IF;
  END IF;`
}

function clash(unique: UniqueShape, place: IndexPlace, value: string): string {
  const expression = place.column === null ? place.expression : quoteName(place.column)
  const same = `${expression} ${operator(place.operatorSchema, place.operatorName)} ${value}`
  return unique.nullsNotDistinct ? `(${same} OR (${expression} IS NULL AND ${value} IS NULL))` : same
}

/** An update that leaves the columns of an index alone cannot clash in it. What cannot be compared counts as changed. */
function changed(unique: UniqueShape): string {
  if (unique.exclusion || unique.predicate !== null || unique.places.some(({ column }) => column === null))
    return 'true'
  const columns = unique.places.map(({ column }) => quoteName(column ?? ''))
  const differs = columns.map((name) => `OLD.${name} IS DISTINCT FROM NEW.${name}`)
  return `TG_OP = 'INSERT' OR ${differs.join(' OR ')}`
}

/** Without a key nothing can be copied up: the clash is said here, as the index would. */
function refuse(shape: TableShape, unique: UniqueShape, conditions: readonly string[]): string {
  const names = unique.places.map(({ expression }) => expression).join(', ')
  const [condition, message, detail] = unique.exclusion
    ? ['exclusion_violation', 'conflicting key value violates exclusion constraint', 'conflicts with']
    : ['unique_violation', 'duplicate key value violates unique constraint', 'already exists in']
  return `
    IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(shape.id)}'::regclass) AND
      EXISTS (SELECT 1 FROM ${baseName(shape.id)} AS b WHERE ${conditions.join(' AND ')}) THEN
      RAISE ${condition} USING
        MESSAGE = ${quoteText(`${message} ${quoteName(unique.name)}`)},
        DETAIL = ${quoteText(`Key (${names}) ${detail} production's rows.`)},
        SCHEMA = ${quoteText(shape.schema)}, TABLE = ${quoteText(shape.name)}, CONSTRAINT = ${quoteText(unique.name)};
    END IF;`
}
