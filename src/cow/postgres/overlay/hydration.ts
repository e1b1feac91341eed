import { DEFAULT_MAX_COPY_UP_ROWS } from '../copy-up-limit.ts'
import { IMAGE_SETTINGS } from './key-table.ts'
import { DETACH_BASE, PLAIN_TABLE } from './hiding-policy.ts'
import { functionSql, READ_ONLY, requirePrivilege } from './sql-function.ts'

/** The setting of `mesh.settings` that has the limit of the proxy that runs. */
export const MAX_ROWS_SETTING: string = 'max_copy_up_rows'

/**
 * `mesh.hydrate(table_id, max_rows)`: copies all rows of a table's base into it and cuts it loose: for tables without a key before
 * their first UPDATE or DELETE. More than `max_rows`: error 54000, and nothing is changed. The caller needs the right to change
 * the table's rows.
 */
export function hydrationSql(): string {
  return [copySql(), cutSql(), bringWholeSql(), hydrateSql()].join('\n')
}

/** Copies the rows, and keeps an image of each as it was, with no right but to that. */
function copySql(): string {
  return functionSql({
    signature: 'mesh.copy_all(table_id integer, max_rows bigint)',
    returns: 'bigint',
    rights: 'definer',
    callers: 'nobody',
    settings: ['session_replication_role = replica', ...IMAGE_SETTINGS],
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_columns text;
  mesh_untouched text;
  mesh_image text := format('INSERT INTO mesh.copied_rows SELECT %s, to_jsonb(b) FROM mesh_base AS b', table_id);
  mesh_rows bigint;
BEGIN
  SELECT * INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO mesh_columns
    FROM pg_attribute AS a WHERE a.attrelid = mesh_entry.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND a.attname NOT IN (SELECT c.name FROM mesh.base_columns AS c WHERE c.id = table_id AND c.supplied ? 'computed');
  SELECT format('NOT EXISTS (SELECT 1 FROM %s AS t WHERE %s)', mesh_entry.touched, string_agg(format('t.k%s = b.%I', k.place, a.attname), ' AND '))
    INTO mesh_untouched
    FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number HAVING count(*) > 0;
  IF mesh_untouched IS NOT NULL THEN
    SELECT format('INSERT INTO %s (%s, kind, base_row) SELECT %s, ''c'', to_jsonb(b) FROM mesh_base AS b ON CONFLICT DO NOTHING', mesh_entry.touched,
        string_agg('k' || k.place, ', ' ORDER BY k.place), string_agg(format('b.%I', a.attname), ', ' ORDER BY k.place))
      INTO mesh_image
      FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place)
      JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number;
  END IF;
  EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s AS b WHERE %s LIMIT %s) AS r',
    mesh_entry.foreign_relation, coalesce(mesh_untouched, 'true'), max_rows + 1) INTO mesh_rows;
  IF mesh_rows > max_rows THEN
    RAISE program_limit_exceeded USING
      MESSAGE = format('table %s has more than %s rows, too many to copy', mesh_entry.relation, max_rows),
      HINT = 'A table is copied whole if it has no primary key, or if a migration computes values for each row. --max-copy-up-rows is the limit.';
  END IF;
  EXECUTE format('WITH mesh_base AS MATERIALIZED (SELECT b.* FROM %s AS b WHERE %s), mesh_image AS (%s)
      INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM mesh_base AS b',
    mesh_entry.foreign_relation, coalesce(mesh_untouched, 'true'), mesh_image, mesh_entry.relation, mesh_columns, mesh_columns);
  GET DIAGNOSTICS mesh_rows = ROW_COUNT;
  RETURN mesh_rows;
END`,
  })
}

function cutSql(): string {
  const definition = functionSql({
    signature: 'mesh.copy_and_cut(table_id integer, max_rows bigint)',
    returns: 'bigint',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_rows bigint;
BEGIN
  SELECT * INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', mesh_entry.relation);
  IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = mesh_entry.foreign_relation) THEN RETURN 0; END IF;
  mesh_rows := mesh.copy_all(table_id, max_rows);
  ${DETACH_BASE}
  ${PLAIN_TABLE}
  UPDATE mesh.tables AS t SET cut = 'copied' WHERE t.id = table_id;
  RETURN mesh_rows;
END`,
  })
  return `${definition}\nGRANT EXECUTE ON FUNCTION mesh.copy_and_cut(table_id integer, max_rows bigint) TO mesh_copy;`
}

/**
 * `mesh.bring_whole(table_id, max_rows)`: for triggers, which ask no right of the client. Without `max_rows` the limit is the one that mesh
 * was started with.
 */
function bringWholeSql(): string {
  const signature = 'mesh.bring_whole(table_id integer, max_rows bigint)'
  const definition = functionSql({
    signature,
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_call text := format('SELECT mesh.copy_and_cut(%s, %s)', table_id,
    coalesce(max_rows, (SELECT s.value::bigint FROM mesh.settings AS s WHERE s.name = '${MAX_ROWS_SETTING}'), ${DEFAULT_MAX_COPY_UP_ROWS}));
BEGIN
  SELECT * INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  IF ${READ_ONLY} OR NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = mesh_entry.foreign_relation) THEN RETURN; END IF;
  -- Before it: should the statement be cancelled meanwhile, the other connection commits all the same.
  PERFORM mesh.report(table_id, NULL);
  -- Another connection would wait for a lock of this one's, such as a statement has that is parsed already.
  IF EXISTS (SELECT 1 FROM pg_locks AS l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation IN (mesh_entry.relation::oid, mesh_entry.foreign_relation::oid))
    OR NOT mesh.autonomous(table_id, mesh_call) THEN
    EXECUTE mesh_call;
  END IF;
EXCEPTION WHEN object_in_use THEN
  RAISE object_in_use USING MESSAGE = format('table %s has to be copied whole while it is in use by this session', mesh_entry.relation),
    DETAIL = SQLERRM, HINT = format('An UPDATE of %s before, with WHERE false, copies it.', mesh_entry.relation);
END`,
  })
  return `${definition}\nGRANT EXECUTE ON FUNCTION ${signature} TO mesh_copy;`
}

function hydrateSql(): string {
  return functionSql({
    signature: `mesh.hydrate(table_id integer, max_rows bigint DEFAULT ${DEFAULT_MAX_COPY_UP_ROWS})`,
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    body: `
DECLARE
  mesh_table regclass;
BEGIN
  SELECT t.relation INTO STRICT mesh_table FROM mesh.tables AS t WHERE t.id = table_id;
  ${requirePrivilege('mesh_table', 'UPDATE, DELETE, TRUNCATE')}
  PERFORM mesh.bring_whole(table_id, max_rows);
END`,
  })
}

/** Says how many rows a table may have at most that triggers copy whole. */
export function maxRowsSql(maxRows: number): string {
  return `INSERT INTO mesh.settings VALUES ('${MAX_ROWS_SETTING}', '${maxRows}') ON CONFLICT (name) DO UPDATE SET value = excluded.value`
}
