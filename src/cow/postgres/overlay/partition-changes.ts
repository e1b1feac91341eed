import { MAX_ROWS_SETTING } from './hydration.ts'
import { quoteText } from './identifiers.ts'
import { IMAGE_SETTINGS } from './key-table.ts'
import { isOurTrigger } from './names.ts'
import { ATTACHED, QUIET, RULE } from './partition-tree.ts'
import { CALLER, functionSql, requireOwner } from './sql-function.ts'

/**
 * What lets partitioned tables, flat on the branch, have partitions of the branch's own, and lose some. Rows are in the root's table all the
 * while, and a partition is a view of it, as those of production are.
 *
 * For the session to call, with the rights of the client looked at: `mesh.add_partition`, `mesh.attach_partition`, `mesh.detach_partition`,
 * and `mesh.drop_partition`, which leaves an empty table to be dropped. Bounds and keys are of constants and column names alone: they are
 * run as `mesh_copy`, and were written by a client.
 */
export function partitionChangesSql(): string {
  return [takeSql(), addSql(), detachSql(), dropSql(), fillSql(), attachSql()].join('\n')
}

const TOLD = `RAISE INFO USING MESSAGE = 'mesh changed', ERRCODE = 'MSH02', DETAIL = '[]';`

const isNotPartitioned = (relation: string): string =>
  `RAISE wrong_object_type USING MESSAGE = format('"%s" is not partitioned', (SELECT c.relname FROM pg_class AS c WHERE c.oid = ${relation}));`

/** Takes the rows of a rule out of the root, into a table or to nowhere. Production's become deleted rows; at most `max_rows`. */
function takeSql(): string {
  return functionSql({
    signature: 'mesh.take_rows(of_root regclass, of_rule text, target regclass, max_rows bigint)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    settings: ['session_replication_role = replica', ...IMAGE_SETTINGS],
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_columns text;
  mesh_keys text;
  mesh_rows bigint;
  mesh_most bigint := least(max_rows, (SELECT s.value::bigint FROM mesh.settings AS s WHERE s.name = '${MAX_ROWS_SETTING}'));
BEGIN
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO mesh_columns
    FROM pg_attribute AS a WHERE a.attrelid = of_root AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
  ${ATTACHED}
  IF mesh_entry.id IS NOT NULL THEN
    EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s AS b WHERE (%s) AND %s LIMIT %s) AS r',
      mesh_entry.foreign_relation, of_rule, mesh.untouched(mesh_entry.id), mesh_most + 1) INTO mesh_rows;
    IF mesh_rows > mesh_most THEN
      RAISE program_limit_exceeded USING MESSAGE = format('the partition has more than %s rows that are still production''s', mesh_most), HINT = 'Raise --max-copy-up-rows.';
    ELSIF mesh_rows > 0 AND mesh_entry.touched IS NULL THEN
      PERFORM mesh.bring_whole(mesh_entry.id, mesh_most);
    ELSIF mesh_rows > 0 THEN
      SELECT string_agg(format('b.%I', a.attname), ', ' ORDER BY k.place) INTO mesh_keys
        FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place) JOIN pg_attribute AS a ON a.attrelid = of_root AND a.attnum = k.number;
      EXECUTE format('WITH mesh_base AS MATERIALIZED (SELECT b.* FROM %s AS b WHERE (%s) AND %s),
          mesh_image AS (INSERT INTO %s SELECT %s, ''c'', to_jsonb(b) FROM mesh_base AS b ON CONFLICT DO NOTHING)', mesh_entry.foreign_relation, of_rule,
          mesh.untouched(mesh_entry.id), mesh_entry.touched, mesh_keys)
        || CASE WHEN target IS NULL THEN 'SELECT count(*) FROM mesh_base' ELSE format('INSERT INTO %s (%s) SELECT %s FROM mesh_base', target, mesh_columns, mesh_columns) END;
      PERFORM mesh.report(mesh_entry.id, NULL);
    END IF;
  END IF;
  IF target IS NOT NULL THEN EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM ONLY %s WHERE %s', target, mesh_columns, mesh_columns, of_root, of_rule); END IF;
  EXECUTE format('DELETE FROM ONLY %s WHERE %s', of_root, of_rule);
