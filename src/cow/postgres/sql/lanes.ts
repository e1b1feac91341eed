/** Which lane a statement takes. Everything is proved by lists of what is allowed; the rest runs on the overlay. */
import type { MergedTable, TypedColumn } from '../catalog.ts'
import {
  CLOCK_VALUE_FUNCTIONS,
  isBuiltinType,
  SAFE_FUNCTIONS,
  SAFE_NODES,
  SAFE_OPERATORS,
  SAFE_TYPES,
  TRANSACTION_CLOCKS,
} from './allow-list.ts'
import type { Lane, LaneFacts, LaneRelation } from './lane.ts'
import { mayHaveMovingConstant } from './moving-constant.ts'
import { nameOf } from './lock-probe.ts'
import type { Statement } from './statement.ts'
import type { FunctionUse, NameUse, RelationUse } from './mention.ts'
import { keyValuesOf } from './table-key.ts'

/** Columns that every table has, and that differ by side. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'tableoid', 'xmin', 'xmax', 'cmin', 'cmax'])
/** Types of pg_catalog whose values are OIDs of things: a number means something else on the other side. */
const OBJECT_TYPE_OIDS: ReadonlySet<number> = new Set([
  24, 26, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,
])
/** FirstNormalObjectId of transam.h: below are types that initdb made. */
const FIRST_USER_OID = 16_384
/** Nodes that let a statement over one table read something else too. */
const MULTIPLE: readonly string[] = ['SubLink', 'RangeSubselect', 'RangeFunction', 'CommonTableExpr', 'JoinExpr']

interface ReadTable {
  readonly use: RelationUse
  readonly relation: Exclude<LaneRelation, { readonly kind: 'other' }>
  readonly columns: readonly TypedColumn[]
}

/** The lane of a statement at this moment. `reason` says what stands against production, for counters and tests. */
export function laneOf(statement: Statement, facts: LaneFacts): Lane {
  const reason = unlikeRead(statement) ?? unsafeCall(statement, facts) ?? unsafeParameter(statement, facts)
  if (reason !== undefined) return overlay(reason)
  if (facts.repeatable && !facts.sharedSnapshot) return overlay("the snapshot of the transaction is the overlay's")
  const tables = readTables(statement, facts)
  if (typeof tables === 'string') return overlay(tables)
  const column = unsafeColumn(statement, tables, facts)
  if (column !== undefined) return overlay(column)
  if (tables.every(({ relation }) => !relation.dirty)) return { lane: 'T0', tables: mergedOf(tables) }
  const [only] = tables
  if (only === undefined || tables.length > 1 || only.relation.kind !== 'merged') return overlay('a table is dirty')
  return keyLane(statement, only.relation.table, facts)
}

function overlay(reason: string): Lane {
  return { lane: 'T2', reason }
}

function mergedOf(tables: readonly ReadTable[]): readonly MergedTable[] {
  const merged = new Set<MergedTable>()
  for (const { relation } of tables) {
    for (const table of relation.kind === 'merged' ? [relation.table] : relation.tables) merged.add(table)
  }
  return [...merged]
}

function unlikeRead(statement: Statement): string | undefined {
  if (statement.kind !== 'select' || statement.into) return 'no plain SELECT'
  if (statement.lockedSelects.length > 0) return 'rows are locked'
  if (statement.writes.length > 0) return 'a CTE writes'
  if (statement.relations.length === 0) return 'no table is read'
  for (const type of statement.nodeTypes)
    if (type !== '' && !SAFE_NODES.has(type)) return `${type} is not on the allow-list`
  return undefined
}

