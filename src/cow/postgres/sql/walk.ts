/** One walk over a statement's tree, without recursion: a chain of 10,000 operators is 10,000 nodes deep. */
import type { FromItem, RowLock, SelectLevel, WriteLevel, WriteOperation } from './level.ts'
import type { SyntaxTree, TypedNode } from './node.ts'
import { fieldOf, flagOf, isTree, listOf, numberOf, textOf, unwrap, unwrapAs } from './node.ts'
import type { ParsedTree, RawStatement } from './parser.ts'
import type { Statement } from './statement.ts'
import type { CteDefinition, CteUse, RelationRole, RelationUse } from './mention.ts'
import { byPosition, UseCollector } from './uses.ts'

/** What the walk finds of a Statement. */
export type Findings = Pick<
  Statement,
  | 'relations'
  | 'cteUses'
  | 'functions'
  | 'operators'
  | 'types'
  | 'valueFunctions'
  | 'columns'
  | 'nodeTypes'
  | 'writes'
  | 'lockedSelects'
  | 'limitedSelects'
  | 'currentOf'
  | 'into'
>

type MutableCte = { -readonly [Key in keyof CteDefinition]: CteDefinition[Key] }

/** A WITH list of which a place can see the first `count` entries, linked outwards. */
interface Scope {
  readonly entries: ReadonlyMap<string, { readonly cte: MutableCte; readonly place: number }>
  readonly count: number
  readonly outer: Scope | undefined
}

/** The CTE bodies around a place. */
interface Within {
  readonly cte: MutableCte
  readonly outer: Within | undefined
}

interface Step extends TypedNode {
  readonly parent: string
  readonly scope: Scope | undefined
  readonly within: Within | undefined
}

/** Fields whose type is one only, so that the parser does not wrap them. */
const FIELD_TYPES: Readonly<Record<string, string>> = {
  relation: 'RangeVar',
  rel: 'RangeVar',
  view: 'RangeVar',
  sequence: 'RangeVar',
  pktable: 'RangeVar',
  typevar: 'RangeVar',
  larg: 'SelectStmt',
  rarg: 'SelectStmt',
  typeName: 'TypeName',
  returnType: 'TypeName',
  argType: 'TypeName',
  ofTypename: 'TypeName',
  intoClause: 'IntoClause',
  into: 'IntoClause',
  withClause: 'WithClause',
  onConflictClause: 'OnConflictClause',
  infer: 'InferClause',
  over: 'WindowDef',
}
const WRITES: Readonly<Record<string, WriteOperation>> = {
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
}
/** Where a relation in a list is read; everywhere else it is only named. */
const READERS: ReadonlySet<string> = new Set([
  'SelectStmt',
  'JoinExpr',
  'RangeTableSample',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
])

export class TreeWalk {
  readonly #parsed: ParsedTree
  readonly #raw: RawStatement
  readonly #uses: UseCollector
  readonly #steps: Step[] = []
  readonly #relations = new Map<number, RelationUse>()
  readonly #cteUses = new Map<number, CteUse>()
  readonly #queries = new Map<SyntaxTree, string>()
  readonly #levels = new Map<SyntaxTree, SelectLevel>()
  readonly #targets = new Set<SyntaxTree>()
  readonly #nodeTypes = new Set<string>()
  #currentOf = false
  #into = false

  constructor(parsed: ParsedTree, raw: RawStatement) {
    this.#parsed = parsed
    this.#raw = raw
    this.#uses = new UseCollector((tree) => this.#position(tree))
  }

