/**
 * From a client's statement to what the overlay runs: targets of writes and locks become `ONLY`, with probes for the base rows
 * that have to be local first. Reads stay as they are, but for COPY t TO; what cannot be run rightly is refused.
 */
import type { Catalog, MergedTable, ResolveRelation } from '../catalog.ts'
import { isMerged } from '../catalog.ts'
import { probeConflicts } from './conflict-probe.ts'
import type { WriteLevel } from './level.ts'
import type { PinnedSelect } from './lock-probe.ts'
import { isExact, nameOf, pinLimited, pinLocked, probePinned } from './lock-probe.ts'
import { CteList, type ProbeGround } from './probe.ts'
import { characterAt } from './offsets.ts'
import { rewriteCopy } from './rewrite-copy.ts'
import type { KeyProbe, Refusal, RewriteFacts, Rewriting } from './rewriting.ts'
import type { Splice } from './splice.ts'
import { addSplice, hasSplice, positionMap, quoteName, spliced } from './splice.ts'
import type { Statement, StatementKind } from './statement.ts'
import type { RelationUse } from './mention.ts'
import { probeWrite } from './write-probe.ts'

/**
 * Statements whose query runs now. The query of a view, a function, a rule or a PREPARE is kept for later: not ours to change, and
 * moved to the overlay by the triggers of base rows.
 */
const RUNNING: ReadonlySet<StatementKind> = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'explain',
  'declare',
  'copy-to',
])

/**
 * Rewrites one statement. The catalogue is the one that `resolve` looks names up in. `facts` tells what is known of
 * functions; without it, functions of a user count as volatile.
 */
export function rewrite(
  statement: Statement,
  catalog: Catalog,
  resolve: ResolveRelation,
  facts: RewriteFacts = {},
): Rewriting {
  const draft = new Draft(statement, catalog, resolve, facts)
  const refusal = refusalOf(statement, resolve)
  if (refusal !== undefined) return draft.finish({ refusal })
  const { detail } = statement
  if (detail.kind === 'copy') {
    const copied = rewriteCopy(statement, detail.copy, resolve)
    if (copied.splice !== undefined) addSplice(draft.splices, copied.splice)
    if (copied.refusal !== undefined) return draft.finish({ refusal: copied.refusal })
    if (copied.copyIn !== undefined) return draft.finish({ copyIn: copied.copyIn })
  }
  if (statement.kind === 'truncate') return draft.truncate()
  if (RUNNING.has(statement.kind) || runsQuery(statement)) draft.rewriteQueries()
  return draft.finish(statement.kind === 'ddl' ? { ddlTables: draft.merged(statement.relations) } : {})
}

/** CREATE TABLE .. AS runs its query at once. */
function runsQuery({ nodeTypes }: Statement): boolean {
  return nodeTypes.has('CreateTableAsStmt')
}

class Draft {
  readonly splices: Splice[] = []
  readonly #statement: Statement
  readonly #catalog: Catalog
  readonly #resolve: ResolveRelation
  /** A target's own ONLY is never in a probe: CTEs that modify are left out of it. */
  readonly #ground: ProbeGround
  readonly #probes: KeyProbe[] = []
  readonly #hydrate = new Set<MergedTable>()
  readonly #written = new Set<MergedTable>()
  readonly #views: RelationUse[] = []
  #refusal: Refusal | undefined

  constructor(statement: Statement, catalog: Catalog, resolve: ResolveRelation, facts: RewriteFacts) {
    this.#statement = statement
    this.#catalog = catalog
    this.#resolve = resolve
    const ground = { statement, facts, splices: this.splices }
    this.#ground = { ...ground, ctes: new CteList(ground) }
  }

