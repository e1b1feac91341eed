import { parseStatements } from './parse-tree.ts'
import type { Shippable } from './shippable.ts'
import { supplyColumns } from './supplied-columns.ts'
import { isNode, namesOf, objectionIn } from './tree-node.ts'

/**
 * What the gate says to one statement that postgres_fdw wants to run on production: the text to send, or why not.
 * The overlay's postgres_fdw is the only author of these texts, so the list is what its `deparse.c` can write, and
 * everything else is refused: a statement that reached the gate's socket in another way gains nothing by it.
 */
export type FdwVerdict =
  | { readonly kind: 'read'; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * Node types that a deparsed read is made of. `XmlExpr`, `SQLValueFunction`, JSON constructors, `CommonTableExpr`,
 * `RangeFunction` and all others are missing on purpose.
 */
const READ_NODES: ReadonlySet<string> = new Set([
  'A_ArrayExpr',
  'A_Const',
  'A_Expr',
  'A_Indices',
  'A_Indirection',
  'A_Star',
  'BitString',
  'BoolExpr',
  'Boolean',
  'BooleanTest',
  'CaseExpr',
  'CaseWhen',
  'CoalesceExpr',
  'CollateClause',
  'ColumnRef',
  'Float',
  'FuncCall',
  'GroupingFunc',
  'GroupingSet',
  'Integer',
  'JoinExpr',
  'List',
  'MinMaxExpr',
  'NullTest',
  'ParamRef',
  'RangeSubselect',
  'RangeTableSample',
  'RangeVar',
  'ResTarget',
  'RowExpr',
  'SelectStmt',
  'SortBy',
  'String',
  'SubLink',
  'TypeCast',
])

/** Parts of a `SelectStmt` that do more than read, or hide who reads. */
const REFUSED_PARTS: ReadonlySet<string> = new Set(['intoClause', 'withClause', 'lockingClause'])

/** What `ANALYZE` and `IMPORT FOREIGN SCHEMA` of postgres_fdw call besides immutable functions. */
const CATALOG_READS: ReadonlySet<string> = new Set([
  'pg_relation_size',
  'current_setting',
  'random',
  'format_type',
  'pg_get_expr',
])

/** postgres_fdw writes its locking clause last; the result is parsed again, so a wrong cut cannot pass unseen. */
const LOCKING_TAIL = /\s+FOR\s+(?:UPDATE|NO\s+KEY\s+UPDATE|SHARE|KEY\s+SHARE)(?:\s+OF\s+[\w", ]+)?\s*$/i

/**
 * Judges one statement: a single plain SELECT, its row locks cut off (a read-only transaction cannot take them), and columns that are
 * the branch's own replaced by what stands for them.
 */
export function judgeFdwStatement(text: string, shippable: Shippable): FdwVerdict {
  let read = text
  while (LOCKING_TAIL.test(read)) read = read.replace(LOCKING_TAIL, '')
  read = supplyColumns(read)
  const parsed = parseStatements(read)
  if ('failure' in parsed) return refused(`it does not parse: ${parsed.failure}`)
  const [statement, ...more] = parsed.statements
  if (more.length > 0) return refused('it is more than one statement')
  if (!isNode(statement) || !('SelectStmt' in statement)) return refused('it is not a SELECT')
  const reason = objectionIn(statement, (key, value) => objectionToPart(key, value, shippable))
  return reason === undefined ? { kind: 'read', text: read } : refused(reason)
}

function refused(reason: string): FdwVerdict {
  return { kind: 'refused', reason }
}

function objectionToPart(key: string, value: unknown, shippable: Shippable): string | undefined {
  if (REFUSED_PARTS.has(key)) return `it has a part that is not allowed (${key})`
  if (/^[A-Z]/.test(key)) {
    if (!READ_NODES.has(key)) return `it has a node that is not allowed (${key})`
    if (key === 'FuncCall') return objectionToFunction(namesOf(value, 'funcname'), shippable)
    if (key === 'A_Expr') return objectionToOperator(namesOf(value, 'name'), shippable)
    if (key === 'SortBy') return objectionToOperator(namesOf(value, 'useOp'), shippable)
    if (key === 'SubLink') return objectionToOperator(namesOf(value, 'operName'), shippable)
    if (key === 'CollateClause') return objectionToCollation(namesOf(value, 'collname'))
    if (key === 'RangeVar') return objectionToRelation(value)
  }
  return key === 'typeName' ? objectionToType(namesOf(value, 'names'), shippable) : undefined
}

function objectionToFunction(names: readonly string[], shippable: Shippable): string | undefined {
  const name = inCatalog(names)
  const allowed = shippable.functions.has(name) || CATALOG_READS.has(name)
  return allowed ? undefined : `function ${names.join('.')} is not on the list of functions that production may run`
}

function objectionToOperator(names: readonly string[], shippable: Shippable): string | undefined {
  const allowed = names.length === 0 || shippable.operators.has(withSchema(names))
  return allowed ? undefined : `operator ${names.join('.')} is not on the list of operators that production may run`
}

function objectionToType(names: readonly string[], shippable: Shippable): string | undefined {
  const allowed = names.length === 0 || shippable.types.has(withSchema(names))
  return allowed ? undefined : `type ${names.join('.')} is not one whose input is known to have no effect`
}

function objectionToCollation(names: readonly string[]): string | undefined {
  return names.length <= 2 ? undefined : `collation ${names.join('.')} names a database`
}

/** Every relation is named with its schema, but for catalogues: an unqualified one would depend on the search path. */
function objectionToRelation(value: unknown): string | undefined {
  if (!isNode(value)) return undefined
  const { schemaname, relname } = value
  if (typeof schemaname === 'string' ? !schemaname.startsWith('pg_temp') : String(relname).startsWith('pg_'))
    return undefined
  return 'it names a relation without its schema'
}

function withSchema(names: readonly string[]): string {
  return names.length === 1 ? `pg_catalog.${names[0] ?? ''}` : names.join('.')
}

/** `now` and `pg_catalog.now` are one name: postgres_fdw's connections search pg_catalog alone. */
function inCatalog(names: readonly string[]): string {
  return names[0] === 'pg_catalog' ? names.slice(1).join('.') : names.join('.')
}
