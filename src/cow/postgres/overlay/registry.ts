import { quoteText } from './identifiers.ts'
import { COPY_ROLE, TRIGGER_PREFIX } from './names.ts'
import { DETACH_BASE, PLAIN_TABLE } from './hiding-policy.ts'
import { hydrationSql } from './hydration.ts'
import { insertingSql } from './insert-check.ts'
import { BASE_COLUMNS_VIEW } from './supplied-columns.ts'
import { functionSql, READ_ONLY, requireOwner, requirePrivilege, requireSession } from './sql-function.ts'

/**
 * A report names at most this many keys; of a statement that touches more, it says `*`. As many as are remembered of a table; a text of
 * some 100 KB, made in a hundredth of the time that the rows take.
 */
export const REPORTED_KEYS = 10_000

/** How long a copy-up on a connection of its own waits for a lock before it is done in the client's transaction. */
const LOCK_TIMEOUT_MS = 1_000

/**
 * Schemas, roles, registry and the functions that all tables share. Run once in each overlay database, by the superuser.
 * `mesh_base` has the foreign tables, `mesh` everything else.
 */
export function registrySql(): string {
  return [
    SCHEMAS,
    EXTENSIONS,
    reportSql(),
    autonomousSql(),
    insertingSql(),
    faultInSql(),
    bringSql(),
    BASE_COLUMNS_VIEW,
    preparingSql(),
    hydrationSql(),
    refreshSql(),
  ].join('\n')
}

/** Roles of the overlay's server; they may be there from another database of the same server. */
export const ROLES: string = `
DO $mesh$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '${COPY_ROLE}') THEN
    CREATE ROLE ${COPY_ROLE} LOGIN BYPASSRLS;
  END IF;
END $mesh$;
COMMENT ON ROLE ${COPY_ROLE} IS 'mesh cow postgres: copies rows onto the branch. Not in production.';
GRANT SET ON PARAMETER session_replication_role TO ${COPY_ROLE};
GRANT pg_read_all_data, pg_write_all_data TO ${COPY_ROLE};
`

const SCHEMAS = `
${ROLES}
CREATE SCHEMA IF NOT EXISTS mesh;
CREATE SCHEMA IF NOT EXISTS mesh_base;
GRANT USAGE ON SCHEMA mesh TO PUBLIC;
COMMENT ON SCHEMA mesh IS 'mesh cow postgres: which rows are the branch''s own. Not in production.';
COMMENT ON SCHEMA mesh_base IS 'mesh cow postgres: production''s rows, read only. Not in production.';
CREATE TABLE IF NOT EXISTS mesh.tables (
  id integer PRIMARY KEY, relation regclass NOT NULL, foreign_relation regclass NOT NULL, touched regclass,
  kind text NOT NULL CHECK (kind IN ('table', 'partitioned', 'matview')), key_columns text[] NOT NULL, key_numbers int2[] NOT NULL,
  upstream_schema text NOT NULL, upstream_name text NOT NULL, cut text CHECK (cut IN ('truncated', 'copied')));
CREATE TABLE IF NOT EXISTS mesh.copied_rows (table_id integer NOT NULL, base_row jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS mesh.dropped_tables (upstream_schema text NOT NULL, upstream_name text NOT NULL);
CREATE INDEX IF NOT EXISTS copied_rows_table ON mesh.copied_rows (table_id);
CREATE TABLE IF NOT EXISTS mesh.materialized_views (hidden regclass NOT NULL, relation regclass NOT NULL);
CREATE TABLE IF NOT EXISTS mesh.settings (name text PRIMARY KEY, value text NOT NULL);
`

/** dblink opens connections as superuser's peers: nobody but us may call it, wherever it was installed. */
const EXTENSIONS = `
CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA mesh;
CREATE EXTENSION IF NOT EXISTS dblink SCHEMA mesh;
ALTER EXTENSION dblink SET SCHEMA mesh;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mesh FROM PUBLIC;
GRANT SELECT ON mesh.settings, mesh.tables TO ${COPY_ROLE};
`

/** INFO reaches the client whatever its `client_min_messages`. */
function reportSql(): string {
  return functionSql({
    signature: 'mesh.report(table_id integer, keys jsonb)',
    returns: 'void',
    rights: 'invoker',
    callers: 'everyone',
    // In ASCII: a notice comes in the client's encoding, which may lack a character.
    body: `
DECLARE
  mesh_keys text := CASE WHEN jsonb_array_length(keys) <= ${REPORTED_KEYS} THEN keys::text END;
BEGIN
  IF octet_length(mesh_keys) > length(mesh_keys) THEN mesh_keys := 'x' || encode(convert_to(mesh_keys, 'UTF8'), 'hex'); END IF;
  RAISE INFO USING MESSAGE = 'mesh touched ' || table_id, ERRCODE = 'MSH01', DETAIL = coalesce(mesh_keys, '*');
END`,
  })
}

