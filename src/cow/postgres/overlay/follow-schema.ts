import { SERVER_NAME } from './foreign-table.ts'
import { QUESTION } from '../gate/fdw-command.ts'
import { movedRowsSql } from './moved-rows.ts'
import { parentsSql } from './parents.ts'
import { partitionChangesSql } from './partition-changes.ts'
import { partitionTreeSql } from './partition-tree.ts'
import { partitionViewsSql } from './partition-views.ts'
import { REBUILD } from './rebuild.ts'
import { hydrationSql } from './hydration.ts'
import { insertingSql } from './insert-check.ts'
import { bringSql, faultInSql, preparingSql } from './registry.ts'
import { functionSql } from './sql-function.ts'
import { BASE_COLUMNS_VIEW, suppliedColumnsSql } from './supplied-columns.ts'
import { shapesQuery } from './table-shape.ts'
import { verificationSql } from './verification.ts'

/**
 * What lets merged tables take migrations: `mesh.follow(max_rows)`, called by an event trigger behind each statement that changes the
 * schema, in its transaction. It compares the catalogue with what it knew, supplies new columns, checks new constraints against
 * production's rows, and makes functions and triggers of the tables anew. Run by the superuser at each start.
 */
export function followSchemaSql(): string {
  return [
    BASE_COLUMNS_VIEW,
    VIEWS,
    suppliedColumnsSql(),
    verificationSql(),
    partitionTreeSql(),
    partitionChangesSql(),
    partitionViewsSql(),
    movedRowsSql(),
    parentsSql(),
    hydrationSql(),
    insertingSql(),
    faultInSql(),
    bringSql(),
    preparingSql(),
    askSql(),
    followSql(),
    FIRST,
  ].join('\n')
}

const MERGED = `(SELECT t.relation FROM mesh.tables AS t WHERE t.kind <> 'matview')`

/** Each unique index, constraint and foreign key that the rows of a merged table have to fulfil; and the tables as they are written into functions. */
const VIEWS = `
CREATE OR REPLACE VIEW mesh.rules AS
  SELECT c.oid AS rule, c.conrelid AS relation, nullif(c.confrelid, 0) AS other, c.contype::text AS kind, c.convalidated AND c.conenforced AS is_valid
  FROM pg_constraint AS c
  WHERE c.conrelid IN ${MERGED} OR c.confrelid IN ${MERGED}
  UNION ALL
  SELECT i.indexrelid, i.indrelid, NULL, 'i', true FROM pg_index AS i
  WHERE i.indisunique AND i.indisvalid AND i.indrelid IN ${MERGED}
    AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x'));
CREATE OR REPLACE VIEW mesh.written_tables AS
  SELECT c.oid AS relation, concat_ws(' ', n.nspname, c.relname, c.relowner, (
    SELECT string_agg(concat_ws(' ', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attidentity, a.attgenerated, g.expression), ', ' ORDER BY a.attnum)
    FROM pg_attribute AS a LEFT JOIN LATERAL (
      SELECT pg_get_expr(d.adbin, d.adrelid) AS expression FROM pg_attrdef AS d WHERE a.attgenerated <> '' AND d.adrelid = c.oid AND d.adnum = a.attnum) AS g ON true
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS written
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid IN ${MERGED};
`

/** What there was at the merge, once. */
const FIRST = `
DO $mesh$ BEGIN
  IF to_regclass('mesh.known_rules') IS NOT NULL THEN RETURN; END IF;
  CREATE TABLE mesh.known_rules AS SELECT rule, relation, other, is_valid FROM mesh.rules;
  CREATE TABLE mesh.known_tables AS SELECT relation, written FROM mesh.written_tables;
  CREATE TABLE mesh.upstream_columns AS SELECT c.id, c.asked AS name, c.type FROM mesh.base_columns AS c WHERE c.supplied IS NULL AND c.asked IS NOT NULL;
  ${inheritedOnly('IN (SELECT foreign_relation FROM mesh.tables)')}
END $mesh$;`

/**
 * Columns of bases are their tables' alone: one that a migration drops goes from the base too, and makes room for another of the name.
 * `which`: of `attrelid`.
 */
export function inheritedOnly(which: string): string {
  return `UPDATE pg_catalog.pg_attribute SET attislocal = false WHERE attrelid ${which} AND attinhcount > 0 AND attislocal;`
}

