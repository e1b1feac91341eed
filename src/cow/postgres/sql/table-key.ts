/** Finds in a WHERE clause the values that a table's key must have. */
import type { MergedTable, TypedColumn } from '../catalog.ts'
import type { KeyValue, LaneFacts } from './lane.ts'
import type { SyntaxTree } from './node.ts'
import { constantText, fieldOf, listOf, numberOf, stringsOf, textOf, unwrap, unwrapAs } from './node.ts'
import type { Statement } from './statement.ts'

/** Families of key types whose equal values have one spelling, with the OIDs that a parameter may be declared with. */
const FAMILIES = {
  integer: new Map([
    [21, 'smallint'],
    [23, 'integer'],
    [20, 'bigint'],
  ]),
  uuid: new Map([[2950, 'uuid']]),
  text: new Map([
    [25, 'text'],
    [1043, 'character varying'],
  ]),
} as const

type Family = keyof typeof FAMILIES

/** How a cast spells the types of a family. */
const CAST_FAMILY: Readonly<Record<string, Family>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  uuid: 'uuid',
  text: 'text',
}

interface KeySearch {
  readonly facts: LaneFacts
  offsetOf(location: number): number
}

/** A value for each key column, in the order of the key; undefined where a column has none, or its type cannot be matched. */
export function keyValuesOf(
  statement: Statement,
  table: MergedTable,
  facts: LaneFacts,
): readonly KeyValue[] | undefined {
  const { tree } = statement
  if (table.keyColumns.length === 0 || textOf(tree, 'op') !== 'SETOP_NONE') return undefined
  const conjuncts = conjunctsIn(tree['whereClause'])
  const search: KeySearch = { facts, offsetOf: (location) => statement.offsetOf(location) }
  const values: KeyValue[] = []
  for (const column of table.keyColumns) {
    const family = familyOf(column)
    if (family === undefined || (family === 'text' && !facts.textKeysExact(table))) return undefined
    const value = conjuncts
      .map((conjunct) => valueFor(conjunct, column, family, search))
      .find((found) => found !== undefined)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

function familyOf({ type }: TypedColumn): Family | undefined {
  if (type === 'uuid') return 'uuid'
  if (type === 'text' || type === 'character varying' || type.startsWith('character varying(')) return 'text'
  return [...FAMILIES.integer.values()].includes(type) ? 'integer' : undefined
}

function conjunctsIn(condition: unknown): readonly SyntaxTree[] {
  const node = unwrap(condition)
  if (node?.type === 'A_Expr') return [node.tree]
  if (node?.type !== 'BoolExpr' || textOf(node.tree, 'boolop') !== 'AND_EXPR') return []
  return listOf(node.tree, 'args').flatMap((part) => {
    const expression = unwrapAs('A_Expr', part)
    return expression === undefined ? [] : [expression]
  })
}

function valueFor(
  expression: SyntaxTree,
  column: TypedColumn,
  family: Family,
  search: KeySearch,
): KeyValue | undefined {
  if (textOf(expression, 'kind') !== 'AEXPR_OP' || stringsOf(listOf(expression, 'name')).join('.') !== '=')
    return undefined
  const { lexpr, rexpr } = expression
  if (isColumn(lexpr, column.name)) return valueIn(rexpr, column, family, search)
  return isColumn(rexpr, column.name) ? valueIn(lexpr, column, family, search) : undefined
}

function isColumn(value: unknown, name: string): boolean {
  const tree = unwrapAs('ColumnRef', value)
  return tree !== undefined && stringsOf(listOf(tree, 'fields')).at(-1) === name
}

function valueIn(value: unknown, column: TypedColumn, family: Family, search: KeySearch): KeyValue | undefined {
  const node = unwrap(value)
  if (node === undefined) return undefined
  if (node.type === 'TypeCast') {
    const type = fieldOf(node.tree, 'typeName')
    const cast = type === undefined ? undefined : CAST_FAMILY[stringsOf(listOf(type, 'names')).at(-1) ?? '']
    const plain = type !== undefined && listOf(type, 'typmods').length === 0 && listOf(type, 'arrayBounds').length === 0
    return cast === family && plain ? valueIn(node.tree['arg'], column, family, search) : undefined
  }
  if (node.type === 'ParamRef') return parameterIn(numberOf(node.tree, 'number'), column, family, search.facts)
  const text = node.type === 'A_Const' ? constantText(value) : undefined
  const exact = text === undefined ? undefined : canonical(text, family, fieldOf(node.tree, 'sval') !== undefined)
  if (exact === undefined) return undefined
  return { from: 'literal', text: exact, type: column.type, position: search.offsetOf(numberOf(node.tree, 'location')) }
}

function parameterIn(number: number, column: TypedColumn, family: Family, facts: LaneFacts): KeyValue | undefined {
  const declared = facts.parameterTypes[number - 1] ?? 0
  // Undeclared, the parameter gets the column's type.
  if (declared === 0) return { from: 'parameter', number, type: column.type }
  for (const [oid, type] of FAMILIES[family]) if (oid === declared) return { from: 'parameter', number, type }
  return undefined
}

/** The one spelling of a constant, as the type's output function writes it; undefined where it is not surely of the type. */
function canonical(text: string, family: Family, quoted: boolean): string | undefined {
  if (family === 'text') return quoted ? text : undefined
  if (family === 'uuid')
    return quoted && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined
  return /^-?[0-9]{1,19}$/.test(text) ? String(BigInt(text)) : undefined
}
