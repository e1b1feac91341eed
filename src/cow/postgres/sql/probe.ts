/** Builds key probes: the client's own text around a list of key columns, asked of base rows alone. */
import type { MergedTable } from '../catalog.ts'
import { conjunctsOf } from './clauses.ts'
import type { FromItem } from './level.ts'
import type { RewriteFacts } from './rewriting.ts'
import type { Splice } from './splice.ts'
import { quoteLiteral, quoteName, spliced } from './splice.ts'
import type { Statement } from './statement.ts'
import { type CteDefinition, type CteUse, type TextRange, usesIn } from './mention.ts'
import { volatileIn } from './volatility.ts'

/** What every probe of a statement shares. */
export interface ProbeGround {
  readonly statement: Statement
  readonly facts: RewriteFacts
  /** Made so far in inner levels: they are probed, and copied up, before. More come while the statement is rewritten. */
  readonly splices: readonly Splice[]
  readonly ctes: CteList
}

export function textIn({ statement, splices }: Omit<ProbeGround, 'ctes'>, range: TextRange): string {
  return spliced(statement.text, range, splices)
}

/** The key columns of a table under a name, as values of the probe. */
export function keyList(table: MergedTable, alias: string): string {
  return table.keyColumns.map(({ name, type }) => keyValue(`${quoteName(alias)}.${quoteName(name)}`, type)).join(', ')
}

/** A key column's value; a date as JSON has it, for the overlay reads it past the client's DateStyle. */
export function keyValue(column: string, type: string): string {
  return isDated(type) ? `(pg_catalog.to_jsonb(${column}) OPERATOR(pg_catalog.#>>) '{}')` : column
}

/** Its text hangs on DateStyle. `type` as `format_type` writes it. */
export function isDated(type: string): boolean {
  return /^(?:date|timestamp)\b/.test(type)
}

/** True for the base rows of a table under a name, hidden ones left out by the policy. */
export function isBaseRow(table: MergedTable, alias: string): string {
  return `${quoteName(alias)}.tableoid = ${quoteLiteral(table.foreign)}::pg_catalog.regclass`
}

/** A merged table under a name, as an item of FROM. Without an alias its columns may be written `schema.table.column`. */
export function tableAs(table: MergedTable, alias: string | undefined): string {
  const name = `${quoteName(table.schema)}.${quoteName(table.name)}`
  return alias === undefined ? name : `${name} AS ${quoteName(alias)}`
}

/** Every base row: the superset of all others. */
export function probeOfAll(table: MergedTable): string {
  return `SELECT ${keyList(table, 'mesh_t')} FROM ${tableAs(table, 'mesh_t')} WHERE ${isBaseRow(table, 'mesh_t')}`
}

/** From an entry's name to the end of its body, SEARCH and CYCLE clauses included. */
export function cteRange({ tokens, end }: Statement, cte: CteDefinition): TextRange {
  const first = tokens.indexAt(cte.position)
  if (cte.next !== undefined) return { start: cte.position, end: tokens.end(tokens.indexAt(cte.next) - 2) }
  const depth = tokens.depth(first)
  const last = tokens.indexAt(end)
  const verbs = ['select', 'insert', 'update', 'delete', 'merge', 'values', 'table']
  let index = tokens.findWord(['as'], first, last, depth)
  while (index < last && !tokens.isSign(index, '(')) index++
  index = tokens.closing(index) + 1
  while (index < last && !(tokens.depth(index) === depth && startsBody(index))) index++
  return { start: cte.position, end: tokens.end(index - 1) }

  function startsBody(at: number): boolean {
    return tokens.isSign(at, '(') || verbs.some((verb) => tokens.isWord(at, verb))
  }
}

/** Entries whose text may be read twice: they write nothing, call nothing volatile, and mention only such. */
export class CteList {
  readonly #ground: Omit<ProbeGround, 'ctes'>
  readonly #ranges = new Map<CteDefinition, TextRange>()
  #unfit: ReadonlySet<CteDefinition> | undefined

  constructor(ground: Omit<ProbeGround, 'ctes'>) {
    this.#ground = ground
  }

  /** No mention of an entry that cannot be read twice. */
  areFitIn(range: TextRange): boolean {
    this.#unfit ??= this.#findUnfit()
    const unfit = this.#unfit
    return unfit.size === 0 || this.#usesIn(range).every(({ cte }) => !unfit.has(cte))
  }

