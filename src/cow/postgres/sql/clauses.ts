/** Where the clauses of a query level stand: found by keywords at its own depth. */
import type { SelectLevel, WriteLevel } from './level.ts'
import { fieldOf, numberOf } from './node.ts'
import type { Statement } from './statement.ts'
import type { TextRange } from './mention.ts'
import type { Tokens } from './tokens.ts'

/** Ranges of clauses, keyword left out; undefined where the level has none. */
export interface Clauses {
  /** The level itself, WITH clause left out. */
  readonly range: TextRange
  /** Output list of a SELECT, DISTINCT left out. */
  readonly list: TextRange | undefined
  /** FROM, or USING of DELETE and MERGE. */
  readonly from: TextRange | undefined
  /** WHERE, or ON of MERGE. */
  readonly where: TextRange | undefined
  readonly order: TextRange | undefined
  readonly limit: TextRange | undefined
  readonly offset: TextRange | undefined
  /** FETCH FIRST n ROWS .., its keyword kept. */
  readonly fetch: TextRange | undefined
}

/** In what order they come is no matter: each ends where the next begins. */
const SELECT_CLAUSES = ['from', 'where', 'group', 'having', 'window', 'order', 'limit', 'offset', 'fetch', 'for']
const SELECT_ENDS = ['union', 'intersect', 'except', 'returning']

/** The clauses of a SELECT; undefined where it cannot be found in the text, as for one without output columns. */
export function selectClauses(statement: Statement, level: SelectLevel): Clauses | undefined {
  const { tokens } = statement
  if (level.anchor === undefined) return undefined
  const list = tokens.indexAt(level.anchor)
  const depth = tokens.depth(list)
  let first = list - 1
  while (first >= 0 && !(tokens.depth(first) === depth && tokens.isWord(first, 'select'))) first--
  if (first < 0) return undefined
  const end = selectEnd(statement, list, depth)
  const found = clauseStarts(tokens, list, end, depth)
  const ranges = clauseRanges(tokens, found, end)
  const listEnd = found[0]?.index ?? end
  return {
    range: { start: tokens.start(first), end: tokens.end(end - 1) },
    list: { start: tokens.start(list), end: tokens.end(listEnd - 1) },
    from: ranges.get('from'),
    where: ranges.get('where'),
    order: afterBy(tokens, ranges.get('order')),
    limit: ranges.get('limit'),
    offset: withoutRows(tokens, ranges.get('offset')),
    fetch: keywordKept(tokens, ranges.get('fetch')),
  }
}

/** The token after the SELECT: its closing parenthesis, a set operation, ON CONFLICT, RETURNING, or the statement's end. */
function selectEnd(statement: Statement, from: number, depth: number): number {
  const { tokens } = statement
  let last = tokens.indexAt(statement.end)
  for (const { tree } of statement.writes) {
    const clause = fieldOf(tree, 'onConflictClause')
    const at = clause === undefined ? -1 : conflictToken(statement, numberOf(clause, 'location'))
    if (at > from && tokens.depth(at) === depth) last = Math.min(last, at)
  }
  for (let index = from; index < last; index++) {
    if (tokens.depth(index) < depth) return index
    if (tokens.depth(index) === depth && SELECT_ENDS.some((word) => isClause(tokens, index, word))) return index
  }
  return last
}

/** The ON of an ON CONFLICT whose location (of the tree, in bytes) is given. */
function conflictToken(statement: Statement, location: number): number {
  return statement.tokens.indexAt(statement.offsetOf(location))
}

interface ClauseStart {
  readonly word: string
  readonly index: number
}

function clauseStarts(tokens: Tokens, from: number, to: number, depth: number): readonly ClauseStart[] {
  const found: ClauseStart[] = []
  for (let index = from; index < to; index++) {
    if (tokens.depth(index) !== depth || tokens.kind(index) !== 'word') continue
    const word = SELECT_CLAUSES.find((clause) => isClause(tokens, index, clause))
    if (word !== undefined && !found.some((start) => start.word === word)) found.push({ word, index })
  }
  return found
}

/** The keyword begins a clause: no label, no part of `IS DISTINCT FROM`, of `WITHIN GROUP`, of an operator's words. */
function isClause(tokens: Tokens, index: number, word: string): boolean {
  if (!tokens.isWord(index, word) || tokens.isWord(index - 1, 'as')) return false
  if (word === 'from') return !isDistinctFrom(tokens, index)
  if (word === 'group') return !tokens.isWord(index - 1, 'within')
  return true
}

function isDistinctFrom(tokens: Tokens, index: number): boolean {
  if (!tokens.isWord(index - 1, 'distinct')) return false
  return tokens.isWord(index - 2, 'is') || (tokens.isWord(index - 2, 'not') && tokens.isWord(index - 3, 'is'))
}

