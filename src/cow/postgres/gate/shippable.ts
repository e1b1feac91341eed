import type { CatalogQuery } from './catalog-query.ts'

/**
 * The functions, operators and types that production may be asked to run in a foreign scan: the explicit list behind
 * `judgeFdwStatement`. A function of `pg_catalog` stands alone, all else as `schema.name`.
 */
export interface Shippable {
  readonly functions: ReadonlySet<string>
  /** `pg_catalog` included. */
  readonly operators: ReadonlySet<string>
  /** Base types, their arrays, and enums; `pg_catalog` included. Never a domain: its CHECK is user code. */
  readonly types: ReadonlySet<string>
  /** Extensions of production whose members are all on these lists: postgres_fdw may send what is of them. */
  readonly extensions: ReadonlySet<string>
}

/**
 * Below it are the objects that PostgreSQL's own sources number by hand; a function that someone added to pg_catalog is above
 * (`src/include/access/transam.h`, FirstGenbkiObjectId).
 */
export const FIRST_OTHER_OBJECT_ID = 10_000

/**
 * Extensions of PostgreSQL's own (contrib) whose immutable functions were read, and only compute. Others call their own immutable and are not:
 * `isn_weak()` of isn sets what the session takes for valid, `xslt_process()` of xml2 runs a program given as text, those of
 * earthdistance find each other by a search path that the gate does not have.
 */
const COMPUTING_EXTENSIONS: readonly string[] = [
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'ltree',
  'pg_trgm',
  'pgcrypto',
  'seg',
  'uuid-ossp',
]

/** In SQL, of citext: every name in their bodies is that of pg_catalog, written out. */
const CITEXT_FUNCTIONS: readonly string[] = [
  'regexp_match',
  'regexp_matches',
  'regexp_replace',
  'regexp_split_to_array',
  'regexp_split_to_table',
  'replace',
  'split_part',
  'strpos',
  'translate',
]

/** Of hstore, with its operator `#=`: it makes a row of any type, and so runs the CHECK of a domain in it. */
const REFUSED_FUNCTION = 'populate_record'

const list = (names: readonly string[]): string => `(${names.map((name) => `'${name}'`).join(', ')})`

/** Languages internal and C, whose functions only a superuser can make. */
const COMPILED = '(12, 13)'
const SQL_LANGUAGE = 14

/**
 * What only computes. PostgreSQL's own; members of the extensions above that are immutable, compiled, without the rights of another, and a
 * superuser's: an extension has an owner, who may be anybody (`trusted` ones) and adds functions to it. An aggregate is what its
 * functions are: PostgreSQL calls each of them immutable.
 *
 * `compiled`: functions that a superuser gave PostgreSQL as a compiled program, of whatever extension.
 */
const COMPUTING = `
  WITH member AS (
    SELECT d.classid, d.objid, e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  ), compiled AS (
    SELECT p.oid, p.provolatile, m.extname, p.proname FROM pg_catalog.pg_proc p
    JOIN member m ON m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid
    JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
    WHERE r.rolsuper AND NOT p.prosecdef AND p.proconfig IS NULL AND p.prokind = 'f' AND p.provolatile <> 'v'
      AND (p.prolang IN ${COMPILED} OR (p.prolang = ${SQL_LANGUAGE} AND m.extname = 'citext' AND p.proname IN ${list(CITEXT_FUNCTIONS)}))
  ), simple AS (
    SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.oid < ${FIRST_OTHER_OBJECT_ID} AND p.provolatile <> 'v' AND NOT p.prosecdef
    UNION ALL
    SELECT c.oid FROM compiled c
    WHERE c.provolatile = 'i' AND c.extname IN ${list(COMPUTING_EXTENSIONS)} AND c.proname <> '${REFUSED_FUNCTION}'
  ), computing AS (
    SELECT s.oid FROM simple s
    UNION ALL
    SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
    JOIN member m ON m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND m.objid = p.oid
    JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
    WHERE r.rolsuper AND m.extname IN ${list(COMPUTING_EXTENSIONS)} AND NOT EXISTS (
      SELECT 1 FROM pg_catalog.unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
        a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) AS part(oid)
      WHERE part.oid <> 0 AND part.oid NOT IN (SELECT s.oid FROM simple s))
  )`

/** A name qualifies if all of its overloads do, and one is immutable: postgres_fdw ships no others. */
const FUNCTIONS = `${COMPUTING}
  SELECT CASE WHEN n.nspname = 'pg_catalog' THEN p.proname::text ELSE n.nspname || '.' || p.proname END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN computing c ON c.oid = p.oid
  GROUP BY n.nspname, p.proname
  HAVING bool_and(c.oid IS NOT NULL) AND bool_or(p.provolatile = 'i')`