END`,
  })
}

const PARENT = `SELECT p.* INTO mesh_parent FROM mesh.partitions AS p WHERE p.relation = parent_table AND p.key IS NOT NULL;
  IF NOT FOUND THEN ${isNotPartitioned('parent_table')} END IF;
  ${requireOwner('parent_table', 'must be owner of table %s')}`

const NEW_ID = '(SELECT max(p.id) + 1 FROM mesh.partitions AS p)'

/** A literal without an end inside, a number, a word, or one of them as a type of PostgreSQL's own: nothing that runs. */
const VALUE = String.raw`(?: ?E'(?:[^'\\]|''|\\\\)*'|'(?:[^'\\]|'')*'|-?[0-9.]+(?:[eE][-+]?[0-9]+)?|NULL|true|false|minvalue|maxvalue)`
const ITEM = String.raw`(?:${VALUE}|\(${VALUE}\)::pg_catalog\."[a-z_][a-z0-9_]*")`
const LIST = String.raw`\(${ITEM}(?:, ${ITEM})*\)`
const BOUND = String.raw`^(?:DEFAULT|FOR VALUES (?:IN ${LIST}|FROM ${LIST} TO ${LIST}|WITH \(MODULUS [0-9]+, REMAINDER [0-9]+\)))$`
const KEY = String.raw`^(?:RANGE|LIST|HASH) \("(?:[^"]|"")+"(?:, "(?:[^"]|"")+")*\)$`

/** Mesh writes them so; whoever else calls has text of his own run as `mesh_copy`. */
const isWritten = (
  bound: string,
  key: string,
): string => `IF ${bound} !~ ${quoteText(BOUND)} OR ${key} !~ ${quoteText(KEY)} THEN
    RAISE insufficient_privilege USING MESSAGE = 'bounds and keys of partitions are written by mesh';
  END IF;`

function addSql(): string {
  return functionSql({
    signature:
      'mesh.add_partition(parent_table regclass, new_schema text, new_name text, new_bound text, new_key text, may_exist boolean)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: QUIET,
    body: `
DECLARE
  mesh_parent mesh.partitions;
  mesh_id integer;
BEGIN
  ${isWritten('new_bound', 'coalesce(new_key, \'LIST ("a")\')')}
  IF to_regnamespace(quote_ident(new_schema)) IS NULL THEN
    RAISE invalid_schema_name USING MESSAGE = coalesce(format('schema "%s" does not exist', new_schema), 'no schema has been selected to create in');
  ELSIF NOT has_schema_privilege(${CALLER}, new_schema, 'CREATE') THEN
    RAISE insufficient_privilege USING MESSAGE = format('permission denied for schema %s', new_schema);
  ELSIF to_regclass(format('%I.%I', new_schema, new_name)) IS NOT NULL THEN
    IF NOT may_exist THEN RAISE duplicate_table USING MESSAGE = format('relation "%s" already exists', new_name); END IF;
    RAISE NOTICE USING MESSAGE = format('relation "%s" already exists, skipping', new_name), ERRCODE = 'duplicate_table';
    RETURN;
  END IF;
  ${PARENT}
  PERFORM mesh.plant(mesh_parent.root);
  mesh_id := ${NEW_ID};
  INSERT INTO mesh.partitions (id, parent, root, schema, name, key, bound, rule, made, numbers)
    VALUES (mesh_id, mesh_parent.id, mesh_parent.root, new_schema, new_name, new_key, new_bound, '', true, mesh_parent.numbers);
  PERFORM mesh.plant(mesh_parent.root);
  PERFORM mesh.require_free(mesh_id);
  PERFORM mesh.regrow(mesh_parent.root);
  EXECUTE format('ALTER VIEW %I.%I OWNER TO %I', new_schema, new_name, ${CALLER});
  ${TOLD}
END`,
  })
}

/** Rows that others refer to stay: a table of its own would be nobody's to look at. */
const UNREFERRED = `IF EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.confrelid = mesh_child.root AND c.contype = 'f') AND mesh.holds(mesh_child.root, mesh_child.rule) THEN
    RAISE feature_not_supported USING MESSAGE = format('partition "%s" cannot be taken off "%s" on a branch while it has rows and foreign keys refer to that table', mesh_child.name, mesh_child.root);
  END IF;`

const CHILD_RULE = `SELECT ${RULE} INTO mesh_child.rule FROM mesh.partitions AS p WHERE p.id = mesh_child.id;`

const FORGET = `EXECUTE format('DROP TABLE %s CASCADE', (SELECT p.shadow FROM mesh.partitions AS p WHERE p.id = mesh_child.id));
  DELETE FROM mesh.partitions AS p WHERE p.id = mesh_child.id;
  PERFORM mesh.regrow(mesh_child.root);`

function detachSql(): string {
  return functionSql({
    signature: 'mesh.detach_partition(parent_table regclass, child_table regclass, max_rows bigint)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: QUIET,
    body: `