  /** Inner levels first: the probe of an outer one reads what they have brought in. */
  rewriteQueries(): void {
    const { detail } = this.#statement
    const pinned = this.#pinned()
    for (const select of pinned) this.#pin(select)
    for (const level of this.#statement.writes) this.#write(level, pinned)
    // EXPLAIN alone runs nothing: the plan is that of the rewritten text.
    if (detail.kind === 'explain' && !detail.analyze) this.#probes.length = 0
  }

  #pinned(): readonly PinnedSelect[] {
    const { lockedSelects, limitedSelects, writes } = this.#statement
    const targets = new Set<unknown>()
    for (const write of writes) if (write.operation !== 'insert') targets.add(this.#resolve(nameOf(write.target)))
    const locked = pinLocked(this.#statement, lockedSelects, this.#resolve)
    const done = new Set(locked.map(({ level }) => level))
    const open = targets.size === 0 ? [] : limitedSelects.filter((level) => !done.has(level))
    const limited = pinLimited(this.#statement, open, this.#resolve)
      .map((select) => ({ ...select, views: [], tables: select.tables.filter(({ table }) => targets.has(table)) }))
      .filter((select) => select.tables.length > 0 && isExact(this.#ground, select))
    const size = ({ range }: PinnedSelect): number => range.end - range.start
    return [...locked, ...limited].sort((one, other) => size(one) - size(other))
  }

  #pin(select: PinnedSelect): void {
    this.#views.push(...select.views)
    // Probes of its own tables read the merged rows: made before its splices.
    this.#probes.push(...probePinned(this.#ground, select))
    for (const { table, use } of select.tables) {
      this.#written.add(table)
      if (table.keyColumns.length === 0) this.#hydrate.add(table)
      this.#only(use)
    }
  }

  #write(level: WriteLevel, pinned: readonly PinnedSelect[]): void {
    const table = this.#resolve(nameOf(level.target))
    if (table === 'view') this.#views.push(level.target)
    if (!isMerged(table)) return
    this.#written.add(table)
    if (level.operation === 'insert') return this.#insert(level, table)
    if (table.keyColumns.length === 0) this.#hydrate.add(table)
    else {
      const probe = probeWrite(this.#ground, level, table, pinned)
      if (probe !== undefined) this.#probes.push(probe)
    }
    this.#only(level.target)
  }

  #insert(level: WriteLevel, table: MergedTable): void {
    const probes = probeConflicts(this.#ground, level, table)
    if ('code' in probes) this.#refusal ??= probes
    else if (table.keyColumns.length > 0) this.#probes.push(...probes)
    else if (probes.length > 0) this.#hydrate.add(table)
  }

  /** `t` and `t *` become `ONLY t`. */
  #only(use: RelationUse): void {
    const { tokens } = this.#statement
    const place = { start: use.position, end: use.position }
    if (hasSplice(this.splices, use.position)) return
    addSplice(this.splices, { ...place, text: 'ONLY ' })
    let after = tokens.indexAt(use.position) + 1
    while (tokens.isSign(after, '.')) after += 2
    if (!tokens.isSign(after, '*')) return
    addSplice(this.splices, { start: tokens.start(after), end: tokens.end(after), text: '' })
  }

  merged(uses: readonly RelationUse[]): readonly MergedTable[] {
    const tables = new Set<MergedTable>()
    for (const use of uses) {
      const resolved = this.#resolve(nameOf(use))
      if (isMerged(resolved)) tables.add(this.#catalog.byId(resolved.id) ?? resolved)
    }
    return [...tables]
  }

  /** TRUNCATE of merged tables is the session's: their foreign children are taken off first. */
  truncate(): Rewriting {
    const { relations, detail } = this.#statement
    const truncate = this.merged(relations)
    if (truncate.length === 0) return this.finish({})
    const others = relations.filter((use) => !isMerged(this.#resolve(nameOf(use))))
    const names = others.map(
      (use) =>
        `${use.only ? 'ONLY ' : ''}${use.schema === undefined ? '' : `${quoteName(use.schema)}.`}${quoteName(use.name)}`,
    )
    const options =
      detail.kind === 'truncate'
        ? `${detail.restartIdentity ? ' RESTART IDENTITY' : ''}${detail.cascade ? ' CASCADE' : ''}`
        : ''
    const text = names.length === 0 ? '' : `TRUNCATE ${names.join(', ')}${options}`
    return { ...this.finish({ truncate }), text, changed: true }
  }

  finish(parts: Pick<Rewriting, 'refusal' | 'copyIn' | 'truncate' | 'ddlTables'>): Rewriting {
    const { text, start, end } = this.#statement
    const refusal = parts.refusal ?? this.#refusal
    return {
      text: spliced(text, { start, end }, this.splices),
      changed: this.splices.length > 0,
      probes: refusal === undefined ? this.#probes : [],
      hydrate: [...this.#hydrate],
      written: [...this.#written],
      views: this.#views,
      ...parts,
      ...(refusal === undefined ? {} : { refusal }),
      positions: positionMap(text, { start, end }, this.splices),
    }
  }
}

/** What the overlay would answer wrongly. DDL, LOCK and TRUNCATE may say ONLY: nothing is read by it. */
function refusalOf(statement: Statement, resolve: ResolveRelation): Refusal | undefined {
  for (const use of statement.relations) {
    if (use.role === 'named' || !isMerged(resolve(nameOf(use)))) continue
    if (!use.sampled && !use.only) continue
    const position = characterAt(statement.text, use.position)
    return use.sampled ? { ...SAMPLED, position } : { ...ONLY, position }
  }
  for (const level of statement.writes) {
    const table = resolve(nameOf(level.target))
    if (!isMerged(table)) continue
    // Counting characters reads the whole text.
    const position = (): number => characterAt(statement.text, level.target.position)
    if (table.kind === 'matview')
      return { code: '42809', message: `cannot change materialized view "${table.name}"`, position: position() }
    if (statement.currentOf && hasCurrentOf(level)) return { ...CURRENT_OF, position: position() }
  }
  return undefined
}

function hasCurrentOf(level: WriteLevel): boolean {
  const condition = level.tree['whereClause']
  return typeof condition === 'object' && condition !== null && 'CurrentOfExpr' in condition
}

const SAMPLED: Refusal = {
  code: '0A000',
  message: 'TABLESAMPLE is not supported on a merged table',
  hint: 'Use WHERE random() < fraction, or ORDER BY random() LIMIT n.',
}

const ONLY: Refusal = {
  code: '0A000',
  message: 'ONLY is not supported on a merged table',
  hint: 'Leave ONLY out: the table has no other descendants than the rows of production.',
}

const CURRENT_OF: Refusal = {
  code: '0A000',
  message: 'WHERE CURRENT OF is not supported on a merged table',
  hint: 'Select the key in the cursor and write WHERE key = value.',
}
