/**
 * Probes for UPDATE, DELETE and MERGE: the keys of base rows that may be touched.
 *
 * The rule: the probe is a superset. A condition that cannot be asked beforehand (it calls something volatile, or reads
 * what a data-modifying CTE returns) is dropped; where a FROM item cannot be read beforehand, FROM is dropped with every
 * condition that names more than the target. With nothing left the probe asks for every base row, and the session's
 * limit on rows guards.
 */
import type { MergedTable } from '../catalog.ts'
import { conjunctsOf, writeClauses } from './clauses.ts'
import type { PinnedSelect } from './lock-probe.ts'
import type { WriteLevel } from './level.ts'
import { listOf, stringsOf, textOf, unwrapAs } from './node.ts'
import type { Names, ProbeGround } from './probe.ts'
import {
  ANY_NAMES,
  cteRange,
  isBaseRow,
  isRepeatableFrom,
  keptConjuncts,
  keyList,
  probeOfAll,
  tableAs,
  textIn,
  whereClause,
} from './probe.ts'
import type { KeyProbe } from './rewriting.ts'
import { singleProbe } from './single-probe.ts'
import type { Statement } from './statement.ts'
import { type TextRange, usesIn } from './mention.ts'
import { inside } from './volatility.ts'

/** The probe of one write; undefined where what it may touch is copied up already, by the probe of a pinned SELECT. */
export function probeWrite(
  ground: ProbeGround,
  level: WriteLevel,
  table: MergedTable,
  pinned: readonly PinnedSelect[],
): KeyProbe | undefined {
  const reason = level.operation === 'insert' ? 'update' : level.operation
  const probe = (text: string): KeyProbe => ({ table, text, reason, skipLocked: false })
  if (level.operation === 'merge' && touchesUnmatched(level)) return probe(probeOfAll(table))
  const { statement } = ground
  const { from, where } = writeClauses(statement, level)
  const keepsFrom = from !== undefined && isRepeatableFrom(ground, from)
  const names = from === undefined || keepsFrom ? ANY_NAMES : namesOfTarget(level, table)
  const conjuncts = keptConjuncts(ground, where, names)
  const isLocal = (range: TextRange): boolean =>
    isPinned(statement, range, level, table, pinned) || isPinnedByCte(statement, range, level, table, pinned)
  if (conjuncts.some(isLocal)) return undefined
  const { alias } = level.target
  const name = alias ?? level.target.name
  const items = keepsFrom ? [from] : []
  const tables = [tableAs(table, alias), ...items.map((range) => `${textIn(ground, range)}\n`)].join(', ')
  const filter = whereClause(ground, conjuncts, isBaseRow(table, name))
  const text = `${ground.ctes.clauseFor([...items, ...conjuncts])}SELECT ${keyList(table, name)} FROM ${tables} ${filter}`
  const isPlain = from === undefined && ground.facts.catalogFirst === true
  return {
    ...probe(text),
    single: isPlain ? singleProbe(statement, level, table, conjuncts, conditionsIn(statement, where), text) : undefined,
  }
}

/** How many conjuncts a condition has, those that cannot be asked included. */
function conditionsIn({ tokens }: Statement, where: TextRange | undefined): number {
  return where === undefined ? 0 : conjunctsOf(tokens, where).length
}

function namesOfTarget(level: WriteLevel, table: MergedTable): Names {
  return {
    qualifiers: new Set([level.target.alias ?? level.target.name]),
    columns: new Set(table.columns.map((column) => column.name)),
    subselects: false,
  }
}

/** MERGE with an action on rows of the target that no row of the source matches. */
function touchesUnmatched(level: WriteLevel): boolean {
  return listOf(level.tree, 'mergeWhenClauses').some((clause) => {
    const tree = unwrapAs('MergeWhenClause', clause)
    if (tree === undefined || textOf(tree, 'matchKind') !== 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE') return false
    return textOf(tree, 'commandType') !== 'CMD_NOTHING'
  })
}

/**
 * `key = (SELECT key FROM same table .. )`, `key IN (SELECT key ..)`: the rows of a pinned SELECT are local by now. So the
 * queue worker's UPDATE .. WHERE id = (SELECT id .. FOR UPDATE SKIP LOCKED) takes one probe, not two.
 */
function isPinned(
  statement: Statement,
  range: TextRange,
  level: WriteLevel,
  table: MergedTable,
  pinned: readonly PinnedSelect[],
): boolean {
  const [key, ...more] = table.keyColumns
  if (key === undefined || more.length > 0) return false
  const { tokens } = statement
  let at = tokens.indexAt(range.start)
  const [column] = usesIn(statement.columns, range)
  if (column?.position !== range.start || column.names.at(-1) !== key.name || column.names.length > 2) return false
  if (column.names.length === 2 && column.names[0] !== (level.target.alias ?? level.target.name)) return false
  at += column.names.length * 2 - 1
  if (!tokens.isSign(at, '=') && !tokens.isWord(at, 'in')) return false
  if (tokens.isSign(at, '=') && tokens.isWord(at + 1, 'any')) at++
  const open = at + 1
  if (!tokens.isSign(open, '(') || tokens.end(tokens.closing(open)) !== range.end) return false
  return pinned.some((select) => select.range.start === tokens.start(open + 1) && givesKey(select, table, key.name))
}

/**
 * `t.key = picked.id` where `picked` is a CTE whose body is a pinned SELECT of the same table's key. Written either way
 * round.
 */
function isPinnedByCte(
  statement: Statement,
  range: TextRange,
  level: WriteLevel,
  table: MergedTable,
  pinned: readonly PinnedSelect[],
): boolean {
  const [key, ...more] = table.keyColumns
  if (key === undefined || more.length > 0) return false
  const { tokens } = statement
  const names = usesIn(statement.columns, range)
  const [left, right] = names
  const plain = names.length === 2 && tokens.indexAt(range.end) - tokens.indexAt(range.start) === 7
  if (
    !plain ||
    left?.position !== range.start ||
    right === undefined ||
    !tokens.isSign(tokens.indexAt(range.start) + 3, '=')
  )
    return false
  const target = level.target.alias ?? level.target.name
  const [mine, other] = left.names[0] === target ? [left, right] : [right, left]
  if (mine.names.join('.') !== `${target}.${key.name}` || other.names[1] !== key.name) return false
  const cte = level.from.find((item) => item.alias === other.names[0])?.cte?.cte
  if (cte === undefined) return false
  const body = cteRange(statement, cte)
  return pinned.some(
    (select) =>
      inside(select.range.start, body) && select.range.end + 1 >= body.end - 1 && givesKey(select, table, key.name),
  )
}

/** Its one output column is the key of the table that it pins. */
function givesKey(select: PinnedSelect, table: MergedTable, key: string): boolean {
  if (select.tables.length !== 1 || select.tables[0]?.table !== table) return false
  const columns = listOf(select.level.tree, 'targetList')
  const output = unwrapAs('ResTarget', columns[0])
  const column = output === undefined ? undefined : unwrapAs('ColumnRef', output['val'])
  if (column === undefined || columns.length !== 1) return false
  const names = stringsOf(listOf(column, 'fields'))
  const qualified = names.length === 2 && names[0] === select.tables[0].alias
  return names.at(-1) === key && (names.length === 1 || qualified) && select.level.from.length === 1
}
