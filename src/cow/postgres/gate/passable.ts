import type { CatalogQuery } from './catalog-query.ts'
import { firstColumn, FIRST_OTHER_OBJECT_ID } from './shippable.ts'

/** What a passed statement may call on production. Names of pg_catalog, without schema. */
export interface Passable {
  readonly functions: ReadonlySet<string>
  readonly types: ReadonlySet<string>
  /** Names that anybody else has given, in any schema: a search path may prefer them. */
  readonly strangers: {
    readonly functions: ReadonlySet<string>
    readonly operators: ReadonlySet<string>
    readonly types: ReadonlySet<string>
  }
}

/**
 * Functions of PostgreSQL's own that are not volatile in any form, but do more than compute: they take a transaction id, run text
 * given to them, show the server's files or settings, or wait.
 */
const REFUSED_FUNCTIONS: readonly string[] = [
  'current_setting',
  'cursor_to_xml',
  'cursor_to_xmlschema',
  'database_to_xml',
  'database_to_xml_and_xmlschema',
  'database_to_xmlschema',
  'pg_current_xact_id',
  'pg_current_xact_id_if_assigned',
  'pg_export_snapshot',
  'query_to_xml',
  'query_to_xml_and_xmlschema',
  'query_to_xmlschema',
  'schema_to_xml',
  'schema_to_xml_and_xmlschema',
  'schema_to_xmlschema',
  'table_to_xml',
  'table_to_xml_and_xmlschema',
  'table_to_xmlschema',
  'ts_rewrite',
  'ts_stat',
  'txid_current',
  'txid_current_if_assigned',
]

const FUNCTIONS = `
  SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = 'pg_catalog' GROUP BY p.proname
  HAVING bool_and(p.oid < ${FIRST_OTHER_OBJECT_ID}) AND NOT bool_or(p.provolatile = 'v') AND NOT bool_or(p.prosecdef)
    AND p.proname <> ALL ($1::text[])`

const TYPES = `
  SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE n.nspname = 'pg_catalog' AND t.oid < ${FIRST_OTHER_OBJECT_ID} AND t.typtype IN ('b', 'r', 'm')`

/** Above PostgreSQL's own objects, those of initdb included (FirstNormalObjectId). */
const FIRST_STRANGER_ID = 16_384

const STRANGER_FUNCTIONS = `SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE oid >= ${FIRST_STRANGER_ID}`
const STRANGER_OPERATORS = `SELECT DISTINCT oprname FROM pg_catalog.pg_operator WHERE oid >= ${FIRST_STRANGER_ID}`
const STRANGER_TYPES = `SELECT DISTINCT typname FROM pg_catalog.pg_type WHERE oid >= ${FIRST_STRANGER_ID}`

/** Reads the list from production's catalogue. It is as old as the gate: a reload is the caller's to ask for. */
export async function loadPassable(query: CatalogQuery): Promise<Passable> {
  const refused = `{${REFUSED_FUNCTIONS.join(',')}}`
  const [functions, types, strangerFunctions, operators, strangerTypes] = await Promise.all([
    query(FUNCTIONS, [refused]),
    query(TYPES),
    query(STRANGER_FUNCTIONS),
    query(STRANGER_OPERATORS),
    query(STRANGER_TYPES),
  ])
  return {
    functions: firstColumn(functions),
    types: firstColumn(types),
    strangers: {
      functions: firstColumn(strangerFunctions),
      operators: firstColumn(operators),
      types: firstColumn(strangerTypes),
    },
  }
}
