/**
 * What the overlay knows of every merged relation. Filled from the registry `mesh.tables` and the overlay's own
 * system catalogues; read by whatever rewrites or routes a statement. Plain data: a new one is loaded after DDL.
 */

/** A column with the name of its type as `format_type` writes it (`bigint`, `character varying(20)`, `public.status`). */
export interface TypedColumn {
  readonly name: string
  readonly type: string
}

/** One column of a merged table, in the order of the overlay's table, dropped ones left out. */
export interface MergedColumn extends TypedColumn {
  /** Computed by the server (`GENERATED ALWAYS AS (...)`): never named in a column list that is written. */
  readonly generated: boolean
  /** `a` for GENERATED ALWAYS AS IDENTITY, `d` for BY DEFAULT, empty for none. */
  readonly identity: '' | 'a' | 'd'
}

/** A relation of the overlay whose rows are its own plus those of production that it does not hide. */
export interface MergedTable {
  readonly id: number
  readonly schema: string
  readonly name: string
  /**
   * `table` and `partitioned` (a root, flat in the overlay) take writes with copy-up; a `matview` is served from
   * production until its first REFRESH and takes none.
   */
  readonly kind: 'table' | 'partitioned' | 'matview'
  /** The foreign table's oid as text, which casts to regclass without any right to its schema. */
  readonly foreign: string
  /** Identifies a row: the primary key, else a unique index over NOT NULL columns. Empty: none, so hydrate to write. */
  readonly keyColumns: readonly TypedColumn[]
  readonly columns: readonly MergedColumn[]
  /**
   * Column names of each plain unique index or constraint, the key included: no predicate, no expression. The
   * others (partial, over expressions) cannot be an arbiter that we can compare by columns.
   */
  readonly uniques: readonly (readonly string[])[]
  /**
   * Names of the constraints and indexes behind `uniques`, position by position, for `ON CONFLICT ON CONSTRAINT`.
   * Where it is absent, a named arbiter counts as unknown and every unique is probed.
   */
  readonly uniqueNames?: readonly string[]
}

/** All merged relations of one overlay database at one moment. */
export interface Catalog {
  /** By `schema.name`, as the names are stored: no quotes, no folding. */
  readonly tables: ReadonlyMap<string, MergedTable>
  byId(id: number): MergedTable | undefined
}

/** A relation's name as a statement writes it, after the parser's folding of case. */
export interface RelationName {
  readonly schema?: string
  readonly name: string
}

/**
 * What a name means to a session: a merged table, or why it is not one. `temporary` tables and `local` relations
 * (tables of the overlay alone, catalogues) need no copy-up; a `view` stands over others; `unknown` was not found.
 */
export type Resolved = MergedTable | 'temporary' | 'local' | 'view' | 'unknown'

/** How a session finds a name: its search_path, its temporary tables, then the catalogue. */
export type ResolveRelation = (name: RelationName) => Resolved

/** True for a merged table, false for the words that `Resolved` has for the others. */
export function isMerged(resolved: Resolved): resolved is MergedTable {
  return typeof resolved === 'object'
}

/** A catalogue over a list of merged tables: the last of two tables of one name wins. */
export function createCatalog(tables: Iterable<MergedTable>): Catalog {
  const byName = new Map<string, MergedTable>()
  const byId = new Map<number, MergedTable>()
  for (const table of tables) {
    byName.set(`${table.schema}.${table.name}`, table)
    byId.set(table.id, table)
  }
  return { tables: byName, byId: (id) => byId.get(id) }
}
