import { MeshError } from '../../../core/errors.ts'

/** A column as both sides can compare it: name, schema and name of its type, the type's modifier. */
export interface SideColumn {
  readonly number: number
  readonly name: string
  readonly typeSchema: string
  readonly typeName: string
  readonly typeModifier: number
}

export interface SideTable {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** Policies decide which rows a role sees, those of mesh aside. */
  readonly hasPolicies: boolean
  readonly columns: readonly SideColumn[]
}

/** An enum, with its labels in their order, or a domain over a builtin type. */
export interface SideType {
  readonly schema: string
  readonly name: string
  /** As `format_type` writes it under the connection's search_path. */
  readonly formatted: string
  /** The labels, or the type below. */
  readonly definition: string
}

/** What decides whether a statement means the same on both sides, read from one of them. */
export interface SideCatalog {
  readonly tables: readonly SideTable[]
  readonly types: readonly SideType[]
  readonly schemas: readonly string[]
  /** Names of users' functions, operators and types that a call without schema may mean, though its arguments are builtin. */
  readonly functions: readonly string[]
  readonly operators: readonly string[]
  readonly typeNames: readonly string[]
  /** Somebody made a cast between builtin types: no expression is what it seems. */
  readonly hasBuiltinCasts: boolean
}

/** FirstNormalObjectId (transam.h): below is what initdb made. */
const FIRST_USER_OID = 16_384

/** The schema is not one that mesh adds to the overlay. */
const foreignTo = (column: string): string =>
  `${column} NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('mesh', 'mesh_base'))`

/** A value of a builtin type may become one of a user's type unasked, so any overload may be meant. */
const COERCIBLE = `EXISTS (SELECT 1 FROM pg_catalog.pg_cast WHERE oid >= ${FIRST_USER_OID} AND castcontext = 'i'
  AND castsource < ${FIRST_USER_OID} AND casttarget >= ${FIRST_USER_OID})`

const COLUMNS = `SELECT json_agg(json_build_object('number', a.attnum, 'name', a.attname, 'typeSchema', tn.nspname,
    'typeName', t.typname, 'typeModifier', a.atttypmod) ORDER BY a.attnum)
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

const BASE_TYPES = `SELECT n.nspname, t.typname, t.oid, CASE t.typtype
    WHEN 'e' THEN (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
    ELSE format_type(t.typbasetype, t.typtypmod) END AS definition
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'e' OR t.typtype = 'd' AND t.typbasetype < ${FIRST_USER_OID} AND n.nspname NOT IN ('information_schema', 'pg_catalog')`

/** One row with one JSON text. `rowSecurity`: the condition under which a table's rows are not for everybody. */
function sideQuery(rowSecurity: string, restriction: string): string {
  return `SELECT json_build_object(
  'tables', (SELECT coalesce(json_agg(json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname,
      'hasPolicies', ${rowSecurity}, 'columns', coalesce((${COLUMNS}), '[]'))), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'mesh', 'mesh_base')
      AND c.relpersistence <> 't' AND ${restriction}),
  'types', (SELECT coalesce(json_agg(json_build_object('schema', b.nspname, 'name', b.typname, 'formatted', format_type(b.oid, NULL),
      'definition', coalesce(b.definition, ''))), '[]') FROM (${BASE_TYPES}) AS b),
  'schemas', (SELECT json_agg(nspname) FROM pg_catalog.pg_namespace),
  'functions', (SELECT coalesce(json_agg(DISTINCT p.proname), '[]') FROM pg_catalog.pg_proc p WHERE p.oid >= ${FIRST_USER_OID}
    AND ${foreignTo('p.pronamespace')} AND (${COERCIBLE} OR NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(p.proargtypes::oid[]) AS a(type) WHERE a.type >= ${FIRST_USER_OID}))),
  'operators', (SELECT coalesce(json_agg(DISTINCT o.oprname), '[]') FROM pg_catalog.pg_operator o WHERE o.oid >= ${FIRST_USER_OID}
    AND ${foreignTo('o.oprnamespace')} AND (${COERCIBLE} OR o.oprleft < ${FIRST_USER_OID} AND o.oprright < ${FIRST_USER_OID})),
  'typeNames', (SELECT coalesce(json_agg(DISTINCT t.typname), '[]') FROM pg_catalog.pg_type t WHERE t.oid >= ${FIRST_USER_OID}
    AND ${foreignTo('t.typnamespace')}),
  'hasBuiltinCasts', EXISTS (SELECT 1 FROM pg_catalog.pg_cast WHERE oid >= ${FIRST_USER_OID}
    AND castsource < ${FIRST_USER_OID} AND casttarget < ${FIRST_USER_OID})
)::text`
}

/** For the overlay: merged tables are under row-level security of ours, and `mesh_all` says that there is none of users. */
export const OVERLAY_SIDE: string = sideQuery(
  `EXISTS (SELECT 1 FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid AND y.polname NOT IN ('mesh_hide', 'mesh_all', 'mesh_owner'))
    OR c.relrowsecurity AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid AND y.polname = 'mesh_all')`,
  'true',
)

/** For production: tables that we may read. */
export const PRODUCTION_SIDE: string = sideQuery(
  'c.relrowsecurity',
  `has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')`,
)

/** Reads what `OVERLAY_SIDE` or `PRODUCTION_SIDE` gives. */
export function readSide(text: string | null): SideCatalog {
  const parsed: unknown = JSON.parse(text ?? 'null')
  if (!isSide(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a catalogue as JSON, found another text' })
  }
  return parsed
}

/** The query above is ours, so its shape is given. */
function isSide(parsed: unknown): parsed is SideCatalog {
  return typeof parsed === 'object' && parsed !== null && 'tables' in parsed && 'hasBuiltinCasts' in parsed
}
