import { isNode, namesOf, objectionIn, WRITING_KEYS } from './tree-node.ts'
import { parseStatements } from './parse-tree.ts'
import type { Passable } from './passable.ts'

/** Parts that write, lock or hide a writer; each is enough to keep a statement from production. */
const REFUSED_KEYS: ReadonlySet<string> = new Set([
  ...WRITING_KEYS,
  'RangeFunction',
  'RangeTableFunc',
  'XmlExpr',
  'XmlSerialize',
  'CurrentOfExpr',
])

/**
 * Why a client's statement is not passed to production, or undefined where it is: the gate's own judgement, behind the one that
 * chose the lane. A single SELECT whose functions, operators and types are PostgreSQL's own; a name that somebody else has
 * given to one of theirs, in whatever schema, is not.
 */
export function objectionToPassing(text: string, passable: Passable): string | undefined {
  const parsed = parseStatements(text)
  if ('failure' in parsed) return `it does not parse: ${parsed.failure}`
  const [statement, ...more] = parsed.statements
  if (more.length > 0) return 'it is more than one statement'
  if (!isNode(statement) || !('SelectStmt' in statement)) return 'it is not a SELECT'
  return objectionIn(statement, (key, value) => objectionToPart(key, value, passable))
}

function objectionToPart(key: string, value: unknown, passable: Passable): string | undefined {
  if (REFUSED_KEYS.has(key)) return `it has a part that is not allowed (${key})`
  switch (key) {
    case 'FuncCall': {
      const names = namesOf(value, 'funcname')
      return isOwn(names, passable.functions, passable.strangers.functions) ? undefined : unknown('function', names)
    }
    case 'ColumnRef': {
      // `t.f` may be the call f(t).
      const names = namesOf(value, 'fields')
      const last = names.at(-1) ?? ''
      return names.length > 1 && passable.strangers.functions.has(last) ? unknown('function', names) : undefined
    }
    case 'A_Indirection': {
      const called = namesOf(value, 'indirection').find((name) => name !== '' && passable.strangers.functions.has(name))
      return called === undefined ? undefined : unknown('function', [called])
    }
    case 'A_Expr':
      return objectionToOperator(namesOf(value, 'name'), passable)
    case 'SortBy':
      return objectionToOperator(namesOf(value, 'useOp'), passable)
    case 'SubLink':
      return objectionToOperator(namesOf(value, 'operName'), passable)
    case 'typeName': {
      const names = namesOf(value, 'names')
      return isOwn(names, passable.types, passable.strangers.types) ? undefined : unknown('type', names)
    }
    default:
      return undefined
  }
}

function objectionToOperator(names: readonly string[], passable: Passable): string | undefined {
  if (names.length === 0 || names[0] === 'pg_catalog') return undefined
  const isStrange = names.length > 1 || passable.strangers.operators.has(names[0] ?? '')
  return isStrange ? unknown('operator', names) : undefined
}

/** A name of pg_catalog; where it is not written out, nobody else's has it. */
function isOwn(names: readonly string[], own: ReadonlySet<string>, strangers: ReadonlySet<string>): boolean {
  const name = names.at(-1) ?? ''
  if (names.length === 2) return names[0] === 'pg_catalog' && own.has(name)
  return names.length === 1 && own.has(name) && !strangers.has(name)
}

function unknown(kind: string, names: readonly string[]): string {
  return `${kind} ${names.join('.')} is not on the list of what may run on production`
}
