import type { Branch } from '../branch/branch.ts'
import type { LaneKnowledge } from '../branch/lane-knowledge.ts'
import { needsWork, type PlannedStatement } from '../branch/text-plan.ts'
import { isMerged, type RelationName } from '../catalog.ts'
import { SAFE_FUNCTIONS, SAFE_OPERATORS, SAFE_TYPES } from '../sql/allow-list.ts'
import type { Lane, LaneFacts, LaneRelation } from '../sql/lane.ts'
import { laneOf } from '../sql/lanes.ts'
import type { Statement } from '../sql/statement.ts'
import type { NameUse } from '../sql/mention.ts'
import type { BoundValues } from './bound-values.ts'
import type { RelationNames } from './relation-names.ts'
import type { KnownSettings } from './session-settings.ts'

/** The lanes of a statement, but for what changes from moment to moment: which rows are touched. */
export interface LaneVerdict {
  /** Where all tables are clean. */
  readonly clean: Lane
  /** Where its table is dirty: by key, or on the overlay. */
  readonly dirty: Lane
  /** Functions in it read these settings: production has to have the same values. */
  readonly equalSettings: readonly string[]
  /** The gate does not let it through. */
  refused: boolean
}

/** A statement may run on production now, under these settings. */
export interface LaneChoice {
  readonly lane: 'T0' | 'TK'
  readonly verdict: LaneVerdict
  readonly settings: ReadonlyMap<string, string>
  /** 0: none. */
  readonly statementTimeoutMs: number
}

/** Settings that are replayed wherever they differ from production's. */
const REPLAYED = ['DateStyle', 'IntervalStyle', 'TimeZone', 'bytea_output', 'extra_float_digits'] as const

/** Locales may be missing on the other side, and text search configurations too: these are compared, never replayed. */
const LOCALE_SETTINGS = ['lc_monetary', 'lc_numeric', 'lc_time'] as const
const LOCALE_FUNCTIONS: ReadonlySet<string> = new Set(['to_char', 'to_number', 'to_date', 'to_timestamp'])
const SEARCH_FUNCTION = /tsvector|tsquery|^ts_/

/** Chooses lanes for one session. */
export class LaneChooser {
  readonly #branch: Branch
  readonly #names: RelationNames
  readonly #user: string
  /** Of plans, which are the branch's and forgotten with its schema. */
  #verdicts = new WeakMap<PlannedStatement, Map<string, LaneVerdict>>()
  /** The last that was asked for: a statement's verdict is asked for more than once on its way. */
  #last:
    | {
        readonly planned: PlannedStatement
        readonly types: readonly number[]
        readonly inTransaction: boolean
        readonly verdict: LaneVerdict
      }
    | undefined
  #harmless = new WeakMap<PlannedStatement, boolean>()
  #knowledge: LaneKnowledge | undefined
  #replay: { readonly of: KnownSettings; readonly settings: ReadonlyMap<string, string> | undefined } | undefined

  constructor(branch: Branch, names: RelationNames, user: string) {
    this.#branch = branch
    this.#names = names
    this.#user = user
  }

  /** Undefined where the statement always runs on the overlay. */
  verdict(planned: PlannedStatement, types: readonly number[], inTransaction: boolean): LaneVerdict | undefined {
    const { statement } = planned
    const knowledge = this.#current()
    if (knowledge === undefined || statement.kind !== 'select') return undefined
    const verdict = this.#verdictOf(planned, knowledge, types, inTransaction)
    return this.#isHopeless(verdict) ? undefined : verdict
  }

