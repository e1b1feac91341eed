/**
 * Probes for INSERT .. ON CONFLICT DO UPDATE: base rows that a row of the source would conflict with, by the arbiter
 * (all unique indexes where it is named and unknown).
 *
 * The rule: columns that the INSERT leaves out, or fills with DEFAULT, a sequence, a random value, are taken as new: they
 * never meet a base row, and in an index of several columns they are not compared. A value from a volatile function of a
 * user cannot be known: refused where it is all that the index has. A SELECT source is read once by the probe and once by
 * the statement; with a volatile function of a user in it, it is refused; over what a data-modifying CTE returns, all
 * base rows count.
 */
import type { MergedTable } from '../catalog.ts'
import type { WriteLevel } from './level.ts'
import type { SyntaxTree } from './node.ts'
import { fieldOf, listOf, numberOf, textOf, unwrapAs } from './node.ts'
import type { ProbeGround } from './probe.ts'
import { isBaseRow, keyList, probeOfAll, tableAs, textIn } from './probe.ts'
import type { KeyProbe, Refusal } from './rewriting.ts'
import { quoteName, spliced } from './splice.ts'
import { type TextRange, usesIn } from './mention.ts'
import type { Tokens } from './tokens.ts'
import { volatileIn, volatilityOf } from './volatility.ts'

/** The rows to insert as an item of FROM, and what stands for a column of theirs. */
interface Source {
  readonly item: string
  readonly ranges: readonly TextRange[]
  /** SQL for a column; `new` where no base row can have it, `unknown` where it cannot be asked. */
  column(name: string): { readonly sql: string } | 'new' | 'unknown'
}

type Arbiter = { readonly columns: readonly string[] } | { readonly elements: readonly TextRange[] }

const UNKNOWN_VALUES: Refusal = {
  code: '0A000',
  message: 'ON CONFLICT DO UPDATE over values of a volatile function is not supported on a merged table',
  hint: 'Compute the values first and pass them as constants or parameters.',
}

export function probeConflicts(
  ground: ProbeGround,
  level: WriteLevel,
  table: MergedTable,
): readonly KeyProbe[] | Refusal {
  const clause = fieldOf(level.tree, 'onConflictClause')
  if (clause === undefined || textOf(clause, 'action') !== 'ONCONFLICT_UPDATE') return []
  const { tokens } = ground.statement
  const conflict = tokens.indexAt(ground.statement.offsetOf(numberOf(clause, 'location')))
  const range = sourceRange(tokens, level, conflict)
  if (range === undefined) return []
  const volatile = volatileIn(ground.statement, range, ground.facts)
  const isValues = tokens.isWord(tokens.indexAt(range.start), 'values')
  if (!isValues && volatile.some((use) => volatilityOf(use, ground.facts) === 'volatile')) return UNKNOWN_VALUES
  const probe = (text: string): KeyProbe => ({ table, text, reason: 'conflict', skipLocked: false })
  if (!ground.ctes.areFitIn(range)) return [probe(probeOfAll(table))]
  const names = columnNames(level, table)
  const arbiters = arbitersOf(clause, table, tokens, conflict)
  const wanted = new Set([...table.uniques.flat(), ...arbiters.flatMap((arbiter) => namesIn(ground, arbiter))])
  const source = isValues
    ? valuesSource(ground, range, names, table, wanted)
    : selectSource(ground, range, names, table, level)
  const probes: KeyProbe[] = []
  for (const arbiter of arbiters) {
    const condition = conditionOf(ground, arbiter, source)
    if (condition === 'unknown') return UNKNOWN_VALUES
    if (condition === 'new') continue
    const from = `${tableAs(table, 'mesh_t')}, ${source.item}`
    const where = `WHERE ${condition.sql} AND ${isBaseRow(table, 'mesh_t')}`
    probes.push(
      probe(`${ground.ctes.clauseFor(source.ranges)}SELECT ${keyList(table, 'mesh_t')} FROM ${from} ${where}`),
    )
  }
  return probes
}

/** From VALUES, SELECT, TABLE, WITH or a parenthesis up to ON CONFLICT; undefined for DEFAULT VALUES. */
function sourceRange(tokens: Tokens, level: WriteLevel, conflict: number): TextRange | undefined {
  let at = tokens.indexAt(level.target.position) + 1
  while (tokens.isSign(at, '.')) at += 2
  if (tokens.isWord(at, 'as')) at += 2
  if (listOf(level.tree, 'cols').length > 0) at = tokens.closing(at) + 1
  if (tokens.isWord(at, 'overriding')) at += 3
  return tokens.isWord(at, 'default') ? undefined : { start: tokens.start(at), end: tokens.end(conflict - 1) }
}