/**
 * As of functions: the one that an operator stands for counts. Beside one that qualifies, compiled and immutable ones of other
 * extensions may have its name, as those of types do.
 */
const OPERATORS = `${COMPUTING}, judged AS (
    SELECT n.nspname, o.oprname, p.provolatile,
      p.oid IN (SELECT c.oid FROM computing c) AND (m.extname IN ${list(COMPUTING_EXTENSIONS)} OR o.oid < ${FIRST_OTHER_OBJECT_ID}) AS computes,
      m.extname IS NOT NULL AND p.oid IN (SELECT c.oid FROM compiled c WHERE c.proname <> '${REFUSED_FUNCTION}') AS is_compiled,
      (o.oprrest = 0 OR o.oprrest < ${FIRST_OTHER_OBJECT_ID} OR o.oprrest IN (SELECT c.oid FROM compiled c))
        AND (o.oprjoin = 0 OR o.oprjoin < ${FIRST_OTHER_OBJECT_ID} OR o.oprjoin IN (SELECT c.oid FROM compiled c)) AS is_estimated
    FROM pg_catalog.pg_operator o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
    LEFT JOIN member m ON m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND m.objid = o.oid
  )
  SELECT j.nspname || '.' || j.oprname FROM judged j
  GROUP BY j.nspname, j.oprname
  HAVING bool_and((j.computes OR j.is_compiled) AND j.is_estimated) AND bool_or(j.computes AND j.provolatile = 'i')`

/** Only a superuser can make a base type. */
const TYPES = `${COMPUTING}
  SELECT n.nspname || '.' || t.typname
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type element ON element.oid = t.typelem AND t.typcategory = 'A'
  JOIN pg_catalog.pg_type own ON own.oid = coalesce(element.oid, t.oid)
  LEFT JOIN member m ON m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND m.objid = own.oid
  WHERE (t.oid < ${FIRST_OTHER_OBJECT_ID} AND n.nspname = 'pg_catalog' AND own.typtype IN ('b', 'r', 'm')) OR own.typtype = 'e'
    OR (own.typtype = 'b' AND m.extname IN ${list(COMPUTING_EXTENSIONS)} AND own.typinput IN (SELECT c.oid FROM computing c))`

/** What postgres_fdw would send of an extension: kind of member, its name. */
const MEMBERS = `${COMPUTING}
  SELECT m.extname, 'function' AS kind, CASE WHEN n.nspname = 'pg_catalog' THEN p.proname::text ELSE n.nspname || '.' || p.proname END AS name
  FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.provolatile = 'i' AND p.proname <> '${REFUSED_FUNCTION}'
    AND m.extname IN ${list(COMPUTING_EXTENSIONS)}
  UNION ALL
  SELECT m.extname, 'operator', n.nspname || '.' || o.oprname
  FROM member m JOIN pg_catalog.pg_operator o ON o.oid = m.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  WHERE m.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND p.provolatile = 'i' AND p.proname <> '${REFUSED_FUNCTION}'
    AND m.extname IN ${list(COMPUTING_EXTENSIONS)}
  UNION ALL
  SELECT m.extname, 'type', n.nspname || '.' || t.typname
  FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND m.extname IN ${list(COMPUTING_EXTENSIONS)}`

/** Reads the list from production's catalogue, so that it is true of production's version. */
export async function loadShippable(query: CatalogQuery): Promise<Shippable> {
  // Whoever reads the audit log finds that all of it begins with SELECT.
  const read = (text: string): ReturnType<CatalogQuery> => query(`SELECT * FROM (${text}) AS found`)
  const [functions, operators, types, members] = await Promise.all([
    read(FUNCTIONS).then(firstColumn),
    read(OPERATORS).then(firstColumn),
    read(TYPES).then(firstColumn),
    read(MEMBERS),
  ])
  const lists = new Map([
    ['function', functions],
    ['operator', operators],
    ['type', types],
  ])
  const extensions = new Set<string>()
  const partial = new Set<string>()
  for (const [extension, kind, name] of members.rows) {
    const isListed = lists.get(kind ?? '')?.has(name ?? '') === true
    ;(isListed ? extensions : partial).add(extension ?? '')
  }
  for (const extension of partial) extensions.delete(extension)
  return { functions, operators, types, extensions }
}

/** The first column's values, without nulls. */
export function firstColumn(result: { readonly rows: readonly (readonly (string | null)[])[] }): ReadonlySet<string> {
  return new Set(result.rows.flatMap((row) => row[0] ?? []))
}