/** `mesh.ask(question)`: what mesh answers, over the socket of its gate. */
function askSql(): string {
  return functionSql({
    signature: 'mesh.ask(question text)',
    returns: 'text',
    rights: 'invoker',
    callers: 'nobody',
    body: `
DECLARE
  mesh_answer text;
BEGIN
  IF 'mesh gate' = ANY (coalesce(mesh.dblink_get_connections(), '{}')) THEN PERFORM mesh.dblink_disconnect('mesh gate'); END IF;
  PERFORM mesh.dblink_connect('mesh gate', '${SERVER_NAME}');
  SELECT r.answer INTO mesh_answer FROM mesh.dblink('mesh gate', '${QUESTION}' || question) AS r(answer text);
  PERFORM mesh.dblink_disconnect('mesh gate');
  RETURN mesh_answer;
END`,
  })
}

function followSql(): string {
  return functionSql({
    signature: 'mesh.follow(max_rows bigint)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    // What it changes itself is nothing to follow.
    settings: ['event_triggers = off', 'client_min_messages = error', 'check_function_bodies = off'],
    body: `
DECLARE
  mesh_stale oid[];
  mesh_wanted oid[];
  mesh_rule record;
BEGIN
  PERFORM mesh.follow_columns(max_rows);
  SELECT array_agg(DISTINCT s.relation) INTO mesh_stale FROM (
    SELECT w.relation FROM mesh.written_tables AS w LEFT JOIN mesh.known_tables AS k USING (relation) WHERE w.written IS DISTINCT FROM k.written
    UNION ALL SELECT unnest(ARRAY[r.relation, r.other]) FROM mesh.rules AS r WHERE r.rule NOT IN (SELECT k.rule FROM mesh.known_rules AS k)
    UNION ALL SELECT unnest(ARRAY[k.relation, k.other]) FROM mesh.known_rules AS k WHERE k.rule NOT IN (SELECT r.rule FROM mesh.rules AS r)
    UNION ALL SELECT unnest(ARRAY[c.conrelid, c.confrelid]) FROM pg_constraint AS c JOIN mesh.written_tables AS w ON w.relation IN (c.conrelid, c.confrelid)
      LEFT JOIN mesh.known_tables AS k ON k.relation = w.relation WHERE c.contype = 'f' AND w.written IS DISTINCT FROM k.written
  ) AS s JOIN pg_class AS c ON c.oid = s.relation AND c.relkind = 'r' AND c.relpersistence <> 't';
  FOR mesh_rule IN SELECT r.* FROM mesh.rules AS r LEFT JOIN mesh.known_rules AS k USING (rule) WHERE r.is_valid AND k.is_valid IS DISTINCT FROM true
    ORDER BY position(r.kind IN 'ncpuixf'), r.rule
  LOOP
    IF mesh_rule.kind = 'x' THEN
      -- Whether ranges meet is the index's to say.
      PERFORM mesh.copy_and_cut(t.id, max_rows) FROM mesh.tables AS t WHERE t.relation = mesh_rule.relation;
    ELSE PERFORM mesh.verify(mesh_rule.rule, mesh_rule.kind);
    END IF;
  END LOOP;
  IF mesh_stale IS NOT NULL THEN
    SELECT array_agg(DISTINCT s.relation) INTO mesh_wanted FROM (
      SELECT unnest(mesh_stale) AS relation UNION ALL
      SELECT unnest(ARRAY[c.conrelid, c.confrelid]) FROM pg_constraint AS c WHERE c.contype = 'f' AND (c.conrelid = ANY (mesh_stale) OR c.confrelid = ANY (mesh_stale))
    ) AS s;
    EXECUTE mesh.ask('${REBUILD}' || json_build_object('stale', mesh_stale::int8[], 'shapes', coalesce((${shapesQuery('mesh_wanted')}), '[]')));
  END IF;
  PERFORM mesh.realign(r.root) FROM (SELECT DISTINCT p.root FROM mesh.partitions AS p WHERE p.freed IS NOT NULL OR p.root = ANY (mesh_stale)) AS r;
  DELETE FROM mesh.known_rules AS k WHERE NOT EXISTS (SELECT 1 FROM mesh.rules AS r WHERE r.rule = k.rule AND r.is_valid = k.is_valid);
  INSERT INTO mesh.known_rules SELECT r.rule, r.relation, r.other, r.is_valid FROM mesh.rules AS r WHERE r.rule NOT IN (SELECT k.rule FROM mesh.known_rules AS k);
  DELETE FROM mesh.known_tables AS k WHERE NOT EXISTS (SELECT 1 FROM mesh.written_tables AS w WHERE w.relation = k.relation AND w.written = k.written);
  INSERT INTO mesh.known_tables SELECT w.relation, w.written FROM mesh.written_tables AS w WHERE w.relation NOT IN (SELECT k.relation FROM mesh.known_tables AS k);
END`,
  })
}
