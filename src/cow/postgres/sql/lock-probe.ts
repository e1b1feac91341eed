/**
 * Pinned SELECTs: those whose rows must be local before the statement runs, so that their tables become `ONLY`. They are
 * SELECT .. FOR UPDATE|SHARE at any depth, and SELECT .. LIMIT inside a statement that updates or deletes from the same table
 * (which rows a LIMIT picks may change when they move), provided that it can be asked beforehand as it stands.
 *
 * The rule: for each pinned table one probe asks for base rows alone, without the lock, in the client's order and with
 * its LIMIT (LIMIT plus OFFSET, no OFFSET; some more rows under SKIP LOCKED). The best n of all rows are among the best n base
 * rows and the local ones, so after copy-up `ONLY` gives what the merged table would: a base row is never locked, for a
 * lock makes it local first. Under SKIP LOCKED another session may take what was copied up: where the statement then finds
 * no row although the probe gave some, the session asks again.
 */
import type { MergedTable } from '../catalog.ts'
import { isMerged } from '../catalog.ts'
import type { ResolveRelation } from '../catalog.ts'
import type { Clauses } from './clauses.ts'
import { conjunctsOf, selectClauses } from './clauses.ts'
import type { FromItem, SelectLevel } from './level.ts'
import type { Names, ProbeGround } from './probe.ts'
import {
  aliasesOf,
  ANY_NAMES,
  isBaseRow,
  isRepeatableFrom,
  keptConjuncts,
  keyList,
  keyValue,
  namesFit,
  probeOfAll,
  textIn,
  whereClause,
} from './probe.ts'
import type { KeyProbe } from './rewriting.ts'
import { quoteName } from './splice.ts'
import type { Statement } from './statement.ts'
import { type RelationUse, type TextRange, usesIn } from './mention.ts'
import { volatileIn } from './volatility.ts'

/** Candidates beyond LIMIT under SKIP LOCKED: as many other workers may take theirs between probe and statement. */
const SKIP_LOCKED_SLACK = 8

export interface PinnedTable {
  readonly table: MergedTable
  readonly use: RelationUse
  readonly alias: string
  readonly hidden: boolean
}

export interface PinnedSelect {
  readonly level: SelectLevel
  /** Undefined clauses: it could not be found in the text. */
  readonly clauses: Clauses | undefined
  readonly range: TextRange
  readonly tables: readonly PinnedTable[]
  /** Views that it locks. */
  readonly views: readonly RelationUse[]
  readonly skipLocked: boolean
}

/** What each of some SELECTs with a LIMIT pins: a sub-select of its FROM is there by itself, where it can be pinned. */
export function pinLimited(
  statement: Statement,
  levels: readonly SelectLevel[],
  resolve: ResolveRelation,
): readonly PinnedSelect[] {
  return levels.map((level) => pinned(statement, level, { items: level.from, skipLocked: false }, resolve))
}

/** What of a SELECT is locked. */
interface LockedItems {
  readonly items: readonly FromItem[]
  readonly skipLocked: boolean
}

/** What SELECTs with locking clauses pin. Such a clause reaches into sub-selects of its FROM: each is pinned by itself, and once. */
export function pinLocked(
  statement: Statement,
  levels: readonly SelectLevel[],
  resolve: ResolveRelation,
): readonly PinnedSelect[] {
  const found = new Map<SelectLevel, LockedItems>()
  for (const level of levels) {
    const isLocked = (item: FromItem): boolean =>
      level.locks.some((lock) => lock.of.length === 0 || lock.of.includes(item.alias))
    const skipLocked = level.locks.some((lock) => lock.wait === 'skip')
    lockItems(found, level, { items: level.from.filter(isLocked), skipLocked })
  }
  return [...found].map(([level, locked]) => pinned(statement, level, locked, resolve))
}

function lockItems(found: Map<SelectLevel, LockedItems>, level: SelectLevel, locked: LockedItems): void {
  const before = found.get(level)
  const skipLocked = locked.skipLocked || before?.skipLocked === true
  const known = new Set(before?.items)
  const fresh =
    skipLocked === (before?.skipLocked ?? false) ? locked.items.filter((item) => !known.has(item)) : locked.items
  for (const { select } of fresh) {
    if (select !== undefined) lockItems(found, select, { items: select.from, skipLocked: locked.skipLocked })
  }
  found.set(level, { items: [...new Set([...known, ...fresh])], skipLocked })
}

function pinned(
  statement: Statement,
  level: SelectLevel,
  { items, skipLocked }: LockedItems,
  resolve: ResolveRelation,
): PinnedSelect {
  const tables: PinnedTable[] = []
  const views: RelationUse[] = []
  for (const { relation: use, alias, hidden } of items) {
    if (use === undefined) continue
    const resolved = resolve(nameOf(use))
    if (resolved === 'view') views.push(use)
    if (isMerged(resolved)) tables.push({ table: resolved, use, alias, hidden })
  }
  const clauses = selectClauses(statement, level)
  const range = clauses?.range ?? { start: statement.start, end: statement.end }
  return { level, clauses, range, tables, views, skipLocked }
}

export function nameOf(use: RelationUse): { readonly schema?: string; readonly name: string } {
  return use.schema === undefined ? { name: use.name } : { schema: use.schema, name: use.name }
}

