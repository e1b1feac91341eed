/** What a session needs of statements that are no plain queries: read off the top of the tree. */
import { describeCopy } from './copy.ts'
import { describeDdl, isDdl } from './ddl.ts'
import type { Described } from './described.ts'
import type { SyntaxTree } from './node.ts'
import { constantText, flagOf, listOf, textOf, unwrap, unwrapAs } from './node.ts'
import type { RawStatement } from './parser.ts'
import type { SettingDetail, StatementDetail, StatementKind, TransactionDetail } from './statement.ts'
import type { TextRange } from './mention.ts'

const KINDS: Readonly<Record<string, StatementKind>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
  ExplainStmt: 'explain',
  PrepareStmt: 'prepare',
  ExecuteStmt: 'execute',
  DeallocateStmt: 'deallocate',
  DeclareCursorStmt: 'declare',
  FetchStmt: 'fetch',
  ClosePortalStmt: 'close',
  TransactionStmt: 'transaction',
  VariableSetStmt: 'set',
  VariableShowStmt: 'show',
  DiscardStmt: 'discard',
  ListenStmt: 'listen',
  UnlistenStmt: 'listen',
  NotifyStmt: 'notify',
  LockStmt: 'lock',
  TruncateStmt: 'truncate',
  DoStmt: 'do',
  CallStmt: 'call',
  ConstraintsSetStmt: 'other',
}

/** What the first keyword says. EXECUTE in CREATE TABLE .. AS EXECUTE counts as DDL, SELECT INTO as a SELECT. */
export function kindOf({ type, tree }: RawStatement): StatementKind {
  if (type === 'CopyStmt') return flagOf(tree, 'is_from') ? 'copy-from' : 'copy-to'
  return KINDS[type] ?? (isDdl(type) ? 'ddl' : 'other')
}

export function describe(described: Described): StatementDetail {
  const { type, tree } = described.raw
  if (isDdl(type)) return { kind: 'ddl', ddl: describeDdl(described) }
  return (DESCRIBERS[type] ?? none)(tree, described)
}

function none(): StatementDetail {
  return { kind: 'none' }
}

type Describer = (tree: SyntaxTree, described: Described) => StatementDetail

const DESCRIBERS: Readonly<Record<string, Describer>> = {
  TransactionStmt: (tree) => ({ kind: 'transaction', transaction: transactionOf(tree) }),
  VariableSetStmt: (tree) => ({ kind: 'set', setting: settingOf(tree) }),
  VariableShowStmt: (tree) => ({ kind: 'show', name: (textOf(tree, 'name') ?? '').toLowerCase() }),
  DiscardStmt: (tree) => ({ kind: 'discard', what: DISCARDS[textOf(tree, 'target') ?? ''] ?? 'all' }),
  PrepareStmt: describePrepare,
  ExecuteStmt: describeExecute,
  DeallocateStmt: (tree) => ({ kind: 'deallocate', name: textOf(tree, 'name') }),
  DeclareCursorStmt: describeDeclare,
  FetchStmt: (tree) => ({ kind: 'fetch', cursor: textOf(tree, 'portalname') ?? '', move: flagOf(tree, 'ismove') }),
  ClosePortalStmt: (tree) => ({ kind: 'close', cursor: textOf(tree, 'portalname') }),
  ListenStmt: (tree) => ({ kind: 'listen', channel: textOf(tree, 'conditionname'), stop: false }),
  UnlistenStmt: (tree) => ({ kind: 'listen', channel: textOf(tree, 'conditionname'), stop: true }),
  NotifyStmt: (tree) => ({ kind: 'notify', channel: textOf(tree, 'conditionname') ?? '' }),
  CopyStmt: (_tree, described) => ({ kind: 'copy', copy: describeCopy(described) }),
  ExplainStmt: describeExplain,
  TruncateStmt: (tree) => ({
    kind: 'truncate',
    restartIdentity: flagOf(tree, 'restart_seqs'),
    cascade: textOf(tree, 'behavior') === 'DROP_CASCADE',
  }),
  DoStmt: (tree) => ({ kind: 'do', language: optionText(listOf(tree, 'args'), 'language') ?? 'plpgsql' }),
}

const DISCARDS: Readonly<Record<string, 'all' | 'plans' | 'sequences' | 'temp'>> = {
  DISCARD_ALL: 'all',
  DISCARD_PLANS: 'plans',
  DISCARD_SEQUENCES: 'sequences',
  DISCARD_TEMP: 'temp',
}

/** The value of a named option in a list of DefElem; undefined where it is absent or no constant. */
export function optionText(options: readonly unknown[], name: string): string | undefined {
  for (const option of options) {
    const tree = unwrapAs('DefElem', option)
    if (tree !== undefined && textOf(tree, 'defname') === name) return constantText(tree['arg'])
  }
  return undefined
}