function unsafeCall(statement: Statement, facts: LaneFacts): string | undefined {
  const { functions, operators, types, valueFunctions } = statement
  for (const use of functions) if (!isSafeFunction(use, facts)) return `function ${use.name} is not on the allow-list`
  for (const use of operators) {
    if (!SAFE_OPERATORS.has(use.name) || !isBuiltin(use, 'operator', facts))
      return `operator ${use.name} is not on the allow-list`
  }
  for (const use of types) {
    if (!SAFE_TYPES.has(use.name) || !isBuiltin(use, 'type', facts)) return `type ${use.name} is not on the allow-list`
  }
  if (facts.inTransaction && mayHaveMovingConstant(statement.text))
    return 'a constant may be the clock, which differs by side'
  for (const { name } of valueFunctions) {
    if (!CLOCK_VALUE_FUNCTIONS.has(name) || facts.inTransaction) return `${name} differs by side`
  }
  return undefined
}

function isSafeFunction(use: FunctionUse, facts: LaneFacts): boolean {
  if (!isBuiltin(use, 'function', facts)) return false
  const clock = TRANSACTION_CLOCKS.has(use.name) || (use.name === 'age' && use.argumentCount < 2)
  return clock ? !facts.inTransaction : SAFE_FUNCTIONS.has(use.name)
}

/** The name is one of pg_catalog: said so, or nothing in the search_path can come before it. */
function isBuiltin(use: NameUse, kind: 'function' | 'operator' | 'type', facts: LaneFacts): boolean {
  return use.schema === undefined ? !facts.shadowed(kind, use.name) : use.schema === 'pg_catalog'
}

function unsafeParameter(statement: Statement, facts: LaneFacts): string | undefined {
  for (const number of statement.parameters) {
    const type = facts.parameterTypes[number - 1] ?? 0
    if (type >= FIRST_USER_OID || OBJECT_TYPE_OIDS.has(type)) return `parameter $${number} is of a type of the overlay`
  }
  return undefined
}

function readTables(statement: Statement, facts: LaneFacts): readonly ReadTable[] | string {
  const tables: ReadTable[] = []
  for (const use of statement.relations) {
    if (use.role !== 'read' || use.only || use.catalogName !== undefined) return `${use.name} is not merely read`
    const relation = facts.relation(nameOf(use))
    if (relation.kind === 'other') return `${use.name} is no table of production`
    tables.push({ use, relation, columns: relation.kind === 'merged' ? relation.table.columns : relation.columns })
  }
  return tables
}

/**
 * Columns by type. A qualified name that is no column may be a function (`o.total` for `total(o)`); a name of a relation
 * is a whole row. A type of a user may be compared below the output list of a statement of one level.
 */
function unsafeColumn(statement: Statement, tables: readonly ReadTable[], facts: LaneFacts): string | undefined {
  const byAlias = new Map(tables.map((table) => [table.use.alias ?? table.use.name, table]))
  const special = new Map<string, string>()
  for (const { columns } of tables) {
    for (const { name, type } of columns) if (!isBuiltinType(type)) special.set(name, type)
  }
  const flat = !['SubLink', 'RangeSubselect', 'CommonTableExpr'].some((type) => statement.nodeTypes.has(type))
  const outputEnd = Math.min(...tables.map(({ use }) => use.position))
  for (const { names, position } of statement.columns) {
    const name = names.at(-1) ?? ''
    const table = names.length > 1 ? byAlias.get(names.at(-2) ?? '') : undefined
    if (SYSTEM_COLUMNS.has(name)) return `${name} differs by side`
    if (names.length === 1 && byAlias.has(name)) return `${name} is a whole row`
    if (table !== undefined && name !== '*' && !table.columns.some((column) => column.name === name))
      return `${name} is no column`
    if (name === '*' && special.size > 0) return 'a column is of a type of a user'
    const type = special.get(name)
    if (type === undefined) continue
    if (!flat || position < outputEnd || !facts.comparable(type)) return `${name} is of a type of a user`
  }
  return undefined
}

function keyLane(statement: Statement, table: MergedTable, facts: LaneFacts): Lane {
  if (facts.repeatable) return overlay('no lookup by key in a repeatable snapshot')
  if (MULTIPLE.some((type) => statement.nodeTypes.has(type)) || statement.cteUses.length > 0)
    return overlay('a table is dirty')
  const key = keyValuesOf(statement, table, facts)
  return key === undefined ? overlay('a table is dirty') : { lane: 'TK', table, key }
}