  run(): Findings {
    this.#push({ type: this.#raw.type, tree: this.#raw.tree }, { parent: '', scope: undefined, within: undefined })
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) this.#visit(step)
    const writes: WriteLevel[] = []
    const lockedSelects: SelectLevel[] = []
    const limitedSelects: SelectLevel[] = []
    for (const [tree, type] of this.#queries) {
      if (type !== 'SelectStmt') writes.push(...this.#writeLevel(type, tree))
      else if (listOf(tree, 'lockingClause').length > 0) lockedSelects.push(this.#selectLevel(tree))
      else if (isLimited(tree) && tree !== this.#raw.tree) limitedSelects.push(this.#selectLevel(tree))
    }
    return {
      ...this.#uses.uses(),
      relations: [...this.#relations.values()].sort(byPosition),
      cteUses: [...this.#cteUses.values()].sort(byPosition),
      nodeTypes: this.#nodeTypes,
      writes: writes.sort((one, other) => one.target.position - other.target.position),
      lockedSelects: lockedSelects.sort((one, other) => (one.anchor ?? 0) - (other.anchor ?? 0)),
      limitedSelects,
      currentOf: this.#currentOf,
      into: this.#into,
    }
  }

  #position(tree: SyntaxTree): number {
    const location = numberOf(tree, 'location')
    return location < 0 ? -1 : this.#parsed.offsetOf(location)
  }

  #push(node: TypedNode, place: Pick<Step, 'parent' | 'scope' | 'within'>): void {
    this.#steps.push({ ...node, parent: place.parent, scope: place.scope, within: place.within })
  }

  #visit(step: Step): void {
    const { type, tree } = step
    this.#nodeTypes.add(type)
    this.#uses.add(type, tree, step.parent)
    if (type === 'RangeVar') this.#addRelation(step)
    else if (type === 'LockingClause') return
    else if (type === 'CurrentOfExpr') this.#currentOf = true
    else if (type === 'SelectStmt' || WRITES[type] !== undefined) this.#enterQuery(step)
    else this.#enterFields(step, step.scope)
    if (type === 'SelectStmt' && fieldOf(tree, 'intoClause') !== undefined) this.#into = true
  }

  #enterQuery(step: Step): void {
    const { type, tree, within } = step
    const target = type === 'SelectStmt' ? undefined : fieldOf(tree, 'relation')
    if (target !== undefined) this.#targets.add(target)
    if (type !== 'SelectStmt') markModifying(within)
    const scope = this.#enterWith(step)
    this.#queries.set(tree, type)
    this.#enterFields(step, scope)
  }

  /** Opens the WITH list of a query: an entry sees those before it, in a RECURSIVE list all. Gives what the query sees. */
  #enterWith(step: Step): Scope | undefined {
    const clause = fieldOf(step.tree, 'withClause')
    if (clause === undefined) return step.scope
    const recursive = flagOf(clause, 'recursive')
    const entries = new Map<string, { readonly cte: MutableCte; readonly place: number }>()
    const bodies: { readonly cte: MutableCte; readonly tree: SyntaxTree }[] = []
    let previous: MutableCte | undefined
    for (const entry of listOf(clause, 'ctes')) {
      const tree = unwrapAs('CommonTableExpr', entry)
      if (tree === undefined) continue
      const position = this.#position(tree)
      if (previous !== undefined) previous.next = position
      const cte: MutableCte = {
        name: textOf(tree, 'ctename') ?? '',
        position,
        next: undefined,
        recursive,
        modifies: false,
      }
      entries.set(cte.name, { cte, place: bodies.length })
      bodies.push({ cte, tree })
      previous = cte
    }
    this.#nodeTypes.add('CommonTableExpr')
    const scope = { entries, count: bodies.length, outer: step.scope }
    for (const [place, { cte, tree }] of bodies.entries()) {
      const around = {
        parent: 'CommonTableExpr',
        scope: recursive ? scope : { ...scope, count: place },
        within: { cte, outer: step.within },
      }
      const body = unwrap(tree['ctequery'])
      if (body !== undefined) this.#push(body, around)
      for (const key of ['search_clause', 'cycle_clause']) if (tree[key] !== undefined) this.#nodeTypes.add(key)
    }
    return scope
  }

  #enterFields(step: Step, scope: Scope | undefined): void {
    const place = { parent: step.type, scope, within: step.within }
    for (const [key, value] of Object.entries(step.tree)) {
      if (key === 'withClause') continue
      if (Array.isArray(value)) for (const item of value) this.#enterValue('', item, place)
      else if (isTree(value)) this.#enterValue(FIELD_TYPES[key] ?? '', value, place)
    }
  }

  #enterValue(type: string, value: unknown, place: Pick<Step, 'parent' | 'scope' | 'within'>): void {
    const node = unwrap(value)
    if (node !== undefined) this.#push(node, place)
    else if (isTree(value)) this.#push({ type, tree: value }, place)
  }

  #addRelation(step: Step): void {
    const { tree } = step
    const name = textOf(tree, 'relname') ?? ''
    const schema = textOf(tree, 'schemaname')
    const position = this.#position(tree)
    const role = this.#roleOf(step)
    const cte = role === 'read' && schema === undefined ? visibleCte(step.scope, name) : undefined
    if (cte !== undefined) {
      this.#cteUses.set(position, { cte, position })
      return
    }
    this.#relations.set(position, {
      schema,
      name,
      position,
      catalogName: textOf(tree, 'catalogname'),
      alias: aliasOf(tree),
      role,
      only: !flagOf(tree, 'inh'),
      sampled: step.parent === 'RangeTableSample',
    })
  }

  #roleOf({ parent, tree }: Step): RelationRole {
    if (this.#targets.has(tree)) return 'target'
    if (parent === 'CopyStmt') return flagOf(this.#raw.tree, 'is_from') ? 'target' : 'read'
    return READERS.has(parent) ? 'read' : 'named'
  }

  #writeLevel(type: string, tree: SyntaxTree): readonly WriteLevel[] {
    const operation = WRITES[type]
    const relation = fieldOf(tree, 'relation')
    const target = relation === undefined ? undefined : this.#relations.get(this.#position(relation))
    if (operation === undefined || target === undefined) return []
    const source = tree['sourceRelation']
    const items = source === undefined ? listOf(tree, operation === 'delete' ? 'usingClause' : 'fromClause') : [source]
    return [{ operation, tree, target, from: this.#fromItems(items) }]
  }

  #selectLevel(tree: SyntaxTree): SelectLevel {
    const known = this.#levels.get(tree)
    if (known !== undefined) return known
    const level: SelectLevel = {
      tree,
      from: this.#fromItems(listOf(tree, 'fromClause')),
      locks: listOf(tree, 'lockingClause').flatMap(rowLock),
      anchor: this.#anchorOf(tree),
      top: tree === this.#raw.tree,
    }
    this.#levels.set(tree, level)
    return level
  }

  #anchorOf(tree: SyntaxTree): number | undefined {
    const column = unwrapAs('ResTarget', listOf(tree, 'targetList')[0])
    if (column === undefined) return undefined
    const position = this.#position(column)
    return position < 0 ? undefined : position
  }

  #fromItems(items: readonly unknown[]): readonly FromItem[] {
    const found: FromItem[] = []
    const waiting = items.map((item) => ({ item, hidden: false })).toReversed()
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const node = unwrap(next.item)
      if (node === undefined) continue
      const { type, tree } = node
      if (type === 'JoinExpr') {
        const alias = aliasOf(tree)
        const hidden = next.hidden || alias !== undefined
        if (alias !== undefined) found.push({ kind: 'other', alias, hidden: next.hidden })
        waiting.push({ item: tree['rarg'], hidden }, { item: tree['larg'], hidden })
      } else if (type === 'RangeTableSample') waiting.push({ item: tree['relation'], hidden: next.hidden })
      else found.push({ ...this.#fromItem(type, tree), hidden: next.hidden })
    }
    return found
  }

  #fromItem(type: string, tree: SyntaxTree): Omit<FromItem, 'hidden'> {
    const alias = aliasOf(tree) ?? ''
    if (type === 'RangeVar') {
      const position = this.#position(tree)
      const name = alias === '' ? (textOf(tree, 'relname') ?? '') : alias
      const relation = this.#relations.get(position)
      const cte = this.#cteUses.get(position)
      if (relation !== undefined) return { kind: 'relation', alias: name, relation }
      if (cte !== undefined) return { kind: 'cte', alias: name, cte }
    }
    const select = type === 'RangeSubselect' ? unwrapAs('SelectStmt', tree['subquery']) : undefined
    if (select === undefined) return { kind: 'other', alias }
    return { kind: 'subselect', alias, select: this.#selectLevel(select) }
  }
}

