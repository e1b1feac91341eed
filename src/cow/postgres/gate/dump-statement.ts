import { parseStatements } from './parse-tree.ts'
import type { Passable } from './passable.ts'
import { isNode, namesOf, objectionIn, type TreeNode, WRITING_KEYS } from './tree-node.ts'

/** What the gate says to a statement of pg_dump: the text to send, or why not. */
export type DumpVerdict =
  | { readonly kind: 'send'; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** The settings that pg_dump's `setup_connection` sets. Access mode, role and replication are none of them. */
const SETTINGS: ReadonlySet<string> = new Set([
  'bytea_output',
  'client_encoding',
  'datestyle',
  'enable_seqscan',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'lock_timeout',
  'quote_all_identifiers',
  'restrict_nonsystem_relation_kind',
  'row_security',
  'search_path',
  'standard_conforming_strings',
  'statement_timeout',
  'synchronize_seqscans',
  'timezone',
  'transaction_timeout',
])

/** Functions of pg_dump's queries that are volatile by their label, and read nevertheless. */
const EXTRA_FUNCTIONS: ReadonlySet<string> = new Set([
  'current_setting',
  'pg_get_sequence_data',
  'pg_is_in_recovery',
  'pg_relation_size',
  'pg_sequence_last_value',
])

const READ_ONLY_START = 'START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY'
/** `LockStmt.mode` of ACCESS SHARE. */
const ACCESS_SHARE = 1

/** pg_dump's own fence against views that run code while they are dumped (CVE-2024-7348): the setting is where it is known. */
const RESTRICTS_RELATIONS =
  "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'"

/** Judges one text of pg_dump. Its BEGIN becomes a read-only one. */
export function judgeDumpStatement(text: string, passable: Passable): DumpVerdict {
  if (text === RESTRICTS_RELATIONS) return { kind: 'send', text }
  const parsed = parseStatements(text)
  if ('failure' in parsed) return { kind: 'refused', reason: `it does not parse: ${parsed.failure}` }
  for (const statement of parsed.statements) {
    const [type, body] = isNode(statement) ? (Object.entries(statement)[0] ?? []) : []
    if (type === 'TransactionStmt' && isNode(body) && /_(?:BEGIN|START)$/.test(String(body['kind']))) {
      if (parsed.statements.length > 1) return { kind: 'refused', reason: 'it begins a transaction among others' }
      return { kind: 'send', text: READ_ONLY_START }
    }
    const reason = isNode(body) ? objectionTo(type ?? '', body, passable) : 'it is not a statement'
    if (reason !== undefined) return { kind: 'refused', reason }
  }
  return { kind: 'send', text }
}

function objectionTo(type: string, body: TreeNode, passable: Passable): string | undefined {
  switch (type) {
    case 'SelectStmt':
    case 'ExecuteStmt':
    case 'FetchStmt':
    case 'ClosePortalStmt':
    case 'DeallocateStmt':
      return objectionToRead(body, passable)
    case 'PrepareStmt':
    case 'DeclareCursorStmt': {
      const query = body['query']
      if (!isNode(query) || !('SelectStmt' in query)) return 'it prepares something else than a SELECT'
      return objectionToRead(query, passable)
    }
    case 'VariableSetStmt':
      return objectionToSetting(body)
    case 'TransactionStmt':
      return /_(?:COMMIT|ROLLBACK)$/.test(String(body['kind'])) ? undefined : 'it is not a plain COMMIT or ROLLBACK'
    case 'LockStmt':
      return body['mode'] === ACCESS_SHARE ? undefined : 'it takes a stronger lock than ACCESS SHARE'
    default:
      return `a dump does not need ${type}`
  }
}

function objectionToRead(root: TreeNode, passable: Passable): string | undefined {
  return objectionIn(root, (key, value) => {
    if (WRITING_KEYS.includes(key)) return `it has a part that is not allowed (${key})`
    if (key !== 'FuncCall' || mayCall(value, passable)) return undefined
    return `function ${namesOf(value, 'funcname').join('.')} is not one that a dump needs`
  })
}

function mayCall(call: unknown, passable: Passable): boolean {
  const names = namesOf(call, 'funcname')
  if (names.length > 2 || (names.length === 2 && names[0] !== 'pg_catalog')) return false
  const name = names.at(-1) ?? ''
  if (name === 'set_config') return setsSearchPath(call)
  return passable.functions.has(name) || EXTRA_FUNCTIONS.has(name)
}

function setsSearchPath(call: unknown): boolean {
  const list = isNode(call) ? call['args'] : undefined
  const first: unknown = Array.isArray(list) ? list[0] : undefined
  const constant = isNode(first) ? first['A_Const'] : undefined
  const text = isNode(constant) ? constant['sval'] : undefined
  return isNode(text) && text['sval'] === 'search_path'
}

function objectionToSetting(body: TreeNode): string | undefined {
  const name = String(body['name']).toLowerCase()
  if (name !== 'transaction') return SETTINGS.has(name) ? undefined : `a dump does not set ${name}`
  // transaction_read_only off is the one way out of the fence; deferrable and isolation are harmless.
  const text = JSON.stringify(body['args'])
  const opens = /"transaction_read_only".{0,80}?"(?:ival|boolval)":\{\}/.test(text)
  return opens ? 'it makes its transaction READ WRITE' : undefined
}
