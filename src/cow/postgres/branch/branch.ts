import { MeshError } from '../../../core/errors.ts'
import { DEFAULT_MAX_COPY_UP_ROWS } from '../copy-up-limit.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { Catalog, MergedTable, RelationName, Resolved } from '../catalog.ts'
import { quoteText, textArray } from '../overlay/identifiers.ts'
import { maxRowsSql } from '../overlay/hydration.ts'
import { loadCatalog } from '../overlay/load-catalog.ts'
import type { ServerConnection } from '../server-connection.ts'
import { DirtyTables } from './dirty-tables.ts'
import { LaneKnowledge, type Production } from './lane-knowledge.ts'
import { maybeRegclassOf, regclassOf } from './partition-text.ts'
import { PlanCache } from './plan-cache.ts'
import type { ProductionGate } from './production-gate.ts'
import { changedTables, schemaWatch } from './schema-watch.ts'
import { loadParser } from '../sql/parser.ts'
import { planText, type Preparation, type TextPlan } from './text-plan.ts'
import { UnreadNotices } from './unread-notices.ts'

/** Bounds of what one branch does for its clients. */
export interface BranchLimits {
  /** Rows that one statement may bring into the overlay. */
  readonly maxCopyUpRows: number
}

export const DEFAULT_BRANCH_LIMITS: BranchLimits = {
  // A statement over more is a migration, and better told so.
  maxCopyUpRows: DEFAULT_MAX_COPY_UP_ROWS,
}

/** Until a schema that could not be read is tried again. */
const RELOAD_AGAIN_MS = 500

/** What was done with statements, over all sessions of a branch. */
export interface BranchCounters {
  /** Statements that ran on the overlay. */
  overlaid: number
  /** Of those, the ones that wrote to merged tables: they would have written to production. */
  diverted: number
  refused: number
  copiedUpRows: number
  /** Statements that production ran as they were, and those of them that read a row by its key beside touched ones. */
  passed: number
  byKey: number
}

/** Over several branches. */
export function sumOfCounters(branches: readonly { readonly counters: Readonly<BranchCounters> }[]): BranchCounters {
  const sum: BranchCounters = { overlaid: 0, diverted: 0, refused: 0, copiedUpRows: 0, passed: 0, byKey: 0 }
  for (const { counters } of branches) {
    sum.overlaid += counters.overlaid
    sum.diverted += counters.diverted
    sum.refused += counters.refused
    sum.copiedUpRows += counters.copiedUpRows
    sum.passed += counters.passed
    sum.byKey += counters.byKey
  }
  return sum
}

/** What names mean to a session: see `RelationNames`. */
export interface NameScope {
  readonly sharingKey: string
  resolve(name: RelationName): Resolved
  /** Where names are looked up, one after the other; pg_catalog first where it is not named. */
  readonly schemas: readonly string[]
}

/** One database of the overlay with its merged tables, shared by all sessions on it. */
export class Branch {
  readonly database: string
  readonly limits: BranchLimits
  readonly counters: BranchCounters = { overlaid: 0, diverted: 0, refused: 0, copiedUpRows: 0, passed: 0, byKey: 0 }
  readonly dirty: DirtyTables = new DirtyTables()
  readonly unread: UnreadNotices = new UnreadNotices(() => this.#withAdmin((admin) => this.dirty.load(admin)))
  readonly #plans = new PlanCache()
  readonly #gate: ProductionGate | undefined
  readonly #connect: () => Promise<ServerConnection>
  #catalog: Catalog
  #relations: ReadonlyMap<string, Resolved>
  #knowledge: LaneKnowledge | undefined
  #production: Production | undefined
  #reloading: Promise<void> | undefined

  private constructor(
    database: string,
    limits: BranchLimits,
    connect: () => Promise<ServerConnection>,
    relations: BranchRelations,
    gate: ProductionGate | undefined,
  ) {
    this.database = database
    this.#gate = gate
    this.limits = limits
    this.#connect = connect
    this.#catalog = relations.catalog
    this.#relations = relations.names
  }

  /** `connect` gives connections of the overlay's administrator to this database. Without a gate everything runs on the overlay. */
  static async open(
    database: string,
    limits: BranchLimits,
    connect: () => Promise<ServerConnection>,
    gate?: ProductionGate,
  ): Promise<Branch> {
    await loadParser()
    const branch = new Branch(database, limits, connect, await loadRelations(connect), gate)
    await branch.#watch()
    return branch
  }

  get catalog(): Catalog {
    return this.#catalog
  }

  /** What lets statements run on production; undefined while the schema is read anew, and without a gate. */
  get knowledge(): LaneKnowledge | undefined {
    return this.#reloading === undefined ? this.#knowledge : undefined
  }

  /** Resolves when the schema that was changed last is known. */
  get reloading(): Promise<void> | undefined {
    return this.#reloading
  }

  /** What `schema.name` is; undefined where there is no such relation. */
  relation(schema: string, name: string): Resolved | undefined {
    return this.#relations.get(`${schema}.${name}`)
  }

  plan(text: string, scope: NameScope): TextPlan {
    const { sharingKey } = scope
    const cached = sharingKey === '' ? undefined : this.#plans.get(sharingKey, text)
    if (cached !== undefined) return cached
    const plan = planText(text, this.#catalog, (name) => scope.resolve(name), {
      catalogFirst: !scope.schemas.includes('pg_catalog'),
      maxRows: this.limits.maxCopyUpRows,
    })
    if (sharingKey !== '') this.#plans.keep(sharingKey, text, plan)
    return plan
  }

