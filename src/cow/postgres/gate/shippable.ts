import type { CatalogQuery } from './catalog-query.ts'

/**
 * The functions, operators and types that production may be asked to run in a foreign scan: the explicit list behind
 * `judgeFdwStatement`. A name of `pg_catalog` stands alone, any other as `schema.name`.
 */
export interface Shippable {
  readonly functions: ReadonlySet<string>
  /** Operators outside pg_catalog, of extensions. */
  readonly operators: ReadonlySet<string>
  /** Types outside pg_catalog: enums, and base types of extensions. Never a domain: its CHECK is user code. */
  readonly types: ReadonlySet<string>
}

/**
 * Below it are the objects that PostgreSQL's own sources number by hand; a function that someone added to pg_catalog is above
 * (`src/include/access/transam.h`, FirstGenbkiObjectId).
 */
export const FIRST_OTHER_OBJECT_ID = 10_000

/**
 * A name qualifies if one of its overloads is immutable (postgres_fdw ships no others), none is volatile and none is a
 * stranger's. Members of extensions count as built-in: the branch has the extensions of production, and its postgres_fdw is told so.
 */
const FUNCTIONS = `
  SELECT CASE WHEN n.nspname = 'pg_catalog' THEN p.proname::text ELSE n.nspname || '.' || p.proname END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN LATERAL (
    SELECT true AS member FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  ) x ON true
  GROUP BY n.nspname, p.proname
  HAVING bool_and((p.oid < ${FIRST_OTHER_OBJECT_ID} AND n.nspname = 'pg_catalog') OR coalesce(x.member, false))
    AND bool_or(p.provolatile = 'i') AND NOT bool_or(p.provolatile = 'v') AND NOT bool_or(p.prosecdef)`

/** As of functions: the one that an operator stands for counts. */
const OPERATORS = `
  SELECT n.nspname || '.' || o.oprname
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
  WHERE n.nspname <> 'pg_catalog'
  GROUP BY n.nspname, o.oprname
  HAVING bool_and(d.objid IS NOT NULL) AND bool_or(p.provolatile = 'i') AND NOT bool_or(p.provolatile = 'v') AND NOT bool_or(p.prosecdef)`

const TYPES = `
  SELECT n.nspname || '.' || t.typname
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND t.typcategory = 'A'
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'e'
    AND d.objid = coalesce(element.oid, t.oid)
  WHERE n.nspname <> 'pg_catalog'
    AND (coalesce(element.typtype, t.typtype) = 'e' OR (coalesce(element.typtype, t.typtype) = 'b' AND d.objid IS NOT NULL))`

/** Reads the list from production's catalogue, so that it is true of production's version. */
export async function loadShippable(query: CatalogQuery): Promise<Shippable> {
  const [functions, operators, types] = await Promise.all([query(FUNCTIONS), query(OPERATORS), query(TYPES)])
  return { functions: firstColumn(functions), operators: firstColumn(operators), types: firstColumn(types) }
}

/** The first column's values, without nulls. */
export function firstColumn(result: { readonly rows: readonly (readonly (string | null)[])[] }): ReadonlySet<string> {
  return new Set(result.rows.flatMap((row) => row[0] ?? []))
}