function columnNames(level: WriteLevel, table: MergedTable): readonly string[] {
  const listed = listOf(level.tree, 'cols').flatMap((column) => {
    const target = unwrapAs('ResTarget', column)
    return target === undefined ? [] : [textOf(target, 'name') ?? '']
  })
  return listed.length > 0 ? listed : table.columns.map((column) => column.name)
}

/** The cells of VALUES rows, by row. */
function cellsOf(tokens: Tokens, range: TextRange): readonly (readonly TextRange[])[] {
  const rows: TextRange[][] = []
  const last = tokens.indexAt(range.end)
  for (let open = tokens.indexAt(range.start) + 1; open < last && tokens.isSign(open, '(');) {
    const close = tokens.closing(open)
    const row: TextRange[] = []
    let from = open + 1
    for (let index = from; index <= close; index++) {
      if (index < close && !(tokens.depth(index) === tokens.depth(open) + 1 && tokens.isSign(index, ','))) continue
      row.push({ start: tokens.start(from), end: tokens.end(index - 1) })
      from = index + 1
    }
    rows.push(row)
    open = close + 2
  }
  return rows
}

function valuesSource(
  ground: ProbeGround,
  range: TextRange,
  names: readonly string[],
  table: MergedTable,
  wanted: ReadonlySet<string>,
): Source {
  const { statement, facts } = ground
  const rows = cellsOf(statement.tokens, range)
  const types = new Map(table.columns.map((column) => [column.name, column.type]))
  const columns = names
    .map((name, at) => ({ name, at }))
    .filter(({ name }) => wanted.has(name) || table.uniques.length === 0)
  const unknown = new Set<string>()
  const fresh = new Map<string, number>()
  const cell = (name: string, part: TextRange | undefined): string => {
    const type = types.get(name) ?? 'text'
    const text = part === undefined ? 'default' : textIn(ground, part)
    const calls = part === undefined ? [] : volatileIn(statement, part, facts)
    if (calls.some((use) => volatilityOf(use, facts) === 'volatile')) unknown.add(name)
    const isNew = calls.length > 0 || text.toLowerCase() === 'default'
    if (isNew) fresh.set(name, (fresh.get(name) ?? 0) + 1)
    return isNew ? `NULL::${type}` : `CAST(${text}\n AS ${type})`
  }
  const lines = rows.map((row) => `(${columns.map(({ name, at }) => cell(name, row[at])).join(', ')})`)
  return {
    item: `(VALUES ${lines.join(', ')}) AS mesh_s(${columns.map(({ at }) => `c${at}`).join(', ')})`,
    ranges: [range],
    column: (name) => {
      const found = columns.find((column) => column.name === name)
      if (unknown.has(name)) return 'unknown'
      return found === undefined || fresh.get(name) === rows.length ? 'new' : { sql: `mesh_s.c${found.at}` }
    },
  }
}

function selectSource(
  ground: ProbeGround,
  range: TextRange,
  names: readonly string[],
  table: MergedTable,
  level: WriteLevel,
): Source {
  const given = outputCount(level.tree) ?? names.length
  const types = new Map(table.columns.map((column) => [column.name, column.type]))
  const aliases = names.slice(0, given).map((_, at) => `c${at}`)
  return {
    item: `(${textIn(ground, range)}\n) AS mesh_s(${aliases.join(', ')})`,
    ranges: [range],
    column: (name) => {
      const at = names.indexOf(name)
      return at < 0 || at >= given ? 'new' : { sql: `CAST(mesh_s.c${at} AS ${types.get(name) ?? 'text'})` }
    },
  }
}

/** How many columns the SELECT gives; undefined where a star hides it. */
function outputCount(tree: SyntaxTree): number | undefined {
  let select = unwrapAs('SelectStmt', tree['selectStmt'])
  for (let left = select && fieldOf(select, 'larg'); left !== undefined; left = fieldOf(left, 'larg')) select = left
  if (select === undefined) return undefined
  const list = listOf(select, 'targetList')
  const starred = list.some((output) => {
    const column = unwrapAs('ColumnRef', unwrapAs('ResTarget', output)?.['val'])
    return column !== undefined && listOf(column, 'fields').some((field) => unwrapAs('A_Star', field) !== undefined)
  })
  return starred || list.length === 0 ? undefined : list.length
}