/**
 * `mesh.autonomous(table_id, call)`: runs a call on a connection of its own, committed at once, and says whether it could. It cannot
 * where the client's snapshot would not see the outcome (REPEATABLE READ and above), where the client holds a lock that
 * the other connection would wait for, or where that one waits too long: the caller then does it in the client's transaction,
 * where PostgreSQL's deadlock detector sees everyone.
 *
 * It alone may open connections, and only as `mesh_copy`: the last `user` of a connection string counts. Code of users that runs under
 * that role during a copy-up can open none.
 */
function autonomousSql(): string {
  const definition = functionSql({
    signature: 'mesh.autonomous(table_id integer, call text)',
    returns: 'boolean',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_self text;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN false; END IF;
  SELECT s.value INTO mesh_self FROM mesh.settings AS s WHERE s.name = 'self';
  IF mesh_self IS NULL OR EXISTS (
    SELECT 1 FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND l.relation IN (SELECT unnest(ARRAY[t.relation, t.foreign_relation, t.touched])::oid FROM mesh.tables AS t WHERE t.id = table_id)
  ) THEN RETURN false; END IF;
  IF NOT 'mesh' = ANY (coalesce(mesh.dblink_get_connections(), '{}')) THEN
    PERFORM mesh.dblink_connect_u('mesh', mesh_self || ' user=${COPY_ROLE} dbname=' || quote_literal(current_database()));
  END IF;
  PERFORM 1 FROM mesh.dblink('mesh', call) AS r(outcome text);
  RETURN true;
EXCEPTION
  WHEN lock_not_available OR deadlock_detected THEN RETURN false;
  WHEN connection_exception OR sqlclient_unable_to_establish_sqlconnection OR connection_does_not_exist
    OR connection_failure OR too_many_connections OR insufficient_resources OR admin_shutdown OR crash_shutdown THEN
    IF 'mesh' = ANY (coalesce(mesh.dblink_get_connections(), '{}')) THEN PERFORM mesh.dblink_disconnect('mesh'); END IF;
    RETURN false;
END`,
  })
  return `${definition}\nGRANT EXECUTE ON FUNCTION mesh.autonomous(integer, text) TO ${COPY_ROLE};`
}

/**
 * `mesh.fault_in(table_id, keys)`: copy-up for a client's statement. Committed at once where it can be: no other session then
 * waits for this client's transaction, and ON CONFLICT DO UPDATE finds a row that is not of its own command.
 */
export function faultInSql(): string {
  return functionSql({
    signature: 'mesh.fault_in(table_id integer, keys jsonb)',
    returns: 'void',
    rights: 'definer',
    callers: 'everyone',
    body: `
DECLARE
  mesh_call text := format('SELECT mesh.copy_up_%s(%L::jsonb)', table_id, keys);
BEGIN
  IF keys IS NULL OR jsonb_array_length(keys) = 0 THEN RETURN; END IF;
  -- In a transaction that may not write the statement fails by itself, with what PostgreSQL finds first.
  IF ${READ_ONLY} THEN RETURN; END IF;
  -- Before it: should the statement be cancelled meanwhile, the other connection commits all the same.
  PERFORM mesh.report(table_id, keys);
  IF NOT mesh.autonomous(table_id, mesh_call) THEN
    EXECUTE mesh_call;
  END IF;
END`,
  })
}

/**
 * `mesh.bring(table_id, key)`: copy-up of one row, and how many it was: none where production has no such row. The caller has seen
 * that the key is not touched.
 */
export function bringSql(): string {
  return functionSql({
    signature: 'mesh.bring(table_id integer, key jsonb)',
    returns: 'bigint',
    rights: 'definer',
    callers: 'everyone',
    body: `
DECLARE
  mesh_rows bigint;
  mesh_condition text;
BEGIN
  IF key @> '[null]' THEN RETURN 0; END IF;
  PERFORM mesh.fault_in(table_id, jsonb_build_array(key));
  SELECT string_agg(format('t.k%s = %L', e.place, e.value), ' AND ') INTO mesh_condition
    FROM jsonb_array_elements_text(key) WITH ORDINALITY AS e(value, place);
  EXECUTE format('SELECT count(*) FROM mesh.touched_%s AS t WHERE %s', table_id, mesh_condition) INTO mesh_rows;
  RETURN mesh_rows;
END`,
  })
}

/** What prepares a table for a statement that follows. */
export function preparingSql(): string {
  return [detachSql(), dropBaseSql(), freeKeySql()].join('\n')
}

/**
 * `mesh.detach(table_id)`: cuts a table loose from its base, for TRUNCATE and for tables that are copied whole. Part of the
 * caller's transaction: rolled back, the base is there again. The caller needs the right to truncate.
 */
function detachSql(): string {
  return functionSql({
    signature: 'mesh.detach(table_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    body: `
DECLARE
  mesh_entry mesh.tables;
BEGIN
  ${requireSession('detach')}
  SELECT * INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  ${requirePrivilege('mesh_entry.relation', 'TRUNCATE')}
  EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', mesh_entry.relation);
  IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = mesh_entry.foreign_relation) THEN
    ${DETACH_BASE}
    ${PLAIN_TABLE}
    UPDATE mesh.tables AS t SET cut = 'truncated' WHERE t.id = table_id;
  END IF;
  PERFORM mesh.report(table_id, NULL);
END`,
  })
}

/**
 * `mesh.drop_base(table_id)`: takes a table's base away for good, so that the table can be dropped. For the table's owner; part of the
 * caller's transaction.
 */
function dropBaseSql(): string {
  return functionSql({
    signature: 'mesh.drop_base(table_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    body: `
DECLARE
  mesh_entry mesh.tables;
BEGIN
  ${requireSession('drop_base')}
  SELECT * INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  ${requireOwner('mesh_entry.relation', 'must be owner of table %s')}
  -- The policy names the base, and hides its rows up to here.
  EXECUTE format('ALTER FOREIGN TABLE %s NO INHERIT %s', mesh_entry.foreign_relation, mesh_entry.relation);
  EXECUTE format('DROP POLICY IF EXISTS mesh_hide ON %s', mesh_entry.relation);
  EXECUTE format('DROP FOREIGN TABLE %s', mesh_entry.foreign_relation);
  IF mesh_entry.kind = 'partitioned' THEN PERFORM mesh.forget_tree(mesh_entry.relation); END IF;
  DELETE FROM mesh.tables AS t WHERE t.id = table_id;
  INSERT INTO mesh.dropped_tables VALUES (mesh_entry.upstream_schema, mesh_entry.upstream_name);
END`,
  })
}

/**
 * `mesh.free_key(table_id)`: takes away what of ours names columns of a table's key, so that a migration can change these. The event
 * trigger behind the migration puts it back. For the table's owner; part of the caller's transaction.
 */
function freeKeySql(): string {
  return functionSql({
    signature: 'mesh.free_key(table_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: ['event_triggers = off', 'client_min_messages = error'],
    body: `
DECLARE
  mesh_table regclass;
BEGIN
  ${requireSession('free_key')}
  SELECT t.relation INTO STRICT mesh_table FROM mesh.tables AS t WHERE t.id = table_id;
  ${requireOwner('mesh_table', 'must be owner of table %s')}
  EXECUTE format('DROP POLICY IF EXISTS mesh_hide ON %s', mesh_table);
  EXECUTE format('DROP TRIGGER IF EXISTS "${TRIGGER_PREFIX}rekeyed" ON %s', mesh_table);
END`,
  })
}

/**
 * `mesh.refresh(table_id)`: REFRESH MATERIALIZED VIEW, computed over the merged tables as the view's owner; from then on the view
 * shows that, and the overlay no longer reads production's content of it. For the owner, as in PostgreSQL.
 */
function refreshSql(): string {
  return functionSql({
    signature: 'mesh.refresh(table_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    body: `
DECLARE
  mesh_view regclass;
  mesh_hidden regclass;
BEGIN
  SELECT t.relation, v.hidden INTO STRICT mesh_view, mesh_hidden
    FROM mesh.tables AS t JOIN mesh.materialized_views AS v ON v.relation = t.relation WHERE t.id = table_id;
  ${requireOwner('mesh_view', 'permission denied for materialized view %s')}
  EXECUTE format('REFRESH MATERIALIZED VIEW %s', mesh_hidden);
  EXECUTE format('CREATE OR REPLACE VIEW %s AS SELECT * FROM %s', mesh_view, mesh_hidden);
  PERFORM mesh.report(table_id, NULL);
END`,
  })
}

/** Tells the overlay how to reach itself, for copy-ups on a connection of their own; without it they run in the client's. */
export function selfSql(address: { socketFolder: string; port: number } | undefined): string {
  if (address === undefined) return `DELETE FROM mesh.settings WHERE name = 'self';`
  const options = `-c session_replication_role=replica -c lock_timeout=${LOCK_TIMEOUT_MS}`
  const value = [
    `host=${conninfo(address.socketFolder)}`,
    `port=${address.port}`,
    `user=${COPY_ROLE}`,
    `application_name=${conninfo('mesh copy-up')}`,
    `options=${conninfo(options)}`,
  ].join(' ')
  return `INSERT INTO mesh.settings VALUES ('self', ${quoteText(value)})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;`
}

/** A value of a libpq connection string. */
function conninfo(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
}
