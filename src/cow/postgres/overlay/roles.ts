import { dollarQuoted, quoteName, quoteText } from './identifiers.ts'
import { ADMIN_ROLE, COPY_ROLE } from './names.ts'

/** Roles of the upstream server: name, whether it may create databases, log in, and whether it is a superuser. */
export const ROLES_QUERY = `SELECT rolname, rolcreatedb OR rolsuper, rolcreaterole AND NOT rolsuper, rolinherit FROM pg_catalog.pg_roles
  WHERE rolname !~ '^pg_' ORDER BY rolname`

/** Memberships: group, member, and from PostgreSQL 16 on what each is good for. Predefined roles are left out: they reach beyond the database. */
export const MEMBERSHIPS_QUERY = `SELECT g.rolname, m.rolname, to_jsonb(a) ->> 'inherit_option', to_jsonb(a) ->> 'set_option' FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
  WHERE g.rolname !~ '^pg_' AND m.rolname !~ '^pg_' ORDER BY 1, 2`

/**
 * Roles that have the rights of a predefined one on everything, themselves or by others, superusers among them: role, what. The branch's
 * own roles of these names read and write mesh's tables too, and production's rows past the policies of their table.
 */
export const WIDE_ROLES_QUERY = `SELECT r.rolname, w.what FROM pg_catalog.pg_roles r
  CROSS JOIN (VALUES ('read', 'pg_read_all_data'), ('write', 'pg_write_all_data')) AS w(what, predefined)
  WHERE r.rolname !~ '^pg_' AND (r.rolsuper
    OR pg_catalog.pg_has_role(r.oid, (SELECT p.oid FROM pg_catalog.pg_roles p WHERE p.rolname = w.predefined), 'USAGE')) ORDER BY 1, 2`

/** Roles of the branch to which new tables are granted too. */
export const WIDE_ROLES = `CREATE TABLE IF NOT EXISTS mesh.wide_roles (role name NOT NULL, what text NOT NULL CHECK (what IN ('read', 'write')));`

/** Settings by role and database that hold for the cloned database: role (null: all), `name=value` one by one. */
export const SETTINGS_QUERY = `SELECT r.rolname, s.setdatabase = 0, c.setting FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c(setting) LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))`

/**
 * Rights that no dump tells, since they come from owning the database or from being a superuser: who may create schemas in the upstream
 * database (schema null), who may create objects in `public`, and superusers, who may do both in every schema and whose foreign keys look
 * for their parents there.
 */
export const CREATORS_QUERY = `SELECT r.rolname, NULL, 'CREATE' FROM pg_catalog.pg_roles r
  WHERE r.rolname !~ '^pg_' AND pg_catalog.has_database_privilege(r.oid, current_database(), 'CREATE')
  UNION ALL SELECT r.rolname, n.nspname, CASE WHEN r.rolsuper THEN 'USAGE, CREATE' ELSE 'CREATE' END
  FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_namespace n
  WHERE r.rolname !~ '^pg_' AND (r.rolsuper AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    OR n.nspname = 'public' AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE'))`

type Rows = readonly (readonly (string | null)[])[]

/** The same rights on the branch's database, which belongs to mesh. */
export function creatorsSql(creators: Rows, database: string): string {
  return creators
    .filter(([role]) => role !== ADMIN_ROLE && role !== COPY_ROLE)
    .map(([role, schema, rights]) => {
      const target =
        schema === null || schema === undefined ? `DATABASE ${quoteName(database)}` : `SCHEMA ${quoteName(schema)}`
      return `GRANT ${rights ?? 'CREATE'} ON ${target} TO ${quoteName(role ?? '')};`
    })
    .join('\n')
}

/**
 * Shells of upstream's roles: they own and are granted, and clients whom the proxy let in act as them. None is a
 * superuser or passes policies, whatever it is in production, and none has a password.
 */
export function rolesSql(roles: Rows, memberships: Rows): string {
  const own = new Set([ADMIN_ROLE, COPY_ROLE])
  const shells = roles.filter(([name]) => name !== null && name !== undefined && !own.has(name))
  const created = shells.map(([name, createsDatabases, , inherits]) => {
    const attributes = `LOGIN NOSUPERUSER NOBYPASSRLS ${createsDatabases === 't' ? 'CREATEDB' : 'NOCREATEDB'} ${inherits === 'f' ? 'NOINHERIT' : 'INHERIT'}`
    return `IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(name ?? '')}) THEN CREATE ROLE ${quoteName(name ?? '')} ${attributes}; END IF;`
  })
  const known = new Set(shells.map(([name]) => name))
  const granted = memberships
    .filter(([group, member]) => known.has(group ?? '') && known.has(member ?? ''))
    .map(([group, member, inherits, sets]) => {
      const options = [
        ...(inherits === null || inherits === undefined ? [] : [`INHERIT ${inherits}`]),
        ...(sets === null || sets === undefined ? [] : [`SET ${sets}`]),
      ]
      const how = options.length === 0 ? '' : ` WITH ${options.join(', ')}`
      return `GRANT ${quoteName(group ?? '')} TO ${quoteName(member ?? '')}${how};`
    })
  return `DO ${dollarQuoted(`BEGIN ${created.join('\n')} END`)};\n${granted.join('\n')}`
}