/** The nearest entry of the name. Two of one list cannot have it: PostgreSQL refuses that. */
function visibleCte(from: Scope | undefined, name: string): MutableCte | undefined {
  for (let scope = from; scope; scope = scope.outer) {
    const found = scope.entries.get(name)
    if (found !== undefined && found.place < scope.count) return found.cte
  }
  return undefined
}

/** All around one that modifies do so too, and are marked by then. */
function markModifying(within: Within | undefined): void {
  for (let around = within; around?.cte.modifies === false; around = around.outer) around.cte.modifies = true
}

/** A plain SELECT .. LIMIT: each of its rows is one of its tables' rows. */
function isLimited(tree: SyntaxTree): boolean {
  if (tree['limitCount'] === undefined || textOf(tree, 'op') !== 'SETOP_NONE') return false
  return !['distinctClause', 'groupClause', 'havingClause', 'windowClause', 'valuesLists'].some((key) => key in tree)
}

function aliasOf(tree: SyntaxTree): string | undefined {
  const alias = fieldOf(tree, 'alias')
  return alias === undefined ? undefined : textOf(alias, 'aliasname')
}

function rowLock(value: unknown): readonly RowLock[] {
  const tree = unwrapAs('LockingClause', value)
  if (tree === undefined) return []
  const policy = textOf(tree, 'waitPolicy')
  const wait = policy === 'LockWaitSkip' ? 'skip' : policy === 'LockWaitError' ? 'nowait' : 'block'
  const of = listOf(tree, 'lockedRels').flatMap((name) => {
    const relation = unwrapAs('RangeVar', name)
    return relation === undefined ? [] : [textOf(relation, 'relname') ?? '']
  })
  return [{ strength: textOf(tree, 'strength') ?? '', wait, of }]
}