  /** The WITH clause that these parts of the text need, with what its entries need; empty for none. */
  clauseFor(ranges: readonly TextRange[]): string {
    const needed = new Set<CteDefinition>()
    const waiting = ranges.flatMap((range) => this.#usesIn(range))
    for (let use = waiting.pop(); use !== undefined; use = waiting.pop()) {
      if (needed.has(use.cte)) continue
      needed.add(use.cte)
      for (const inner of this.#usesIn(this.#rangeOf(use.cte))) waiting.push(inner)
    }
    if (needed.size === 0) return ''
    // Those of a WITH clause inside the parts, or inside another entry, come along with its text.
    const ordered: CteDefinition[] = []
    let covered = 0
    const parts = [...ranges].sort((one, other) => one.start - other.start)
    let part = 0
    let inParts = 0
    for (const cte of [...needed].sort((one, other) => one.position - other.position)) {
      for (; (parts[part]?.start ?? Infinity) <= cte.position; part++)
        inParts = Math.max(inParts, parts[part]?.end ?? 0)
      if (cte.position >= Math.max(covered, inParts)) ordered.push(cte)
      covered = Math.max(covered, this.#rangeOf(cte).end)
    }
    if (ordered.length === 0) return ''
    const recursive = ordered.some((cte) => cte.recursive) ? 'RECURSIVE ' : ''
    const texts = ordered.map((cte) => textIn(this.#ground, this.#rangeOf(cte)))
    return `WITH ${recursive}${texts.join('\n, ')}\n`
  }

  #usesIn(range: TextRange): readonly CteUse[] {
    return usesIn(this.#ground.statement.cteUses, range)
  }

  #rangeOf(cte: CteDefinition): TextRange {
    const range = this.#ranges.get(cte) ?? cteRange(this.#ground.statement, cte)
    this.#ranges.set(cte, range)
    return range
  }

  /** Entries that are so by themselves, then those that mention them. */
  #findUnfit(): ReadonlySet<CteDefinition> {
    const { statement, facts } = this.#ground
    const mentionedBy = new Map<CteDefinition, CteDefinition[]>()
    const unfit = new Set<CteDefinition>()
    for (const cte of new Set(statement.cteUses.map((use) => use.cte))) {
      const range = this.#rangeOf(cte)
      if (cte.modifies || volatileIn(statement, range, facts).length > 0) unfit.add(cte)
      for (const use of this.#usesIn(range)) {
        const known = mentionedBy.get(use.cte)
        if (known === undefined) mentionedBy.set(use.cte, [cte])
        else known.push(cte)
      }
    }
    // A set hands out what is added while it is walked.
    for (const cte of unfit) for (const by of mentionedBy.get(cte) ?? []) unfit.add(by)
    return unfit
  }
}

/** What a condition may name. */
export interface Names {
  /** Qualifiers; undefined for anything. */
  readonly qualifiers: ReadonlySet<string> | undefined
  /** Columns without a qualifier; undefined for anything. */
  readonly columns: ReadonlySet<string> | undefined
  /** Sub-selects bring names of their own: keep conditions with them. */
  readonly subselects: boolean
}

/** Every name: the condition stands where it stood. */
export const ANY_NAMES: Names = { qualifiers: undefined, columns: undefined, subselects: true }

/** The top-level conjuncts of a condition that can be asked beforehand; the others are dropped, which widens the result. */
export function keptConjuncts(ground: ProbeGround, where: TextRange | undefined, names: Names): readonly TextRange[] {
  if (where === undefined) return []
  const { statement, facts, ctes } = ground
  return conjunctsOf(statement.tokens, where).filter(
    (range) =>
      volatileIn(statement, range, facts).length === 0 && ctes.areFitIn(range) && namesFit(statement, range, names),
  )
}

/** A part of the text names nothing but what is there. */
export function namesFit(statement: Statement, range: TextRange, names: Names): boolean {
  if (!names.subselects && hasSelect(statement, range)) return false
  return usesIn(statement.columns, range).every((column) => {
    const [first, second] = column.names
    if (first === undefined || first === '*') return true
    // A name of one part may be a whole row: a relation's name.
    if (second === undefined)
      return names.columns === undefined || names.columns.has(first) || names.qualifiers?.has(first) === true
    const qualifier = column.names.length > 2 ? (column.names.at(-2) ?? first) : first
    return names.qualifiers === undefined || names.qualifiers.has(qualifier)
  })
}

function hasSelect({ tokens }: Statement, range: TextRange): boolean {
  const last = tokens.indexAt(range.end)
  for (let index = tokens.indexAt(range.start); index < last; index++) {
    if (['select', 'values', 'table'].some((word) => tokens.isWord(index, word))) return true
  }
  return false
}

/** Conjuncts and a last condition as a WHERE clause. Newlines end comments of the client. */
export function whereClause(ground: ProbeGround, conjuncts: readonly TextRange[], last: string): string {
  return `WHERE ${[...conjuncts.map((range) => `(${textIn(ground, range)}\n)`), last].join(' AND ')}`
}

/** Items that a volatile call, a sample or an unfit CTE would change from one time to the next. */
export function isRepeatableFrom({ statement, facts, ctes }: ProbeGround, from: TextRange): boolean {
  if (volatileIn(statement, from, facts).length > 0 || !ctes.areFitIn(from)) return false
  return !usesIn(statement.relations, from).some((relation) => relation.sampled)
}

export function aliasesOf(items: readonly FromItem[]): ReadonlySet<string> {
  return new Set(items.map((item) => item.alias))
}