DECLARE
  mesh_parent mesh.partitions;
  mesh_child mesh.partitions;
  mesh_key record;
  mesh_name text := child_table::text;
  mesh_owner text := (SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = child_table);
BEGIN
  ${PARENT}
  SELECT p.* INTO mesh_child FROM mesh.partitions AS p WHERE p.relation = child_table AND p.parent = mesh_parent.id;
  IF NOT FOUND THEN
    RAISE undefined_table USING MESSAGE = format('relation "%s" is not a partition of relation "%s"', (SELECT c.relname FROM pg_class AS c WHERE c.oid = child_table), mesh_parent.name);
  ELSIF mesh_child.key IS NOT NULL THEN
    RAISE feature_not_supported USING MESSAGE = format('partition "%s", which has partitions of its own, cannot be detached on a branch', mesh_child.name);
  ELSIF mesh_child.numbers IS NOT NULL THEN
    RAISE feature_not_supported USING MESSAGE = format('partition "%s", whose columns are not in the order of "%s", cannot be detached on a branch', mesh_child.name, mesh_child.root);
  END IF;
  PERFORM mesh.plant(mesh_child.root);
  ${CHILD_RULE}
  ${UNREFERRED}
  EXECUTE format('DROP VIEW %s', mesh_name);
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS)', mesh_name, mesh_child.root);
  EXECUTE format('ALTER TABLE %s OWNER TO %s', mesh_name, mesh_owner);
  PERFORM mesh.take_rows(mesh_child.root, mesh_child.rule, mesh_name::regclass, max_rows);
  FOR mesh_key IN SELECT c.conname, pg_get_constraintdef(c.oid) AS definition, t.id,
      (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place) JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS own,
      (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place) JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS others
    FROM pg_constraint AS c LEFT JOIN mesh.tables AS t ON t.relation = c.confrelid WHERE c.conrelid = mesh_child.root AND c.contype = 'f'
  LOOP
    IF mesh_key.id IS NOT NULL THEN PERFORM mesh.bring_parents_of(mesh_name::regclass, mesh_key.own, mesh_key.id, mesh_key.others, max_rows); END IF;
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', mesh_name, mesh_key.conname, mesh_key.definition);
  END LOOP;
  ${FORGET}
  PERFORM mesh.follow(max_rows);
  ${TOLD}
END`,
  })
}

function dropSql(): string {
  return functionSql({
    signature: 'mesh.drop_partition(child_table regclass, max_rows bigint)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: QUIET,
    body: `
DECLARE
  mesh_child mesh.partitions;
  mesh_below regclass;
  mesh_name text := child_table::text;
  mesh_owner text := (SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = child_table);
BEGIN
  SELECT p.* INTO mesh_child FROM mesh.partitions AS p WHERE p.relation = child_table AND p.parent IS NOT NULL;
  IF NOT FOUND THEN RETURN; END IF;
  ${requireOwner('child_table', 'must be owner of table %s')}
  PERFORM mesh.plant(mesh_child.root);
  ${CHILD_RULE}
  ${UNREFERRED}
  PERFORM mesh.take_rows(mesh_child.root, mesh_child.rule, NULL, max_rows);
  FOR mesh_below IN WITH RECURSIVE below AS (
      SELECT p.id, p.relation FROM mesh.partitions AS p WHERE p.id = mesh_child.id
      UNION ALL SELECT p.id, p.relation FROM below AS b JOIN mesh.partitions AS p ON p.parent = b.id)
    SELECT b.relation FROM below AS b WHERE b.relation IS NOT NULL
  LOOP
    EXECUTE format('DROP VIEW %s', mesh_below);
  END LOOP;
  EXECUTE format('CREATE TABLE %s ()', mesh_name);
  EXECUTE format('ALTER TABLE %s OWNER TO %s', mesh_name, mesh_owner);
  ${FORGET}
  ${TOLD}
END`,
  })
}

/** Puts the rows of a table into the root, as mesh's own triggers and PostgreSQL's checks have it. */
function fillSql(): string {
  return functionSql({
    signature: 'mesh.fill_partition(of_root regclass, source regclass)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a
    WHERE a.attrelid = of_root AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '');
BEGIN
  EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', of_root, mesh_columns, mesh_columns, source);
END`,
  })
}