function arbitersOf(clause: SyntaxTree, table: MergedTable, tokens: Tokens, conflict: number): readonly Arbiter[] {
  const all = table.uniques.map((columns) => ({ columns }))
  const infer = fieldOf(clause, 'infer')
  if (infer === undefined) return all
  const name = textOf(infer, 'conname')
  if (name !== undefined) {
    const at = table.uniqueNames?.indexOf(name) ?? -1
    const columns = at < 0 ? undefined : table.uniques[at]
    return columns === undefined ? all : [{ columns }]
  }
  const elements = listOf(infer, 'indexElems').map((element) => unwrapAs('IndexElem', element))
  const columns = elements.flatMap((element) => (element === undefined ? [] : [textOf(element, 'name') ?? '']))
  return columns.includes('') ? [{ elements: elementRanges(tokens, conflict + 2) }] : [{ columns }]
}

/** Columns that an arbiter compares, be it in an expression. */
function namesIn({ statement }: ProbeGround, arbiter: Arbiter): readonly string[] {
  if ('columns' in arbiter) return arbiter.columns
  return arbiter.elements.flatMap((range) => {
    const uses = usesIn(statement.columns, range)
    return uses.length === 0 ? [identifierAt(statement.tokens, range)] : uses.map(({ names }) => names.at(-1) ?? '')
  })
}

/** The expressions of an arbiter list, without COLLATE and operator classes: a name, a call, or a parenthesis each. */
function elementRanges(tokens: Tokens, open: number): readonly TextRange[] {
  const ranges: TextRange[] = []
  const close = tokens.closing(open)
  for (let at = open + 1; at < close;) {
    let last = at
    while (tokens.isSign(last + 1, '.')) last += 2
    if (tokens.isSign(last, '(')) last = tokens.closing(last)
    else if (tokens.isSign(last + 1, '(')) last = tokens.closing(last + 1)
    ranges.push({ start: tokens.start(at), end: tokens.end(last) })
    while (at < close && !(tokens.depth(at) === tokens.depth(open) + 1 && tokens.isSign(at, ','))) at++
    at++
  }
  return ranges
}

function conditionOf(
  ground: ProbeGround,
  arbiter: Arbiter,
  source: Source,
): { readonly sql: string } | 'new' | 'unknown' {
  const parts =
    'columns' in arbiter
      ? columnParts(arbiter.columns, source)
      : arbiter.elements.map((range) => elementPart(ground, range, source))
  const asked = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.sql]))
  if (asked.length > 0) return { sql: asked.join(' AND ') }
  return parts.includes('unknown') ? 'unknown' : 'new'
}

function columnParts(
  columns: readonly string[],
  source: Source,
): readonly ({ readonly sql: string } | 'new' | 'unknown')[] {
  return columns.map((name) => {
    const value = source.column(name)
    return typeof value === 'string' ? value : { sql: `mesh_t.${quoteName(name)} = ${value.sql}` }
  })
}

/** An expression of an index, once over the base row and once over the source's. */
function elementPart(
  ground: ProbeGround,
  range: TextRange,
  source: Source,
): { readonly sql: string } | 'new' | 'unknown' {
  const { statement } = ground
  const uses = usesIn(statement.columns, range)
  const bare = uses.length === 0 && statement.tokens.indexAt(range.end) - statement.tokens.indexAt(range.start) === 1
  if (bare) return columnParts([identifierAt(statement.tokens, range)], source)[0] ?? 'unknown'
  const values = uses.map((use) => ({ use, value: source.column(use.names.at(-1) ?? '') }))
  const side = (sqlOf: (name: string, sql: string) => string): string =>
    spliced(
      statement.text,
      range,
      values.map(({ use, value }) => {
        const at = statement.tokens.indexAt(use.position) + use.names.length * 2 - 2
        const sql = typeof value === 'string' ? 'NULL' : value.sql
        return { start: use.position, end: statement.tokens.end(at), text: sqlOf(use.names.at(-1) ?? '', sql) }
      }),
    )
  const failed = values.find(({ value }) => typeof value === 'string')?.value
  if (typeof failed === 'string') return failed
  return { sql: `(${side((name) => `mesh_t.${quoteName(name)}`)}\n) = (${side((_name, sql) => sql)}\n)` }
}

function identifierAt(tokens: Tokens, range: TextRange): string {
  const at = tokens.indexAt(range.start)
  const text = tokens.at(at)
  return tokens.kind(at) === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase()
}
