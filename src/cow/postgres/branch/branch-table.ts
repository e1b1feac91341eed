import { MeshError } from '../../../core/errors.ts'
import { IMAGE_SETTINGS } from '../overlay/key-table.ts'
import { rowsOf, textOf } from '../overlay/rows.ts'
import type { SqlRunner } from '../overlay/sql-runner.ts'

/**
 * Where a table of a branch stands. `merged`: production's rows and the branch's own. `truncated` and `copied`: cut loose from production,
 * without its rows or with a copy of all of them. `refreshed`: a materialised view with the branch's own content. `made`: there is none
 * in production. `dropped`: there is none on the branch.
 */
export type TableState = 'merged' | 'truncated' | 'copied' | 'refreshed' | 'made' | 'dropped'

/** A column of a table as it is on the branch. */
export interface BranchColumn {
  readonly name: string
  readonly generated: boolean
  /** What images of rows may call it besides its name: production's name where the branch has renamed it. */
  readonly imageName: string | null
  /** JSON of the value that rows have which are older than the column; null: none. */
  readonly missing: string | null
  /** Production has no such column: a migration added it, or gave it another name or type. */
  readonly migrated: boolean
  readonly identityAlways: boolean
}

/** A table that a branch may differ in. */
export interface BranchTable {
  /** Null for a table that was made or dropped on the branch. */
  readonly id: number | null
  readonly schema: string
  readonly name: string
  readonly kind: 'table' | 'partitioned' | 'matview'
  readonly state: TableState
  readonly hasKeyTable: boolean
  /** In the order of the key table. Empty: rows are told apart as a whole. */
  readonly key: readonly {
    readonly name: string
    readonly type: string
    readonly operatorSchema: string
    readonly operatorName: string
  }[]
  readonly columns: readonly BranchColumn[]
  /** `schema.name` of the tables that its foreign keys refer to. */
  readonly parents: readonly string[]
}

/** `schema.name`, for people and for the command line. */
export function fullName({ schema, name }: Pick<BranchTable, 'schema' | 'name'>): string {
  return `${schema}.${name}`
}

/** Settings of a connection that compares rows with their images. */
export const COMPARE_SETTINGS: string = ['search_path = pg_catalog', ...IMAGE_SETTINGS]
  .map((setting) => `SET ${setting};`)
  .join(' ')