const TRANSACTION_VERB: Readonly<Record<string, TransactionDetail['verb']>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback-to',
  TRANS_STMT_PREPARE: 'prepare-transaction',
  TRANS_STMT_COMMIT_PREPARED: 'commit-prepared',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback-prepared',
}

function transactionOf(tree: SyntaxTree): TransactionDetail {
  return {
    verb: TRANSACTION_VERB[textOf(tree, 'kind') ?? ''] ?? 'begin',
    name: textOf(tree, 'savepoint_name') ?? textOf(tree, 'gid'),
    chain: flagOf(tree, 'chain'),
    ...transactionModes(listOf(tree, 'options')),
  }
}

function transactionModes(
  options: readonly unknown[],
): Pick<TransactionDetail, 'isolation' | 'readOnly' | 'deferrable'> {
  const truth = (text: string | undefined): boolean | undefined => (text === undefined ? undefined : isTrue(text))
  return {
    isolation: optionText(options, 'transaction_isolation'),
    readOnly: truth(optionText(options, 'transaction_read_only')),
    deferrable: truth(optionText(options, 'transaction_deferrable')),
  }
}

/** As PostgreSQL reads a Boolean option. */
function isTrue(text: string): boolean {
  return ['1', 'true', 'on', 'yes'].includes(text.toLowerCase())
}

const SETTING_ACTIONS: Readonly<Record<string, SettingDetail['action']>> = {
  VAR_SET_VALUE: 'set',
  VAR_SET_DEFAULT: 'set-default',
  VAR_SET_CURRENT: 'set-current',
  VAR_RESET: 'reset',
  VAR_RESET_ALL: 'reset-all',
}

function settingOf(tree: SyntaxTree): SettingDetail {
  const name = textOf(tree, 'name') ?? ''
  const values = listOf(tree, 'args')
  const texts = values.map(constantText)
  const constants = texts.flatMap((text) => (text === undefined ? [] : [text]))
  const multi = textOf(tree, 'kind') === 'VAR_SET_MULTI'
  const characteristics = name === 'SESSION CHARACTERISTICS'
  return {
    action: multi
      ? characteristics
        ? 'set-characteristics'
        : 'set-transaction'
      : (SETTING_ACTIONS[textOf(tree, 'kind') ?? ''] ?? 'set'),
    name: name.toLowerCase(),
    values: constants.length === texts.length ? constants : undefined,
    local: flagOf(tree, 'is_local'),
    ...transactionModes(multi ? values : []),
  }
}

/** The body of PREPARE, DECLARE: from its first token to the statement's end. */
function bodyAfter(word: string, { parsed, range }: Described): TextRange {
  const { tokens } = parsed
  const from = tokens.indexAt(range.start)
  const to = tokens.indexAt(range.end)
  for (let index = from; index < to; index++) {
    if (tokens.depth(index) === 0 && tokens.isWord(index, word))
      return { start: tokens.start(index + 1), end: range.end }
  }
  return range
}

function describePrepare(tree: SyntaxTree, described: Described): StatementDetail {
  const { tokens } = described.parsed
  const open = tokens.indexAt(described.range.start) + 2
  const types = tokens.isSign(open, '(')
    ? { start: tokens.end(open), end: tokens.start(tokens.closing(open)) }
    : undefined
  return { kind: 'prepare', name: textOf(tree, 'name') ?? '', types, body: bodyAfter('as', described) }
}

function describeExecute(tree: SyntaxTree, { parsed, range }: Described): StatementDetail {
  const { tokens } = parsed
  const open = tokens.indexAt(range.start) + 2
  const values = tokens.isSign(open, '(')
    ? { start: tokens.end(open), end: tokens.start(tokens.closing(open)) }
    : undefined
  return { kind: 'execute', name: textOf(tree, 'name') ?? '', values }
}

/** CURSOR_OPT_HOLD of parsenodes.h. */
const CURSOR_HOLD = 0x20

function describeDeclare(tree: SyntaxTree, described: Described): StatementDetail {
  const options = tree['options']
  const hold = typeof options === 'number' && (options & CURSOR_HOLD) !== 0
  return { kind: 'declare', cursor: textOf(tree, 'portalname') ?? '', hold, body: bodyAfter('for', described) }
}

function describeExplain(tree: SyntaxTree): StatementDetail {
  let analyze = false
  for (const option of listOf(tree, 'options')) {
    const element = unwrapAs('DefElem', option)
    if (element === undefined || textOf(element, 'defname') !== 'analyze') continue
    const value = constantText(element['arg'])
    analyze = value === undefined || isTrue(value)
  }
  const query = unwrap(tree['query'])
  const of = query === undefined ? 'other' : kindOf({ ...query, start: 0, end: 0 })
  return { kind: 'explain', analyze, of }
}
