import { MeshError } from '../../../core/errors.ts'
import { textOf } from './rows.ts'
import type { SqlRunner } from './sql-runner.ts'

/** One column of a table, as the overlay's catalogue has it. */
export interface ColumnShape {
  readonly name: string
  /** Its `attnum`, which no renaming changes. */
  readonly number: number
  /** As `format_type` writes it under the search_path `pg_catalog`: qualified unless built in. */
  readonly type: string
  /** Qualified and quoted, where it is not the type's own. */
  readonly collation: string | null
  readonly notNull: boolean
  /** `s` stored, `v` virtual, empty: not generated. */
  readonly generated: '' | 's' | 'v'
  readonly identity: '' | 'a' | 'd'
  /** The expression of a generated column. */
  readonly expression: string | null
}

/** One place of an index: a column or an expression, and the operator that means "the same" (or "clashes with") there. */
export interface IndexPlace {
  /** SQL over the table's own column names. */
  readonly expression: string
  /** The column's name, where the place is one. */
  readonly column: string | null
  /** Of its values; of a domain the type below it. */
  readonly type: string
  /** Qualified and quoted, where a column's is not the database's. */
  readonly collation: string | null
  readonly operatorSchema: string
  readonly operatorName: string
}

/** A unique index or an exclusion constraint. */
export interface UniqueShape {
  readonly name: string
  readonly places: readonly IndexPlace[]
  /** SQL over the table's own column names; null: all rows. */
  readonly predicate: string | null
  readonly nullsNotDistinct: boolean
  readonly primary: boolean
  readonly exclusion: boolean
  readonly immediate: boolean
}

/** What happens to a child row as its parent goes or changes: no action, restrict, cascade, set null, set default. */
export type ForeignKeyAction = 'a' | 'r' | 'c' | 'n' | 'd'

/** A foreign key, seen from the child. */
export interface ForeignKeyShape {
  readonly name: string
  readonly childOid: number
  readonly parentOid: number
  readonly childColumns: readonly string[]
  readonly parentColumns: readonly string[]
  /** Of their values; of domains the types below them. */
  readonly childTypes: readonly string[]
  readonly parentTypes: readonly string[]
  /** Per place, `parent = child`. */
  readonly operators: readonly { readonly schema: string; readonly name: string }[]
  readonly onDelete: ForeignKeyAction
  readonly onUpdate: ForeignKeyAction
  readonly deferrable: boolean
}

/** A column of the key, and what compares two values of it. */
export interface KeyColumn {
  readonly name: string
  readonly number: number
  readonly type: string
  /** As its key table has it, too: texts of two collations are not compared. */
  readonly collation: string | null
  readonly operatorSchema: string
  readonly operatorName: string
  /** The type that its key table has for it, with its collation; absent while there is no key table. */
  readonly touchedType?: string
}

/** All that is needed to write the SQL of one merged table. */
export interface TableShape {
  readonly oid: number
  /** Position in `mesh.tables`; 0 for a table that is the branch's alone. */
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly owner: string
  /** `r` a table, `m` a materialised view: `oid` and names are then of the view that stands for it. */
  readonly kind: 'r' | 'm'
  /** It had row-level security before it was merged. */
  readonly rowSecurity: boolean
  readonly forcedRowSecurity: boolean
  readonly columns: readonly ColumnShape[]
  readonly uniques: readonly UniqueShape[]
  readonly foreignKeys: readonly ForeignKeyShape[]
  /** Empty: the table has no key. */
  readonly key: readonly KeyColumn[]
}

type RawShape = Omit<TableShape, 'key' | 'id'>

/** Position and key as the registry has them: the key stays what it was when the table was merged. */
type KnownShape = RawShape & { readonly id: number | null; readonly key: readonly KeyColumn[] | null }

/**
 * The tables of the overlay that are not merged yet, in one round trip. Ids are given in the order of the names,
 * from `firstId` on. Left out: relations of mesh itself, those that belong to an extension, and tables that are
 * part of an inheritance tree. The search_path has to be `pg_catalog`: types and expressions are printed by it.
 */