/** All tables of a branch, in the order of their names, then those of production that it dropped. */
export async function loadBranchTables(admin: SqlRunner): Promise<readonly BranchTable[]> {
  const parsed: unknown = JSON.parse(textOf(await admin.query(TABLES)) ?? '[]')
  if (!isTables(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a list of tables from the branch, found another' })
  }
  const dropped = rowsOf(await admin.query(DROPPED)).map(([schema, name]) => droppedTable(schema ?? '', name ?? ''))
  return [...parsed, ...dropped]
}

const DROPPED = 'SELECT upstream_schema, upstream_name FROM mesh.dropped_tables ORDER BY 1, 2'

function droppedTable(schema: string, name: string): BranchTable {
  return {
    id: null,
    schema,
    name,
    kind: 'table',
    state: 'dropped',
    hasKeyTable: false,
    key: [],
    columns: [],
    parents: [],
  }
}

/** The query below is ours, so its shape is given; the first row is looked at all the same. */
function isTables(parsed: unknown): parsed is BranchTable[] {
  if (!Array.isArray(parsed)) return false
  const first: unknown = parsed[0]
  return first === undefined || (typeof first === 'object' && first !== null && 'state' in first && 'columns' in first)
}

/**
 * The tables that somebody named, as `name` or `schema.name`; all where nobody did.
 *
 * @throws MeshError MESH_ERR_USAGE for a name that is none, or that several schemas have.
 */
export function chooseTables(tables: readonly BranchTable[], names: readonly string[]): readonly BranchTable[] {
  if (names.length === 0) return tables
  const chosen = new Set<BranchTable>()
  for (const name of names) {
    const found = tables.filter((table) => fullName(table) === name || table.name === name)
    const exact = found.find((table) => fullName(table) === name) ?? found[0]
    if (exact === undefined || (found.length > 1 && fullName(exact) !== name)) {
      const schemas = found.map(fullName).join(', ')
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected a table of the branch, found "${name}"${schemas === '' ? '' : `, which may be ${schemas}`}`,
        remedy: 'mesh cow status lists those that differ from production',
      })
    }
    chosen.add(exact)
  }
  return tables.filter((table) => chosen.has(table))
}

const COLUMNS = `
  SELECT coalesce(json_agg(json_build_object('name', a.attname, 'generated', a.attgenerated <> '', 'identityAlways', a.attidentity = 'a',
    'imageName', CASE WHEN NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_attribute x WHERE x.attrelid = c.oid AND x.attname = asked.name AND NOT x.attisdropped) THEN asked.name END,
    'missing', CASE WHEN a.atthasmissing THEN (to_jsonb(a.attmissingval) -> 0)::text END, 'migrated', asked.name IS DISTINCT FROM a.attname::text)
    ORDER BY a.attnum), '[]')
  FROM pg_catalog.pg_attribute a LEFT JOIN LATERAL (
    SELECT o.option_value AS name FROM pg_catalog.pg_attribute b, pg_catalog.pg_options_to_table(b.attfdwoptions) o
    WHERE b.attrelid = t.foreign_relation AND b.attname = a.attname AND o.option_name = 'column_name') AS asked ON true
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

/** By the key table's own primary key, which never changes; the column of a place may have another name by now. */
const KEY = `
  SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'operatorSchema', n.nspname, 'operatorName', o.oprname) ORDER BY k.place), '[]')
  FROM pg_catalog.unnest(t.key_numbers) WITH ORDINALITY AS k(number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attnum = k.number AND NOT a.attisdropped
  JOIN pg_catalog.pg_index i ON i.indrelid = t.touched AND i.indisprimary
  JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k.place - 1]
  JOIN pg_catalog.pg_amop p ON p.amopfamily = oc.opcfamily AND p.amopstrategy = 3
    AND p.amoplefttype = oc.opcintype AND p.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace`

const PARENTS = `
  SELECT coalesce(json_agg(DISTINCT pn.nspname || '.' || p.relname), '[]') FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_class p ON p.oid = f.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> f.conrelid`

const STATE = `
  CASE WHEN t.id IS NULL THEN 'made' WHEN c.oid IS NULL THEN 'dropped'
    WHEN t.kind = 'matview' THEN CASE WHEN EXISTS (
      SELECT 1 FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
      WHERE w.ev_class = c.oid AND d.refobjid = t.foreign_relation) THEN 'merged' ELSE 'refreshed' END
    WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = t.foreign_relation) THEN 'merged'
    ELSE coalesce(t.cut, 'truncated') END`

const TABLES = `
SELECT coalesce(json_agg(json_build_object('id', t.id, 'schema', coalesce(n.nspname, t.upstream_schema),
  'name', coalesce(c.relname, t.upstream_name), 'kind', coalesce(t.kind, 'table'), 'state', ${STATE},
  'hasKeyTable', t.touched IS NOT NULL, 'key', (${KEY}), 'columns', (${COLUMNS}), 'parents', (${PARENTS}))
  ORDER BY coalesce(n.nspname, t.upstream_schema), coalesce(c.relname, t.upstream_name)), '[]')
FROM mesh.tables t FULL JOIN (
  SELECT c.oid, c.relname, c.relnamespace FROM pg_catalog.pg_class c
  WHERE EXISTS (SELECT 1 FROM mesh.tables t WHERE t.relation = c.oid)
    OR c.relkind = 'r' AND c.relpersistence <> 't' AND c.relnamespace::pg_catalog.regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'mesh', 'mesh_base')
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
) AS c ON c.oid = t.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`