  /** Takes a notice of the overlay, before whatever follows it. `ours`: no client's business; `schema`: the schema is being changed. */
  notice(fields: PgErrorFields): 'ours' | 'schema' | undefined {
    if (this.dirty.notice(fields)) return 'ours'
    const changed = changedTables(fields)
    for (const id of changed ?? []) this.dirty.mark(id, '*')
    return changed === undefined ? undefined : 'schema'
  }

  /**
   * A query that makes production's rows of these keys local, run on a client's backend: on a connection of the overlay's own that
   * commits at once, so that no other client waits for this one's transaction (a SKIP LOCKED queue would stall), or inside the
   * transaction where its snapshot would not see that.
   */
  copyUpText(table: MergedTable, keys: readonly (readonly (string | null)[])[]): string {
    this.counters.copiedUpRows += keys.length
    return `SELECT mesh.fault_in(${table.id}, ${quoteText(JSON.stringify(keys))}::pg_catalog.jsonb)`
  }

  /** A query that prepares a table, in the client's transaction. */
  preparationText(preparation: Preparation): string {
    const { maxCopyUpRows } = this.limits
    if (preparation.kind === 'drop_partition')
      return `SELECT mesh.drop_partition(${maybeRegclassOf(preparation.child)}, ${maxCopyUpRows})`
    const { kind, table } = preparation
    if (kind === 'bring_parents') {
      const { child, reference } = preparation
      const columns = `${textArray(reference.columns)}, ${table.id}, ${textArray(reference.parentColumns)}`
      return `SELECT mesh.bring_parents(${regclassOf(child)}, ${columns}, ${maxCopyUpRows})`
    }
    const limit = kind === 'hydrate' || kind === 'bring_all_parents' ? `, ${maxCopyUpRows}` : ''
    return `SELECT mesh.${kind}(${table.id}${limit})`
  }

  /** Reads anew what there is, after the schema was changed. Plans made before are forgotten; marks of touched rows stay. */
  reload(): Promise<void> {
    const reloading: Promise<void> = (this.#reloading ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#load())
      .finally(() => {
        if (this.#reloading === reloading) this.#reloading = undefined
      })
    this.#reloading = reloading
    reloading.catch((thrown: unknown) => this.#reloadLater(thrown))
    return reloading
  }

  /** Plans of a schema that is none any more must not stay because the overlay took no connection once. Not where the proxy ends. */
  #reloadLater(thrown: unknown): void {
    if (thrown instanceof MeshError && thrown.code === 'MESH_ERR_ABORTED') return
    setTimeout(() => {
      if (this.#reloading === undefined) this.reload().catch(() => undefined)
    }, RELOAD_AGAIN_MS).unref()
  }

  /** Reads everything anew, marks of touched rows too: the overlay was away, and may have told of changes that nobody heard. */
  async recover(): Promise<void> {
    await this.reload()
    if (this.#gate !== undefined) await this.#withAdmin((admin) => this.dirty.load(admin))
  }

  /** Production has changed: what is known of it is read anew. */
  forgetProduction(): void {
    this.#production = undefined
    this.reload().catch(() => undefined)
  }

  async #load(): Promise<void> {
    // Should this fail, what was known before is not true any more.
    this.#knowledge = undefined
    const { catalog, names } = await loadRelations(this.#connect)
    this.#catalog = catalog
    this.#relations = names
    this.#plans.clear()
    if (this.#gate !== undefined) await this.#withAdmin((admin) => this.#learn(admin))
  }

  /** Finds what earlier runs have touched, and is told of whatever is touched or changed from now on. */
  async #watch(): Promise<void> {
    if (this.#gate === undefined) return
    await this.#withAdmin(async (admin) => {
      await admin.query(schemaWatch(this.limits.maxCopyUpRows))
      await admin.query(maxRowsSql(this.limits.maxCopyUpRows))
      await this.dirty.load(admin)
      await this.#learn(admin)
      await this.#knowledge?.alignDefaults(admin, this.database)
    })
  }

  async #learn(admin: ServerConnection): Promise<void> {
    if (this.#gate === undefined) return
    const loaded = await LaneKnowledge.load(admin, this.#gate, this.#connect, this.#production)
    this.#knowledge = loaded.knowledge
    this.#production = loaded.production
  }

  async #withAdmin(work: (admin: ServerConnection) => Promise<void>): Promise<void> {
    const admin = await this.#connect()
    try {
      await work(admin)
    } finally {
      await admin.end()
    }
  }
}

interface BranchRelations {
  readonly catalog: Catalog
  readonly names: ReadonlyMap<string, Resolved>
}

const RELATIONS = `SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'`

/** The merged tables, and every other relation that could hide one of them. */
async function loadRelations(connect: () => Promise<ServerConnection>): Promise<BranchRelations> {
  const connection = await connect()
  const catalog = await loadCatalog(connection)
  const [result] = await connection.query(RELATIONS)
  await connection.end()
  const names = new Map<string, Resolved>()
  for (const [schema, name, kind] of result?.rows ?? []) {
    const full = `${schema ?? ''}.${name ?? ''}`
    names.set(full, catalog.tables.get(full) ?? (kind === 'v' ? 'view' : 'local'))
  }
  return { catalog, names }
}