export async function loadShapes(admin: SqlRunner, firstId: number): Promise<TableShape[]> {
  const raw = textOf(await admin.query(SHAPES))
  const parsed: unknown = JSON.parse(raw ?? '[]')
  if (!isShapes(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a list of tables from the catalogue, found another' })
  }
  return parsed.map((shape, index) => ({ ...shape, id: firstId + index, key: keyOf(shape) }))
}

/** Shapes of tables that are known to the overlay, as `shapesQuery` gives them. */
export function readShapes(parsed: unknown): TableShape[] {
  if (!isShapes(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a list of tables from the overlay, found another' })
  }
  return parsed.map((shape) => ({ ...shape, id: shape.id ?? 0, key: shape.key ?? [] }))
}

/** The query below is ours, so its shape is given; the first row is looked at all the same. */
function isShapes(parsed: unknown): parsed is KnownShape[] {
  if (!Array.isArray(parsed)) return false
  const first: unknown = parsed[0]
  return (
    first === undefined || (typeof first === 'object' && first !== null && 'columns' in first && 'uniques' in first)
  )
}

/** The primary key, else the smallest unique index over NOT NULL columns: no predicate, no expression. */
export function keyOf(shape: Pick<TableShape, 'uniques' | 'columns'>): KeyColumn[] {
  const columns = new Map(shape.columns.map((column) => [column.name, column]))
  const fit = shape.uniques.filter(
    (unique) =>
      !unique.exclusion &&
      unique.predicate === null &&
      unique.places.every(({ column }) => column !== null && columns.get(column)?.notNull === true),
  )
  const best = fit.toSorted((a, b) => Number(b.primary) - Number(a.primary) || a.places.length - b.places.length)[0]
  return (best?.places ?? []).map((place) => ({
    name: place.column ?? '',
    number: columns.get(place.column ?? '')?.number ?? 0,
    type: place.type,
    collation: place.collation,
    operatorSchema: place.operatorSchema,
    operatorName: place.operatorName,
  }))
}

/** Columns that a statement may write. */
export function writableColumns(shape: Pick<TableShape, 'columns'>): string[] {
  return shape.columns.filter(({ generated }) => generated === '').map(({ name }) => name)
}

/** The collation of an attribute, where it is not the database's own. */
const COLLATION = `(SELECT quote_ident(nspname) || '.' || quote_ident(collname) FROM pg_collation
    JOIN pg_namespace ON pg_namespace.oid = collnamespace WHERE pg_collation.oid = attcollation)`

const COLUMNS = `
  SELECT coalesce(json_agg(json_build_object(
    'name', a.attname, 'number', a.attnum, 'type', format_type(a.atttypid, a.atttypmod),
    'collation', (SELECT ${COLLATION} FROM pg_type WHERE oid = a.atttypid AND typcollation <> a.attcollation), 'notNull', a.attnotnull, 'generated', a.attgenerated,
    'identity', a.attidentity,
    'expression', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END) ORDER BY a.attnum), '[]')
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

/**
 * The type of an attribute's values. Of a domain it is the type below it: production is asked by value, and a domain's checks would run
 * there.
 */
const VALUE_TYPE = `CASE WHEN pg_basetype(atttypid) = atttypid THEN format_type(atttypid, atttypmod) ELSE format_type(pg_basetype(atttypid), -1) END`

/** Of a key column: what its values are compared by, whatever a domain says. */
const KEY_COLLATION = `CASE WHEN attcollation <> 'pg_catalog."default"'::regcollation THEN ${COLLATION} END`

/** Operator of a place: the exclusion constraint's own, else equality of the index's operator family. */
const PLACES = `
  SELECT json_agg(json_build_object(
    'expression', pg_get_indexdef(i.indexrelid, k.place, true),
    'column', CASE WHEN i.indkey[k.place - 1] <> 0 THEN
      (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[k.place - 1]) END,
    'type', CASE WHEN i.indkey[k.place - 1] <> 0
      THEN (SELECT ${VALUE_TYPE} FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[k.place - 1])
      ELSE (SELECT ${VALUE_TYPE} FROM pg_attribute WHERE attrelid = i.indexrelid AND attnum = k.place) END,
    'collation', (SELECT ${KEY_COLLATION} FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[k.place - 1]),
    'operatorSchema', n.nspname, 'operatorName', o.oprname) ORDER BY k.place)
  FROM generate_series(1, i.indnkeyatts) AS k(place)
  JOIN pg_opclass oc ON oc.oid = i.indclass[k.place - 1]
  JOIN pg_operator o ON o.oid = coalesce(x.conexclop[k.place], (
    SELECT amopopr FROM pg_amop WHERE amopfamily = oc.opcfamily AND amopstrategy = 3
      AND amoplefttype = oc.opcintype AND amoprighttype = oc.opcintype LIMIT 1))
  JOIN pg_namespace n ON n.oid = o.oprnamespace`

const UNIQUES = `
  SELECT coalesce(json_agg(json_build_object(
    'name', ic.relname, 'primary', i.indisprimary, 'exclusion', x.conexclop IS NOT NULL, 'immediate', i.indimmediate,
    'nullsNotDistinct', i.indnullsnotdistinct, 'predicate', pg_get_expr(i.indpred, i.indrelid, true),
    'places', (${PLACES})) ORDER BY ic.relname), '[]')
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  LEFT JOIN pg_constraint x ON x.conindid = i.indexrelid AND x.conrelid = i.indrelid AND x.contype IN ('p', 'u', 'x')
  WHERE i.indrelid = c.oid AND (i.indisunique OR x.conexclop IS NOT NULL) AND i.indisvalid AND c.relkind = 'r'`

const FOREIGN_KEYS = `
  SELECT coalesce(json_agg(json_build_object(
    'name', f.conname, 'childOid', f.conrelid::int8, 'parentOid', f.confrelid::int8,
    'childColumns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(f.conkey) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.num),
    'parentColumns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(f.confkey) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.num),
    'childTypes', (SELECT json_agg(${VALUE_TYPE} ORDER BY u.place) FROM unnest(f.conkey) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.num),
    'parentTypes', (SELECT json_agg(${VALUE_TYPE} ORDER BY u.place) FROM unnest(f.confkey) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.num),
    'operators', (SELECT json_agg(json_build_object('schema', n.nspname, 'name', o.oprname) ORDER BY u.place)
      FROM unnest(f.conpfeqop) WITH ORDINALITY AS u(op, place)
      JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace n ON n.oid = o.oprnamespace),
    'onDelete', f.confdeltype, 'onUpdate', f.confupdtype, 'deferrable', f.condeferrable) ORDER BY f.conname), '[]')
  FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'`

/** By the key table's primary key; a column's name and type may be others by now. */
const KEY = `
  SELECT json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'type', (SELECT ${VALUE_TYPE} FROM (SELECT a.atttypid, a.atttypmod) AS v),
    'collation', (SELECT ${KEY_COLLATION} FROM (SELECT a.attcollation) AS v), 'operatorSchema', n.nspname, 'operatorName', o.oprname,
    'touchedType', format_type(k.atttypid, k.atttypmod) || coalesce(' COLLATE ' || (SELECT ${KEY_COLLATION} FROM (SELECT k.attcollation) AS v), '')) ORDER BY u.place)
  FROM mesh.tables t, unnest(t.key_numbers) WITH ORDINALITY AS u(number, place), pg_attribute a, pg_attribute k, pg_index i, pg_opclass oc,
    pg_amop p, pg_operator o, pg_namespace n
  WHERE t.relation = r.oid AND a.attrelid = r.oid AND a.attnum = u.number AND NOT a.attisdropped AND k.attrelid = t.touched AND k.attname = 'k' || u.place
    AND i.indrelid = t.touched AND i.indisprimary AND oc.oid = i.indclass[u.place - 1] AND p.amopfamily = oc.opcfamily
    AND p.amopstrategy = 3 AND p.amoplefttype = oc.opcintype AND p.amoprighttype = oc.opcintype AND o.oid = p.amopopr AND n.oid = o.oprnamespace`

/** A query for the shapes of tables as one JSON text. `more`: members of each; `restriction`: over `pg_class` as c, and r for a view's. */
function shapesSql(more: string, restriction: string): string {
  return `
SELECT json_agg(s.shape ORDER BY s.schema, s.name) FROM (
  SELECT n.nspname AS schema, r.relname AS name, json_build_object(
    'oid', r.oid::int8, 'schema', n.nspname, 'name', r.relname, 'owner', r.relowner::regrole::text, 'kind', c.relkind,
    'rowSecurity', c.relrowsecurity, 'forcedRowSecurity', c.relforcerowsecurity,
    'columns', (${COLUMNS}), 'uniques', (${UNIQUES}), 'foreignKeys', (${FOREIGN_KEYS})${more}) AS shape
  FROM pg_class c LEFT JOIN mesh.materialized_views v ON v.hidden = c.oid
  JOIN pg_class r ON r.oid = coalesce(v.relation, c.oid) JOIN pg_namespace n ON n.oid = r.relnamespace
  WHERE ${restriction}
) s`
}

const SHAPES = shapesSql(
  '',
  `(c.relkind = 'r' AND n.nspname NOT IN ('mesh', 'mesh_base') OR c.relkind = 'm' AND v.relation IS NOT NULL)
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
    AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = c.oid OR h.inhparent = c.oid)
    AND NOT EXISTS (SELECT 1 FROM mesh.tables t WHERE t.relation = r.oid)`,
)

/** A query for the shapes of tables whose oids an SQL array has, merged or not; `readShapes` reads what it gives. */
export function shapesQuery(oids: string): string {
  const id = '(SELECT t.id FROM mesh.tables t WHERE t.relation = r.oid)'
  return shapesSql(`, 'id', ${id}, 'key', (${KEY})`, `c.relkind = 'r' AND c.oid = ANY (${oids})`)
}