/** What there is of the schema, for roles that read or write everything; what comes later is `grantNewSql`'s. */
export function wideRightsSql(wide: Rows): string {
  const roles = wide.filter(([role]) => role !== ADMIN_ROLE && role !== COPY_ROLE)
  if (roles.length === 0) return ''
  const values = roles.map(([role, what]) => `(${quoteText(role ?? '')}, ${quoteText(what ?? '')})`)
  return `INSERT INTO mesh.wide_roles VALUES ${values.join(', ')};
DO ${dollarQuoted(`DECLARE place name; wide record; BEGIN
  FOR wide IN SELECT w.what, string_agg(quote_ident(w.role), ', ') AS roles FROM mesh.wide_roles AS w GROUP BY w.what LOOP
    FOR place IN SELECT n.nspname FROM pg_namespace AS n WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'mesh', 'mesh_base') LOOP
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', place, wide.roles);
      EXECUTE format('GRANT %s ON ALL TABLES IN SCHEMA %I TO %s', CASE wide.what WHEN 'read' THEN 'SELECT' ELSE 'INSERT, UPDATE, DELETE' END, place, wide.roles);
      EXECUTE format('GRANT %s ON ALL SEQUENCES IN SCHEMA %I TO %s', CASE wide.what WHEN 'read' THEN 'SELECT' ELSE 'UPDATE' END, place, wide.roles);
    END LOOP;
  END LOOP;
END`)};`
}

/** PL/pgSQL of an event trigger: the same for what a statement has made. `mesh_found` is a record. */
export function grantNewSql(): string {
  return `FOR mesh_found IN SELECT d.object_type, d.object_identity, w.what, string_agg(quote_ident(w.role), ', ') AS roles
    FROM pg_event_trigger_ddl_commands() AS d CROSS JOIN mesh.wide_roles AS w JOIN pg_roles AS r ON r.rolname = w.role
    WHERE d.command_tag ~ '^(CREATE|SELECT INTO)' AND d.object_type IN ('schema', 'table', 'view', 'materialized view', 'foreign table', 'sequence')
      AND d.schema_name IS DISTINCT FROM 'pg_temp' GROUP BY 1, 2, 3
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %s', CASE WHEN mesh_found.object_type = 'schema' THEN 'USAGE' WHEN mesh_found.what = 'read' THEN 'SELECT'
      WHEN mesh_found.object_type = 'sequence' THEN 'UPDATE' ELSE 'INSERT, UPDATE, DELETE' END,
      CASE mesh_found.object_type WHEN 'schema' THEN 'SCHEMA' WHEN 'sequence' THEN 'SEQUENCE' ELSE 'TABLE' END, mesh_found.object_identity, mesh_found.roles);
  END LOOP;`
}

/** Settings that shape what names and values mean; others (work_mem, replication, logging) are the overlay's own. */
const CLONED_SETTINGS: ReadonlySet<string> = new Set([
  'search_path',
  'timezone',
  'datestyle',
  'intervalstyle',
  'bytea_output',
  'extra_float_digits',
  'default_transaction_isolation',
  'standard_conforming_strings',
  'lc_monetary',
  'lc_numeric',
  'default_text_search_config',
  'xmlbinary',
  'xmloption',
])

/** Settings by role and database, of those that matter to statements. Custom ones (`app.tenant`) are kept. */
export function roleSettingsSql(settings: Rows, database: string): string {
  return settings
    .flatMap(([role, everywhere, setting]) => {
      const at = (setting ?? '').indexOf('=')
      const name = (setting ?? '').slice(0, at)
      if (at < 0 || !(CLONED_SETTINGS.has(name.toLowerCase()) || name.includes('.'))) return []
      const value = name === 'search_path' ? (setting ?? '').slice(at + 1) : quoteText((setting ?? '').slice(at + 1))
      const scope = everywhere === 't' && role !== null ? '' : ` IN DATABASE ${quoteName(database)}`
      const target =
        role === null || role === undefined ? `DATABASE ${quoteName(database)}` : `ROLE ${quoteName(role)}${scope}`
      return [`ALTER ${target} SET ${name.split('.').map(quoteName).join('.')} TO ${value === '' ? "''" : value};`]
    })
    .join('\n')
}