function clauseRanges(tokens: Tokens, found: readonly ClauseStart[], end: number): ReadonlyMap<string, TextRange> {
  const ranges = new Map<string, TextRange>()
  for (const [at, { word, index }] of found.entries()) {
    const next = found[at + 1]?.index ?? end
    ranges.set(word, { start: tokens.start(index + 1), end: tokens.end(next - 1) })
  }
  return ranges
}

function afterBy(tokens: Tokens, range: TextRange | undefined): TextRange | undefined {
  if (range === undefined) return undefined
  return { start: tokens.start(tokens.indexAt(range.start) + 1), end: range.end }
}

/** OFFSET 5 ROWS: the number alone. */
function withoutRows(tokens: Tokens, range: TextRange | undefined): TextRange | undefined {
  if (range === undefined) return undefined
  const last = tokens.indexAt(range.end) - 1
  const rows = tokens.isWord(last, 'rows') || tokens.isWord(last, 'row')
  return rows && tokens.start(last) > range.start ? { start: range.start, end: tokens.end(last - 1) } : range
}

function keywordKept(tokens: Tokens, range: TextRange | undefined): TextRange | undefined {
  return range === undefined ? undefined : { start: tokens.start(tokens.indexAt(range.start) - 1), end: range.end }
}

/** The clauses of an UPDATE, DELETE or MERGE; for an INSERT its range alone. */
export function writeClauses(statement: Statement, level: WriteLevel): Clauses {
  const { tokens } = statement
  const target = tokens.indexAt(level.target.position)
  const depth = tokens.depth(target)
  let verb = target - 1
  while (verb > 0 && !(tokens.depth(verb) === depth && tokens.isWord(verb, level.operation))) verb--
  const last = tokens.indexAt(statement.end)
  let end = target
  while (end < last && tokens.depth(end) >= depth) end++
  const range = { start: tokens.start(verb), end: tokens.end(end - 1) }
  const none = { list: undefined, order: undefined, limit: undefined, offset: undefined, fetch: undefined }
  if (level.operation === 'insert') return { range, from: undefined, where: undefined, ...none }
  if (level.operation === 'merge') return { range, ...mergeClauses(tokens, target, end, depth), ...none }
  const opening = level.operation === 'update' ? 'from' : 'using'
  const from = findClause(tokens, [opening], target, end, depth)
  const where = findClause(tokens, ['where'], target, end, depth)
  const returning = findClause(tokens, ['returning'], target, end, depth)
  return {
    range,
    from: from < 0 || (where >= 0 && from > where) ? undefined : between(tokens, from, firstOf(where, returning, end)),
    where: where < 0 ? undefined : between(tokens, where, firstOf(returning, -1, end)),
    ...none,
  }
}

function mergeClauses(tokens: Tokens, target: number, end: number, depth: number): Pick<Clauses, 'from' | 'where'> {
  const using = findClause(tokens, ['using'], target, end, depth)
  const when = findClause(tokens, ['when'], target, end, depth)
  let on = when
  while (on > using && !(tokens.depth(on) === depth && tokens.isWord(on, 'on'))) on--
  return { from: between(tokens, using, on), where: between(tokens, on, when) }
}

function findClause(tokens: Tokens, words: readonly string[], from: number, to: number, depth: number): number {
  for (let index = from; index < to; index++) {
    if (tokens.depth(index) === depth && words.some((word) => isClause(tokens, index, word))) return index
  }
  return -1
}

function firstOf(one: number, other: number, end: number): number {
  return one >= 0 ? one : other >= 0 ? other : end
}

/** Between two tokens, neither included. */
function between(tokens: Tokens, from: number, to: number): TextRange {
  return { start: tokens.start(from + 1), end: tokens.end(to - 1) }
}

/** The parts of a condition that a top-level AND joins; the whole where an OR is at the top. */
export function conjunctsOf(tokens: Tokens, range: TextRange): readonly TextRange[] {
  let from = tokens.indexAt(range.start)
  let to = tokens.indexAt(range.end)
  while (tokens.isSign(from, '(') && tokens.closing(from) === to - 1) {
    from++
    to--
  }
  const depth = tokens.depth(from)
  const cuts: number[] = []
  let betweens = 0
  for (let index = from; index < to; index++) {
    if (tokens.depth(index) !== depth || tokens.kind(index) !== 'word') continue
    if (tokens.isWord(index, 'or')) return [{ start: tokens.start(from), end: tokens.end(to - 1) }]
    if (tokens.isWord(index, 'between')) betweens++
    else if (tokens.isWord(index, 'and')) {
      if (betweens > 0) betweens--
      else cuts.push(index)
    }
  }
  return [...cuts, to].map((cut, at) => {
    const start = at === 0 ? from : (cuts[at - 1] ?? from) + 1
    return { start: tokens.start(start), end: tokens.end(cut - 1) }
  })
}