/** The probe can keep the LIMIT: what a SELECT without a lock needs to be pinned, else it goes on reading merged rows. */
export function isExact(ground: ProbeGround, select: PinnedSelect): boolean {
  const from = select.clauses?.from
  if (from === undefined || select.tables.some(({ hidden }) => hidden)) return false
  const names = innerNames(ground, select)
  if (!isRepeatableFrom(ground, from) || !namesFit(ground.statement, from, names)) return false
  return orderAndLimit(ground, select, names) !== undefined
}

/** One probe for each pinned table that has a key. */
export function probePinned(ground: ProbeGround, select: PinnedSelect): readonly KeyProbe[] {
  return select.tables.flatMap((pinned) => {
    if (pinned.table.keyColumns.length === 0) return []
    const text = probeText(ground, select, pinned)
    return [{ table: pinned.table, text, reason: 'lock' as const, skipLocked: select.skipLocked }]
  })
}

function probeText(ground: ProbeGround, select: PinnedSelect, pinned: PinnedTable): string {
  const { clauses, level } = select
  const { statement } = ground
  const from = clauses?.from
  const names = level.top ? ANY_NAMES : innerNames(ground, select)
  if (clauses === undefined || from === undefined || pinned.hidden) return probeOfAll(pinned.table)
  if (!isRepeatableFrom(ground, from) || !namesFit(statement, from, names)) return probeOfAll(pinned.table)
  const conjuncts = keptConjuncts(ground, clauses.where, names)
  const tail = orderAndLimit(ground, select, names)
  const tables = `FROM ${textIn(ground, from)}\n ${whereClause(ground, conjuncts, isBaseRow(pinned.table, pinned.alias))}`
  if (tail === undefined || clauses.list === undefined) {
    return `${ground.ctes.clauseFor([from, ...conjuncts])}SELECT ${keyList(pinned.table, pinned.alias)} ${tables}`
  }
  const keys = pinned.table.keyColumns.map(
    ({ name }, at) => `${quoteName(pinned.alias)}.${quoteName(name)} AS mesh_key_${at}`,
  )
  const outputs = pinned.table.keyColumns.map(({ type }, at) => keyValue(`mesh_q.mesh_key_${at}`, type))
  const body = `SELECT ${textIn(ground, clauses.list)}\n, ${keys.join(', ')} ${tables} ${tail}`
  const used = [clauses.list, from, ...conjuncts, ...(clauses.order === undefined ? [] : [clauses.order])]
  return `${ground.ctes.clauseFor(used)}SELECT ${outputs.join(', ')} FROM (${body}) AS mesh_q`
}

/** ORDER BY and LIMIT; undefined where a condition was dropped, for then a LIMIT might cut off what is meant. */
function orderAndLimit(ground: ProbeGround, select: PinnedSelect, names: Names): string | undefined {
  const where = select.clauses?.where
  const whole = where === undefined || covers(ground.statement, where, keptConjuncts(ground, where, names))
  return whole ? limitTail(ground, select, names) : undefined
}

/** Nothing of the condition was dropped: only then may a LIMIT stay. */
function covers(statement: Statement, where: TextRange, conjuncts: readonly TextRange[]): boolean {
  return conjunctsOf(statement.tokens, where).length === conjuncts.length
}

/** ORDER BY and LIMIT of the probe; undefined where it takes all rows. */
function limitTail(ground: ProbeGround, select: PinnedSelect, names: Names): string | undefined {
  const { clauses } = select
  const { statement, facts } = ground
  const limit = clauses?.limit ?? clauses?.fetch
  if (clauses?.list === undefined || limit === undefined) return undefined
  const { list, order, offset } = clauses
  const fetches = clauses.limit === undefined
  if (fetches && offset !== undefined) return undefined
  const parts = [list, limit, ...(order === undefined ? [] : [order]), ...(offset === undefined ? [] : [offset])]
  const askable = parts.every(
    (part) =>
      volatileIn(statement, part, facts).length === 0 && ground.ctes.areFitIn(part) && namesFit(statement, part, names),
  )
  if (!askable || /^all$/i.test(statement.text.slice(limit.start, limit.end))) return undefined
  const ordered = order === undefined ? '' : `ORDER BY ${textIn(ground, order)}\n `
  if (fetches) return `${ordered}${textIn(ground, limit)}`
  const sum = [limit, ...(offset === undefined ? [] : [offset])].map(
    (part) => `(${textIn(ground, part)}\n)::pg_catalog.int8`,
  )
  if (select.skipLocked) sum.push(String(SKIP_LOCKED_SLACK))
  return `${ordered}LIMIT ${sum.join(' + ')}`
}

/** What a sub-select can name by itself; a name of the queries around it makes a condition unaskable. */
function innerNames({ statement }: ProbeGround, select: PinnedSelect): Names {
  const qualifiers = new Set(aliasesOf(select.level.from))
  const columns = new Set<string>()
  for (const { cte } of usesIn(statement.cteUses, select.range)) qualifiers.add(cte.name)
  for (const { alias, name } of usesIn(statement.relations, select.range)) qualifiers.add(alias ?? name)
  for (const { table } of select.tables) for (const column of table.columns) columns.add(column.name)
  const pinned = new Set<RelationUse | undefined>(select.tables.map(({ use }) => use))
  const known = select.level.from.every((item) => item.relation !== undefined && pinned.has(item.relation))
  return { qualifiers, columns: known ? columns : undefined, subselects: true }
}
