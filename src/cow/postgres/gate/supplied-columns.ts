import { quoteName, quoteText } from '../overlay/identifiers.ts'
import { isNode } from './tree-node.ts'

/**
 * Names of columns that production has not, or has in another type, begin so: what follows is JSON that says what stands for the
 * column. The overlay gives them to columns of its foreign tables (option `column_name`) when a migration makes or changes one, so they
 * live and die with its transaction, and postgres_fdw writes them wherever it would name the column.
 *
 *     "mesh:{""value"": ""0"", ""type"": ""integer""}"      a value, null for NULL: the column is the branch's own
 *     "mesh:{""column"": ""id"", ""type"": ""bigint""}"     production's column as another type
 */
export const SUPPLIED_PREFIX = 'mesh:'

/** What stands for a column of a foreign table in production's place. */
interface Supplied {
  readonly value: string | null
  readonly column: string | undefined
  readonly type: string
  /** Compared and sorted as it is on production, whose indexes then serve: the other type has the same order. */
  readonly isOrdered: boolean
  /** The time zone by which a timestamp gets its zone, or loses it. */
  readonly zone: string | undefined
}

/** Constants, then a supplied column with its alias, then other names: of these three the first to begin is taken. */
const PIECES = /'(?:[^']|'')*'|((?:[A-Za-z_][\w$]*\.)?)"mesh:((?:[^"]|"")*)"|"(?:[^"]|"")*"/g

/** postgres_fdw puts each operation in parentheses, so what is beside a column is what is done with it. */
const COMPARED_AFTER = /^ (?:=|<>|<|>|<=|>=) |^ (?:ASC|DESC) NULLS /
const OUTER_JOIN = / (?:LEFT|RIGHT|FULL) JOIN /
const COMPARED_BEFORE = / (?:=|<>|<|>|<=|>=) $/

/**
 * The text of a foreign scan with what stands for each supplied column in its place. The outcome is judged like any other text: a name
 * that somebody made up can say no more than a scan may. A name that cannot be read stays, and production does not know it.
 */
export function supplyColumns(text: string): string {
  if (!text.includes(`"${SUPPLIED_PREFIX}`)) return text
  // A row that an outer join makes up has no value in it.
  const hasOuterJoin = OUTER_JOIN.test(text)
  return text.replaceAll(
    PIECES,
    (piece: string, alias: string | undefined, json: string | undefined, offset: number) => {
      const supplied = json === undefined ? undefined : readSupplied(json.replaceAll('""', '"'))
      if (supplied === undefined) return piece
      const { column, type, value, isOrdered, zone } = supplied
      if (column === undefined) {
        const constant = `(${value === null ? 'NULL' : quoteText(value)}::${type})`
        if (alias === undefined || alias === '' || !hasOuterJoin) return constant
        return `(CASE WHEN (${alias}*)::text IS NOT NULL THEN ${constant} END)`
      }
      const name = `${alias ?? ''}${quoteName(column)}`
      if (zone !== undefined) return `(${name} AT TIME ZONE ${quoteText(zone)})`
      const before = text.slice(Math.max(0, offset - 4), offset)
      const after = text.slice(offset + piece.length, offset + piece.length + 12)
      const isCompared = COMPARED_AFTER.test(after) || COMPARED_BEFORE.test(before)
      return isOrdered && isCompared ? name : `(${name}::${type})`
    },
  )
}

function readSupplied(json: string): Supplied | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch {
    return undefined
  }
  if (!isNode(parsed)) return undefined
  const { value = null, column, type, ordered, zone } = parsed
  if (typeof type !== 'string' || (value !== null && typeof value !== 'string')) return undefined
  if (column !== undefined && typeof column !== 'string') return undefined
  if (zone !== undefined && typeof zone !== 'string') return undefined
  return { value, column, type, isOrdered: ordered === true, zone }
}
