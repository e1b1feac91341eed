import {
  bindComplete,
  commandComplete,
  dataRow,
  noData,
  type PgField,
  rowDescription,
} from '../../../wire/postgres/backend.ts'
import { MOVED_ROWS } from '../overlay/moved-rows.ts'
import { Tokens } from '../sql/tokens.ts'
import { parseStatements } from './parse-tree.ts'
import { isNode } from './tree-node.ts'

/** A statement of postgres_fdw that would change a row of production. */
type Modification =
  | { readonly kind: 'told' }
  | { readonly kind: 'UPDATE' | 'DELETE'; readonly returning: readonly string[] }

/** Bound of what one connection keeps prepared: as many writes of one statement's plan, nested in triggers. */
const MAX_PREPARED = 10_000

const PREPARED_NAME = /^pgsql_fdw_prep_\d{1,10}$/

/** A row's columns, by the names that postgres_fdw has for them, in their order. */
type MovedRow = readonly (readonly [name: string, value: string | null])[]

/**
 * What postgres_fdw believes it does to production's rows: nothing of it is sent there, or could be from here. A trigger of the overlay has
 * done it to the branch before, and said so, row by row, over the same connection: only then is the statement answered as though it had been
 * done, so that the client's statement counts the row and returns it. A statement of which no trigger has told is refused.
 */
export class FdwModifications {
  readonly #prepared = new Map<string, Modification>()
  /** The last one is whose statement comes next: triggers of users move rows amid another's move. */
  #moved: readonly { readonly row: MovedRow; readonly level: number }[] = []
  #level = 0
  readonly #emptied = new Set<string>()

  /** Undefined: done. Else why not. */
  prepare(name: string, text: string): string | undefined {
    const modification = readModification(text)
    if (!PREPARED_NAME.test(name) || modification === undefined)
      return 'postgres_fdw may not prepare such a statement here'
    if (this.#prepared.size >= MAX_PREPARED) return `more than ${MAX_PREPARED} statements are prepared`
    this.#prepared.set(name, modification)
    return undefined
  }

  /** The answer to Bind, Describe and Execute; a text: why there is none. */
  execute(name: string, values: readonly (Uint8Array | null)[]): readonly Uint8Array[] | string {
    const modification = this.#prepared.get(name)
    if (modification === undefined) return 'the statement is not prepared'
    if (modification.kind === 'told') return this.#hear(values[0])
    const moved = this.#moved.at(-1)?.row
    this.#moved = this.#moved.slice(0, -1)
    if (moved === undefined) return 'it would change a row of production that is not on the branch'
    const tag = commandComplete(`${modification.kind} 1`)
    const { returning } = modification
    if (returning.length === 0) return [bindComplete(), noData(), tag]
    const row = valuesOf(moved, returning)
    if (row === undefined) return 'it returns columns that cannot be told apart here'
    return [bindComplete(), rowDescription(returning.map(textField)), dataRow(row), tag]
  }

  /** TRUNCATE: has a trigger emptied each of its tables? */
  truncates(text: string): boolean {
    const parsed = parseStatements(text)
    const [statement] = 'failure' in parsed ? [] : parsed.statements
    const tree = isNode(statement) ? statement['TruncateStmt'] : undefined
    const relations: unknown = isNode(tree) ? tree['relations'] : undefined
    if (!Array.isArray(relations) || relations.length === 0) return false
    return relations.every((relation: unknown) => {
      const range = isNode(relation) ? relation['RangeVar'] : undefined
      return isNode(range) && this.#emptied.delete(`${String(range['schemaname'])}.${String(range['relname'])}`)
    })
  }

  deallocate(name: string | undefined): void {
    if (name === undefined) this.#prepared.clear()
    else this.#prepared.delete(name)
  }

  savepoint(level: number): void {
    this.#level = level
  }

  release(level: number): void {
    this.#moved = this.#moved.map((each) => ({ ...each, level: Math.min(each.level, level - 1) }))
    this.#level = level - 1
  }

  /** What was told since is not so any more; level 0: the transaction's end. */
  forget(level: number): void {
    this.#moved = this.#moved.filter((each) => each.level < level)
    this.#emptied.clear()
    this.#level = level
  }

  #hear(value: Uint8Array | null | undefined): readonly Uint8Array[] | string {
    const told: unknown =
      value === null || value === undefined ? undefined : JSON.parse(new TextDecoder().decode(value))
    if (!isNode(told)) return 'what the overlay tells cannot be read'
    const { moved, emptied } = told
    if (typeof emptied === 'string') this.#emptied.add(emptied)
    if (moved === null) this.#moved = this.#moved.slice(0, -1)
    if (Array.isArray(moved)) {
      if (this.#moved.length >= MAX_PREPARED) return `more than ${MAX_PREPARED} rows are told of`
      this.#moved = [...this.#moved, { row: moved.flatMap((each: unknown) => readColumn(each)), level: this.#level }]
    }
    return [bindComplete(), noData(), commandComplete('INSERT 0 1')]
  }
}

function readColumn(column: unknown): MovedRow {
  if (!Array.isArray(column)) return []
  const [name, value] = column as readonly unknown[]
  return [[String(name), typeof value === 'string' ? value : null]]
}

function readModification(text: string): Modification | undefined {
  if (text === `INSERT INTO mesh.${MOVED_ROWS}(image) VALUES ($1)`) return { kind: 'told' }
  const verb = /^(UPDATE|DELETE) /.exec(text)?.[1]
  return verb === 'UPDATE' || verb === 'DELETE' ? { kind: verb, returning: returnedColumns(text) } : undefined
}

/** The names behind the last RETURNING, whole: the parser would cut those that are longer than a name can be. */
function returnedColumns(text: string): readonly string[] {
  const tokens = new Tokens(text)
  const names: string[] = []
  for (let index = tokens.count - 1; index >= 0 && !tokens.isWord(index, 'where'); index -= 1) {
    if (tokens.isWord(index, 'returning')) return names.toReversed()
    const name = tokens.at(index)
    if (tokens.kind(index) === 'quoted') names.push(name.slice(1, -1).replaceAll('""', '"'))
    else if (tokens.kind(index) === 'word') names.push(name)
  }
  return []
}

/** Columns come in their table's order; of two that have one name, which a migration's may, it has to be plain which is meant. */
function valuesOf(moved: MovedRow, names: readonly string[]): (string | null)[] | undefined {
  const values: (string | null)[] = []
  for (const name of names) {
    const found = moved.filter(([each]) => each === name)
    const place = names.filter((each, index) => each === name && index < values.length).length
    const isPlain =
      found.length === names.filter((each) => each === name).length ||
      found.every(([, value]) => value === found[0]?.[1])
    const column = name === 'ctid' ? UNKNOWN_PLACE : found[place]
    if (column === undefined || !isPlain) return undefined
    values.push(column[1])
  }
  return values
}

/** Where the row is on production is nobody's to know: it is the branch's. */
const UNKNOWN_PLACE = ['ctid', '(0,1)'] as const

const textField = (name: string): PgField => ({
  name,
  tableOid: 0,
  column: 0,
  typeOid: 25,
  typeBytes: -1,
  typeModifier: -1,
  format: 0,
})
