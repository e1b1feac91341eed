import { DEFAULT_MAX_COPY_UP_ROWS } from '../copy-up-limit.ts'
import { IMAGE_SETTINGS } from './key-table.ts'
import { MAX_ROWS_SETTING } from './hydration.ts'
import { SERVER_NAME } from './foreign-table.ts'
import { TRIGGER_PREFIX } from './names.ts'
import { functionSql } from './sql-function.ts'

/** The foreign table, and its name behind the gate, by which triggers of bases tell what they have done to rows of production. */
export const MOVED_ROWS = 'moved_rows'

/**
 * What lets statements count rows of production that triggers move: the gate answers what postgres_fdw would do to a row there, once
 * `mesh.tell_moved` has told it the row. And TRUNCATE inside functions: `mesh.emptying()` has the rows of a base deleted on the branch.
 * Run at each start behind a gate; without one nothing is told, and rows that are moved are not counted.
 */
export function movedRowsSql(): string {
  return [FOREIGN_TABLE, tellSql(), emptyingSql(), EMPTYING_TRIGGERS].join('\n')
}

const FOREIGN_TABLE = `
CREATE FOREIGN TABLE IF NOT EXISTS mesh_base.${MOVED_ROWS} (image text) SERVER ${SERVER_NAME} OPTIONS (schema_name 'mesh', table_name '${MOVED_ROWS}');
ALTER SERVER ${SERVER_NAME} OPTIONS (SET truncatable 'true');
`

/** Tells the row of a key as it is on the branch, whole, and whether there is one; by the names that the gate's statements have for columns. NULL: the last one told was none. */
function tellSql(): string {
  return functionSql({
    signature: 'mesh.tell_moved(table_id integer, key jsonb)',
    returns: 'boolean',
    rights: 'definer',
    callers: 'everyone',
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_columns text;
  mesh_condition text;
  mesh_row jsonb;
BEGIN
  IF key IS NULL THEN
    INSERT INTO mesh_base.${MOVED_ROWS} VALUES ('{"moved": null}');
    RETURN false;
  END IF;
  SELECT t.* INTO STRICT mesh_entry FROM mesh.tables AS t WHERE t.id = table_id;
  SELECT string_agg(format('ARRAY[%L, t.%I::text]', coalesce((SELECT f.option_value FROM pg_options_to_table(b.attfdwoptions) AS f WHERE f.option_name = 'column_name'), a.attname), a.attname), ', ' ORDER BY a.attnum)
    INTO mesh_columns FROM pg_attribute AS a LEFT JOIN pg_attribute AS b ON b.attrelid = mesh_entry.foreign_relation AND b.attname = a.attname
    WHERE a.attrelid = mesh_entry.relation AND a.attnum > 0 AND NOT a.attisdropped;
  SELECT string_agg(format('t.%I = ($1->>%s)::%s', a.attname, k.place - 1, format_type(a.atttypid, a.atttypmod)), ' AND ') INTO mesh_condition
    FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place) JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number;
  EXECUTE format('SELECT to_jsonb(ARRAY[%s]) FROM ONLY %s AS t WHERE %s', mesh_columns, mesh_entry.relation, mesh_condition) INTO mesh_row USING key;
  IF mesh_row IS NULL THEN RETURN false; END IF;
  INSERT INTO mesh_base.${MOVED_ROWS} VALUES (jsonb_build_object('moved', mesh_row)::text);
  RETURN true;
END`,
  })
}

/** Before a TRUNCATE that reaches the base: each of its rows becomes a deleted one. */
function emptyingSql(): string {
  return functionSql({
    signature: 'mesh.emptying()',
    returns: 'trigger',
    rights: 'definer',
    callers: 'nobody',
    settings: [...IMAGE_SETTINGS],
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_most bigint := coalesce((SELECT s.value::bigint FROM mesh.settings AS s WHERE s.name = '${MAX_ROWS_SETTING}'), ${DEFAULT_MAX_COPY_UP_ROWS});
  mesh_keys text;
  mesh_rows bigint;
BEGIN
  SELECT t.* INTO mesh_entry FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation AND h.inhparent = t.relation WHERE t.relation = TG_RELID;
  IF NOT FOUND THEN RETURN NULL; END IF;
  EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s AS b WHERE %s LIMIT %s) AS r', mesh_entry.foreign_relation, mesh.untouched(mesh_entry.id), mesh_most + 1) INTO mesh_rows;
  IF mesh_rows > mesh_most THEN
    RAISE program_limit_exceeded USING MESSAGE = format('table "%s" has more than %s rows that are still production''s', TG_TABLE_NAME, mesh_most),
      HINT = 'Outside of a function TRUNCATE empties a table of any size. Or raise --max-copy-up-rows.';
  ELSIF mesh_rows > 0 AND mesh_entry.touched IS NULL THEN
    RAISE object_not_in_prerequisite_state USING MESSAGE = format('cannot truncate table "%s", which has no primary key, inside a function on a branch', TG_TABLE_NAME),
      HINT = 'Outside of a function TRUNCATE empties it.';
  ELSIF mesh_rows > 0 THEN
    SELECT string_agg(format('b.%I', a.attname), ', ' ORDER BY k.place) INTO mesh_keys
      FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place) JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number;
    EXECUTE format('INSERT INTO %s SELECT %s, ''c'', to_jsonb(b) FROM %s AS b WHERE %s ON CONFLICT DO NOTHING',
      mesh_entry.touched, mesh_keys, mesh_entry.foreign_relation, mesh.untouched(mesh_entry.id));
  END IF;
  INSERT INTO mesh_base.${MOVED_ROWS} SELECT jsonb_build_object('emptied', mesh_entry.upstream_schema || '.' || mesh_entry.upstream_name)::text;
  PERFORM mesh.report(mesh_entry.id, NULL);
  RETURN NULL;
END`,
  })
}

const EMPTYING_TRIGGERS = `
DO $mesh$
DECLARE
  mesh_table regclass;
BEGIN
  FOR mesh_table IN SELECT t.relation FROM mesh.tables AS t WHERE t.kind <> 'matview'
    AND NOT EXISTS (SELECT 1 FROM pg_trigger AS g WHERE g.tgrelid = t.relation AND g.tgname = '${TRIGGER_PREFIX}emptying')
  LOOP
    EXECUTE format('CREATE TRIGGER "${TRIGGER_PREFIX}emptying" BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION mesh.emptying()', mesh_table);
  END LOOP;
END $mesh$;`
