import type { CatalogQuery } from './catalog-query.ts'

/** What the role on production may do besides reading. */
export interface RoleReport {
  readonly role: string
  /** Reasons not to start: rights that write, or that let the role take such rights. Each is a whole phrase. */
  readonly refused: readonly string[]
  /** Worth telling, but no reason to stop. */
  readonly warned: readonly string[]
  /** Tables that it may not read, as `schema.name`: no branch can be made of a schema with them. */
  readonly unreadable: readonly string[]
  /** Policies hide rows of some table from it. */
  readonly isGuarded: boolean
  /** The server is a physical replica: no transaction there can write. */
  readonly isReplica: boolean
  /** As `server_version_num` has it: 150018. */
  readonly serverVersion: number
}

/** How many names one phrase shows. */
const SHOWN_NAMES = 5

const ATTRIBUTES = `
  SELECT current_user, r.rolsuper, r.rolreplication, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls,
    pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('server_version_num')
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`

/** Predefined roles that reach past reading; which of them exist depends on the version. */
const PREDEFINED_ROLES = `
  SELECT r.rolname FROM pg_catalog.pg_roles r
  WHERE r.rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
      'pg_maintain', 'pg_checkpoint', 'pg_create_subscription')
    AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
  ORDER BY 1`

const USER_OBJECTS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
    AND n.nspname NOT LIKE 'pg\\_temp%'`

const OWNED = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER')
  ORDER BY 1`

const WRITABLE = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND (pg_catalog.has_table_privilege(current_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
      OR pg_catalog.has_any_column_privilege(current_user, c.oid, 'INSERT, UPDATE'))
  ORDER BY 1`

const SEQUENCES = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind = 'S'
    AND pg_catalog.has_sequence_privilege(current_user, c.oid, 'USAGE, UPDATE')
  ORDER BY 1`

const CREATE_SCHEMAS = `
  SELECT n.nspname FROM pg_catalog.pg_namespace n
  WHERE ${USER_OBJECTS} AND pg_catalog.has_schema_privilege(current_user, n.oid, 'CREATE')
  ORDER BY 1`

const DATABASE_RIGHTS = `
  SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP'),
    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')`

const SECURITY_DEFINERS = `
  SELECT n.nspname || '.' || p.proname FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE ${USER_OBJECTS} AND p.prosecdef AND pg_catalog.has_function_privilege(current_user, p.oid, 'EXECUTE')
    AND pg_catalog.has_schema_privilege(current_user, n.oid, 'USAGE')
  ORDER BY 1`

const UNREADABLE = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND NOT (pg_catalog.has_schema_privilege(current_user, n.oid, 'USAGE') AND pg_catalog.has_table_privilege(current_user, c.oid, 'SELECT'))
  ORDER BY 1`

const UNREADABLE_SEQUENCES = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind = 'S'
    AND NOT pg_catalog.has_sequence_privilege(current_user, c.oid, 'SELECT, USAGE')
  ORDER BY 1`

/** Tables of which policies hide rows from us. */
const GUARDED = `
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${USER_OBJECTS} AND c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)
  ORDER BY 1`

/**
 * Asks production what our role may do there: first who it is, then the rest side by side, since production may be far away. A superuser is
 * asked nothing more: every answer would be yes.
 */
export async function checkRole(query: CatalogQuery): Promise<RoleReport> {
  const [row] = (await query(ATTRIBUTES)).rows
  const [role = '', isSuper, replicates, createsRoles, createsDatabases, bypassesPolicies, isReplica, version] =
    row ?? []
  const facts = { role: role ?? '', isReplica: isReplica === 't', serverVersion: Number(version ?? 0) }
  if (isSuper === 't') return { ...facts, refused: ['it is a superuser'], warned: [], unreadable: [], isGuarded: false }
  const [predefined, owned, writable, sequences, databaseRights] = await Promise.all([
    query(PREDEFINED_ROLES),
    query(OWNED),
    query(WRITABLE),
    query(SEQUENCES),
    query(DATABASE_RIGHTS),
  ])
  const [schemas, definers, guarded, unreadableSequences, unreadable] = await Promise.all([
    query(CREATE_SCHEMAS),
    query(SECURITY_DEFINERS),
    query(GUARDED),
    query(UNREADABLE_SEQUENCES),
    query(UNREADABLE),
  ])
  const [rights] = databaseRights.rows
  const refused = [
    ...(replicates === 't' ? ['it has REPLICATION'] : []),
    ...(createsRoles === 't' ? ['it has CREATEROLE'] : []),
    ...named('it is a member of', predefined),
    ...named('it owns', owned),
    ...named('it may write to', writable),
    ...named('it may move the sequence', sequences),
  ]
  const warned = [
    ...(createsDatabases === 't' ? ['it has CREATEDB'] : []),
    ...(bypassesPolicies === 't' ? ['it has BYPASSRLS'] : []),
    ...named('it may create objects in schema', schemas),
    ...(rights?.[1] === 't' ? ['it may create schemas in the database'] : []),
    ...(rights?.[0] === 't'
      ? ['it may create temporary tables (harmless here; REVOKE TEMPORARY ON DATABASE .. FROM PUBLIC ends it)']
      : []),
    ...named('it may run the SECURITY DEFINER function', definers),
    ...named('it reads only the rows that row level security lets it see (BYPASSRLS shows all) of', guarded),
    ...named(
      'it may not read the sequence, whose numbers on the branch may meet those of production (GRANT SELECT ON ALL SEQUENCES ends it),',
      unreadableSequences,
    ),
  ]
  return {
    ...facts,
    refused,
    warned,
    unreadable: unreadable.rows.flatMap(([found]) => found ?? []),
    isGuarded: guarded.rows.length > 0,
  }
}

function named(phrase: string, result: { readonly rows: readonly (readonly (string | null)[])[] }): readonly string[] {
  const names = result.rows.flatMap((row) => row[0] ?? [])
  return names.length === 0 ? [] : [`${phrase} ${fewNames(names)}`]
}

/** The first names, and how many there are beside. */
export function fewNames(names: readonly string[]): string {
  const rest = names.length - SHOWN_NAMES
  return `${names.slice(0, SHOWN_NAMES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