  #verdictOf(
    planned: PlannedStatement,
    knowledge: LaneKnowledge,
    types: readonly number[],
    inTransaction: boolean,
  ): LaneVerdict {
    const last = this.#last
    if (last?.planned === planned && last.types === types && last.inTransaction === inTransaction) return last.verdict
    const key = `${inTransaction ? 'T' : 'I'}${types.join(',')}`
    let verdicts = this.#verdicts.get(planned)
    if (verdicts === undefined) this.#verdicts.set(planned, (verdicts = new Map()))
    let verdict = verdicts.get(key)
    if (verdict === undefined) {
      verdict = this.#judge(planned, knowledge, types, inTransaction)
      verdicts.set(key, verdict)
    }
    this.#last = { planned, types, inTransaction, verdict }
    return verdict
  }

  /** It cannot run on production, now or ever: what is dirty stays dirty. */
  #isHopeless({ clean, dirty, refused }: LaneVerdict): boolean {
    if (refused || clean.lane !== 'T0') return true
    return dirty.lane !== 'TK' && clean.tables.some(({ id }) => this.#branch.dirty.isDirty(id))
  }

  /** What the role may read has to be asked for first. */
  async learnRole(): Promise<void> {
    const knowledge = this.#current()
    if (knowledge?.role(this.#user) === undefined) await knowledge?.loadRole(this.#user)
  }

  get knowsRole(): boolean {
    return this.#current()?.role(this.#user) !== undefined
  }

  /** The lane at this moment; undefined: the overlay. */
  choose(verdict: LaneVerdict, values: BoundValues, known: KnownSettings): LaneChoice | undefined {
    const knowledge = this.#current()
    const role = knowledge?.role(this.#user)
    const lane = this.#laneNow(verdict, values)
    if (knowledge === undefined || role === undefined || lane === undefined || !known.usual) return undefined
    const tables = lane.lane === 'TK' ? [lane.table] : lane.tables
    if (!tables.every(({ id }) => role.tables.has(id))) return undefined
    if (known.values.get('session_authorization') !== this.#user) return undefined
    if (this.#replay?.of !== known) this.#replay = { of: known, settings: this.#replayed(knowledge, known) }
    const { settings } = this.#replay
    if (settings === undefined) return undefined
    if (!verdict.equalSettings.every((name) => known.values.get(name) === knowledge.settings.get(name)))
      return undefined
    return { lane: lane.lane, verdict, settings, statementTimeoutMs: known.statementTimeoutMs }
  }

  /** It changes no setting: nothing of a user's is called. */
  isHarmless(planned: PlannedStatement): boolean {
    const knowledge = this.#current()
    if (knowledge === undefined) return false
    let harmless = this.#harmless.get(planned)
    if (harmless === undefined) {
      harmless =
        isPlain(planned.statement, knowledge) || this.#verdictOf(planned, knowledge, [], false).clean.lane === 'T0'
      this.#harmless.set(planned, harmless)
    }
    return harmless
  }

  /** What the branch knows, as long as its schema is not being read anew. */
  #current(): LaneKnowledge | undefined {
    const { knowledge } = this.#branch
    if (knowledge !== this.#knowledge) {
      this.#knowledge = knowledge
      this.#verdicts = new WeakMap()
      this.#last = undefined
      this.#harmless = new WeakMap()
      this.#replay = undefined
    }
    return knowledge
  }

  #judge(
    planned: PlannedStatement,
    knowledge: LaneKnowledge,
    types: readonly number[],
    inTransaction: boolean,
  ): LaneVerdict {
    const { statement } = planned
    const lane = (dirty: boolean): Lane => {
      return needsWork(planned) || planned.writes
        ? { lane: 'T2', reason: 'it writes or locks' }
        : laneOf(statement, this.#facts(knowledge, types, inTransaction, dirty))
    }
    const equalSettings: string[] = []
    if (statement.functions.some(({ name }) => LOCALE_FUNCTIONS.has(name))) equalSettings.push(...LOCALE_SETTINGS)
    if (statement.functions.some(({ name }) => SEARCH_FUNCTION.test(name)) || statement.types.some(isSearchType))
      equalSettings.push('default_text_search_config')
    return { clean: lane(false), dirty: lane(true), equalSettings, refused: false }
  }

  #facts(knowledge: LaneKnowledge, types: readonly number[], inTransaction: boolean, dirty: boolean): LaneFacts {
    return {
      relation: (name) => this.#relation(knowledge, name, dirty),
      inTransaction,
      // Sessions in one ask for nothing.
      repeatable: false,
      sharedSnapshot: false,
      shadowed: (kind, name) => knowledge.shadowed(kind, name),
      comparable: (type) => knowledge.comparable(type),
      textKeysExact: (table) => knowledge.textKeysExact(table),
      parameterTypes: types,
    }
  }

  #relation(knowledge: LaneKnowledge, name: RelationName, dirty: boolean): LaneRelation {
    const table = this.#names.resolve(name)
    if (!isMerged(table) || !knowledge.isSame(table)) return { kind: 'other' }
    return { kind: 'merged', table, dirty }
  }

  #laneNow({ clean, dirty }: LaneVerdict, values: BoundValues): Exclude<Lane, { lane: 'T2' }> | undefined {
    const { dirty: marks } = this.#branch
    if (clean.lane !== 'T0') return undefined
    if (clean.tables.every(({ id }) => !marks.isDirty(id))) return clean
    if (dirty.lane !== 'TK') return undefined
    const key: string[] = []
    for (const part of dirty.key) {
      const text = part.from === 'literal' ? part.text : values.keyText(part.number, part.type)
      if (text === undefined) return undefined
      key.push(text)
    }
    return marks.isTouched(dirty.table.id, key) ? undefined : dirty
  }

  /** Undefined where names would not mean the same on production. */
  #replayed(knowledge: LaneKnowledge, { values, temporary }: KnownSettings): ReadonlyMap<string, string> | undefined {
    const role = knowledge.role(this.#user)
    const { schemas } = this.#names
    if (role === undefined || !this.#names.isFor(values.get('search_path') ?? '')) return undefined
    if (temporary.some((name) => this.#names.resolve({ name }) !== 'temporary')) return undefined
    const path = knowledge.searchPath(schemas, role)
    if (path === undefined) return undefined
    const settings = new Map<string, string>()
    if (path !== '') settings.set('search_path', path)
    for (const name of REPLAYED) {
      const value = values.get(name) ?? ''
      if (value !== knowledge.settings.get(name)) settings.set(name, value)
    }
    return settings
  }
}

function isSearchType({ name }: NameUse): boolean {
  return SEARCH_FUNCTION.test(name)
}

/** A SELECT of no table that calls builtin functions alone: what drivers and pools ask to see that a session lives. */
function isPlain(statement: Statement, knowledge: LaneKnowledge): boolean {
  const { kind, relations, functions, operators, types, writes } = statement
  const isSafe = (use: NameUse, what: 'function' | 'operator' | 'type', safe: ReadonlySet<string>): boolean =>
    safe.has(use.name) &&
    (use.schema === 'pg_catalog' || (use.schema === undefined && !knowledge.shadowed(what, use.name)))
  return (
    kind === 'select' &&
    !statement.into &&
    relations.length === 0 &&
    writes.length === 0 &&
    functions.every((use) => isSafe(use, 'function', SAFE_FUNCTIONS)) &&
    operators.every((use) => isSafe(use, 'operator', SAFE_OPERATORS)) &&
    types.every((use) => isSafe(use, 'type', SAFE_TYPES))
  )
}
