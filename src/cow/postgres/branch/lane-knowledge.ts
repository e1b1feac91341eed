import type { MergedTable } from '../catalog.ts'
import { quoteName, quoteText } from '../overlay/identifiers.ts'
import { rowsOf, textOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'
import { splitNames } from './name-list.ts'
import { DescriptionMap } from './description-map.ts'
import { KnownLookups } from './known-lookups.ts'
import { KnownTexts } from './known-texts.ts'
import type { ProductionGate } from './production-gate.ts'
import { OVERLAY_SIDE, PRODUCTION_SIDE, readSide, type SideCatalog, type SideTable } from './side-catalog.ts'

/** What a role of the overlay may read there. */
interface RoleRights {
  /** Ids of tables. */
  readonly tables: ReadonlySet<number>
  /** Schemas that it must not look into: names there do not resolve for it. */
  readonly closedSchemas: ReadonlySet<string>
}

/** Settings that say how values are written: a branch has production's from its opening on. */
const ALIGNED_SETTINGS: readonly string[] = [
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'bytea_output',
  'extra_float_digits',
]

/** Settings of production's side whose values a statement's meaning hangs on, beside the search_path. */
export const COMPARED_SETTINGS: readonly string[] = [
  ...ALIGNED_SETTINGS,
  'default_text_search_config',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
]

const PRODUCTION_SETTINGS = `SELECT name, reset_val, current_user FROM pg_catalog.pg_settings
  WHERE name IN (${['search_path', ...COMPARED_SETTINGS].map(quoteText).join(', ')})`

/** Key columns whose equal values may be different bytes. */
const INEXACT_KEYS = `SELECT t.id FROM mesh.tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attnum = ANY (t.key_numbers)
  JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation WHERE NOT c.collisdeterministic`

const MERGED = `SELECT t.id, c.oid, t.upstream_schema, t.upstream_name FROM mesh.tables t JOIN pg_catalog.pg_class c ON c.oid = t.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE t.kind <> 'matview' AND n.nspname = t.upstream_schema AND c.relname = t.upstream_name`

/**
 * What a branch knows of both sides that lets a statement run on production as it is: tables that are the same there, names that nobody
 * has given a meaning of his own, settings. Everything that is not known to be alike is not alike. A new one is loaded after DDL.
 */
export class LaneKnowledge {
  readonly texts: KnownTexts = new KnownTexts()
  readonly lookups: KnownLookups = new KnownLookups()
  readonly descriptions: DescriptionMap
  /** By name, as production's side has them for the role that reads it. */
  readonly settings: ReadonlyMap<string, string>
  readonly #connect: () => Promise<ServerConnection>
  readonly #same: ReadonlySet<number>
  readonly #inexact: ReadonlySet<number>
  readonly #strange: Readonly<Record<'function' | 'operator' | 'type', ReadonlySet<string>>>
  readonly #comparable: ReadonlySet<string>
  readonly #schemas: ReadonlySet<string>
  readonly #overlaySchemas: ReadonlySet<string>
  readonly #defaultPath: string
  readonly #roles = new Map<string, RoleRights>()

  private constructor(
    production: Production,
    overlay: SideCatalog,
    merged: MergedRows,
    connect: () => Promise<ServerConnection>,
  ) {
    const { catalog } = production
    this.settings = production.settings
    this.#connect = connect
    const ownTables = new Map(overlay.tables.map((table) => [table.oid, table]))
    const theirTables = new Map(catalog.tables.map((table) => [`${table.schema}.${table.name}`, table]))
    const same = new Set<number>()
    const pairs: [SideTable, SideTable][] = []
    for (const [id, oid, schema, name] of merged.tables) {
      const own = ownTables.get(Number(oid))
      const theirs = theirTables.get(`${schema ?? ''}.${name ?? ''}`)
      if (own === undefined || theirs === undefined || !isSameTable(own, theirs)) continue
      same.add(Number(id))
      pairs.push([theirs, own])
    }
    this.#same = overlay.hasBuiltinCasts || catalog.hasBuiltinCasts ? new Set() : same
    this.descriptions = new DescriptionMap(pairs)
    this.#inexact = new Set(merged.inexact.map(([id]) => Number(id)))
    this.#strange = {
      function: new Set([...overlay.functions, ...catalog.functions]),
      operator: new Set([...overlay.operators, ...catalog.operators]),
      type: new Set([...overlay.typeNames, ...catalog.typeNames]),
    }
    this.#comparable = comparableTypes(overlay, catalog)
    this.#schemas = new Set(catalog.schemas)
    this.#overlaySchemas = new Set(overlay.schemas)
    this.#defaultPath = this.#effectivePath(
      splitNames(this.settings.get('search_path') ?? '').map((each) => (each === '$user' ? production.user : each)),
    )
  }

  /** Reads both sides. `known`: production's side of an earlier one, which is not read again. */
  static async load(
    admin: ServerConnection,
    gate: ProductionGate,
    connect: () => Promise<ServerConnection>,
    known?: Production,
  ): Promise<{ readonly knowledge: LaneKnowledge; readonly production: Production }> {
    const [production, overlay, tables, inexact] = await Promise.all([
      known ?? readProduction(gate),
      admin.query(OVERLAY_SIDE).then(textOf).then(readSide),
      admin.query(MERGED).then(rowsOf),
      admin.query(INEXACT_KEYS).then(rowsOf),
    ])
    return { knowledge: new LaneKnowledge(production, overlay, { tables, inexact }, connect), production }
  }

  /** Makes production's ways of writing values those of the branch too, for clients and roles that say nothing of it. */
  async alignDefaults(admin: ServerConnection, database: string): Promise<void> {
    for (const name of ALIGNED_SETTINGS) {
      const value = this.settings.get(name)
      if (value === undefined) continue
      // A time zone may be unknown on the other side: it is then replayed, or told to the client as it is.
      await admin
        .query(`ALTER DATABASE ${quoteName(database)} SET ${quoteName(name)} TO ${quoteText(value)}`)
        .catch(() => undefined)
    }
  }

  /** The table has the same columns on both sides, under the same name, and no policies of users. */
  isSame({ id }: MergedTable): boolean {
    return this.#same.has(id)
  }

  textKeysExact({ id }: MergedTable): boolean {
    return !this.#inexact.has(id)
  }

  shadowed(kind: 'function' | 'operator' | 'type', name: string): boolean {
    return this.#strange[kind].has(name)
  }

  comparable(type: string): boolean {
    return this.#comparable.has(type)
  }

  /** What a role may read, where it was asked before; else `loadRole` asks. */
  role(name: string): RoleRights | undefined {
    return this.#roles.get(name)
  }

  async loadRole(name: string): Promise<void> {
    const admin = await this.#connect()
    try {
      const role = quoteText(name)
      const tables = await admin.query(
        `SELECT t.id FROM mesh.tables t WHERE pg_catalog.has_table_privilege(${role}, t.relation::oid, 'SELECT')`,
      )
      const closed = await admin.query(
        `SELECT nspname FROM pg_catalog.pg_namespace WHERE NOT pg_catalog.has_schema_privilege(${role}, oid, 'USAGE')`,
      )
      this.#roles.set(name, {
        tables: new Set(rowsOf(tables).map(([id]) => Number(id))),
        closedSchemas: new Set(rowsOf(closed).map(([schema]) => schema ?? '')),
      })
    } finally {
      await admin.end()
    }
  }

  /**
   * The search_path under which production finds what the schemas of a session mean; '' where its own does, undefined where the role
   * is kept out of one of them.
   */
  searchPath(schemas: readonly string[], role: RoleRights): string | undefined {
    if (schemas.some((schema) => role.closedSchemas.has(schema) && this.#overlaySchemas.has(schema))) return undefined
    const path = this.#effectivePath(schemas)
    if (path === this.#defaultPath) return ''
    return path === '' ? 'pg_catalog' : path
  }

  #effectivePath(schemas: readonly string[]): string {
    return schemas
      .filter((schema) => this.#schemas.has(schema))
      .map(quoteName)
      .join(', ')
  }
}

interface MergedRows {
  readonly tables: readonly (readonly (string | null)[])[]
  readonly inexact: readonly (readonly (string | null)[])[]
}

/** Production's side, as it was when it was read. */
export interface Production {
  readonly catalog: SideCatalog
  readonly settings: ReadonlyMap<string, string>
  readonly user: string
}

async function readProduction(gate: ProductionGate): Promise<Production> {
  const [side, settings] = await Promise.all([gate.query(PRODUCTION_SIDE), gate.query(PRODUCTION_SETTINGS)])
  return {
    catalog: readSide(side.rows[0]?.[0] ?? null),
    settings: new Map(settings.rows.map(([name, value]) => [name ?? '', value ?? ''])),
    user: settings.rows[0]?.[2] ?? '',
  }
}

function isSameTable(own: SideTable, theirs: SideTable): boolean {
  if (own.hasPolicies || theirs.hasPolicies || own.columns.length !== theirs.columns.length) return false
  return own.columns.every((column, place) => {
    const other = theirs.columns[place]
    return (
      other !== undefined &&
      column.name === other.name &&
      column.typeSchema === other.typeSchema &&
      column.typeName === other.typeName &&
      column.typeModifier === other.typeModifier
    )
  })
}

/** Enums with the same labels, domains over the same type. */
function comparableTypes(overlay: SideCatalog, production: SideCatalog): ReadonlySet<string> {
  const theirs = new Map(production.types.map((type) => [`${type.schema}.${type.name}`, type.definition]))
  const alike = overlay.types.filter(({ schema, name, definition }) => theirs.get(`${schema}.${name}`) === definition)
  return new Set(alike.map(({ formatted }) => formatted))
}