function attachSql(): string {
  return functionSql({
    signature: 'mesh.attach_partition(parent_table regclass, child_table regclass, new_bound text)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: QUIET,
    body: `
DECLARE
  mesh_parent mesh.partitions;
  mesh_id integer;
  mesh_shadow text;
  mesh_rule text;
  mesh_found boolean;
  mesh_aside text;
  mesh_trigger record;
  mesh_triggers text[] := '{}';
  mesh_child record;
BEGIN
  ${isWritten('new_bound', quoteText('LIST ("a")'))}
  ${PARENT}
  SELECT c.relname AS name, n.nspname AS schema, c.relowner::regrole::text AS owner, c.relkind AS kind INTO STRICT mesh_child
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = child_table;
  ${requireOwner('child_table', 'must be owner of table %s')}
  IF EXISTS (SELECT 1 FROM mesh.partitions AS p WHERE p.relation = child_table) THEN
    RAISE wrong_object_type USING MESSAGE = format('"%s" is already a partition', mesh_child.name);
  ELSIF mesh_child.kind <> 'r' OR EXISTS (SELECT 1 FROM mesh.tables AS t WHERE t.relation = child_table) THEN
    RAISE feature_not_supported USING MESSAGE = format('"%s" cannot become a partition on a branch', mesh_child.name);
  END IF;
  PERFORM mesh.plant(mesh_parent.root);
  mesh_shadow := format('mesh_base.%I', mesh_child.name);
  IF to_regclass(mesh_shadow) IS NOT NULL THEN mesh_shadow := format('mesh_base.%I', mesh_child.schema || '.' || mesh_child.name); END IF;
  PERFORM mesh.as_copy(format('CREATE TABLE %s (LIKE %s INCLUDING CONSTRAINTS)', mesh_shadow, child_table));
  PERFORM mesh.as_copy(format('ALTER TABLE %s ATTACH PARTITION %s %s', (SELECT p.shadow FROM mesh.partitions AS p WHERE p.id = mesh_parent.id), mesh_shadow, new_bound));
  mesh_id := ${NEW_ID};
  INSERT INTO mesh.partitions (id, parent, root, shadow, schema, name, bound, rule, made, numbers)
    VALUES (mesh_id, mesh_parent.id, mesh_parent.root, mesh_shadow::regclass, mesh_child.schema, mesh_child.name, new_bound, '', true,
      (SELECT nullif(array_agg(a.attnum ORDER BY o.attnum), array_agg(a.attnum ORDER BY a.attnum)) FROM pg_attribute AS o
        JOIN pg_attribute AS a ON a.attrelid = mesh_parent.root AND a.attname = o.attname AND NOT a.attisdropped
        WHERE o.attrelid = child_table AND o.attnum > 0 AND NOT o.attisdropped));
  SELECT ${RULE} INTO mesh_rule FROM mesh.partitions AS p WHERE p.id = mesh_id;
  IF mesh.holds(child_table, format('(%s) IS NOT TRUE', mesh_rule)) THEN
    RAISE check_violation USING MESSAGE = format('partition constraint of relation "%s" is violated by some row', mesh_child.name), SCHEMA = mesh_child.schema, TABLE = mesh_child.name;
  END IF;
  PERFORM mesh.require_free(mesh_id);
  mesh_aside := left(mesh_child.name, 50) || '~' || mesh_id;
  EXECUTE format('ALTER TABLE %s RENAME TO %I', child_table, mesh_aside);
  PERFORM mesh.regrow(mesh_parent.root);
  EXECUTE format('ALTER VIEW %I.%I OWNER TO %s', mesh_child.schema, mesh_child.name, mesh_child.owner);
  -- Triggers of users know nothing of it.
  FOR mesh_trigger IN SELECT g.tgname, g.tgenabled FROM pg_trigger AS g WHERE g.tgrelid = mesh_parent.root AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND NOT ${isOurTrigger('g.tgname')} LOOP
    EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', mesh_parent.root, mesh_trigger.tgname);
    mesh_triggers := mesh_triggers || format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', mesh_parent.root, CASE mesh_trigger.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, mesh_trigger.tgname);
  END LOOP;
  PERFORM mesh.fill_partition(mesh_parent.root, child_table);
  -- Their ends, deferred checks, are awaited by ALTER TABLE.
  SET CONSTRAINTS ALL IMMEDIATE;
  FOREACH mesh_rule IN ARRAY mesh_triggers LOOP EXECUTE mesh_rule; END LOOP;
  EXECUTE format('DROP TABLE %s', child_table);
  ${TOLD}
END`,
  })
}
