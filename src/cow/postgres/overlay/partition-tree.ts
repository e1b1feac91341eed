import { COPY_ROLE } from './names.ts'
import { CHANGED_TREE } from './partitions.ts'
import { functionSql } from './sql-function.ts'

/**
 * What the branch knows of partitioned tables, flat as they are. PostgreSQL itself says which rows a partition takes, and what is wrong with
 * one: of each tree that is changed there is a copy without rows in `mesh_base`, its *shadow*.
 */
export function partitionTreeSql(): string {
  return [
    PARTITIONS_TABLE,
    `GRANT CREATE ON SCHEMA mesh_base TO ${COPY_ROLE};`,
    asCopySql(),
    columnListSql(),
    plantSql(),
    regrowSql(),
    forgetTreeSql(),
    untouchedSql(),
    holdsSql(),
    requireFreeSql(),
    isPartitionedSql(),
  ].join('\n')
}

/**
 * Each member of each tree, the root too. `relation`: the root, or the view; null for one without. `rule`: which rows of the root it takes.
 * `freed`: what its view was, while a migration changes columns of the root. `numbers`: of the root's columns, in the order of a partition that
 * has another than the root; columns that came later stand behind.
 */
export const PARTITIONS_TABLE = `
CREATE TABLE IF NOT EXISTS mesh.partitions (
  id integer PRIMARY KEY, parent integer REFERENCES mesh.partitions ON DELETE CASCADE, root regclass NOT NULL, relation regclass, shadow regclass,
  schema text NOT NULL, name text NOT NULL, key text, bound text, rule text NOT NULL, made boolean NOT NULL DEFAULT false, freed json);
ALTER TABLE mesh.partitions ADD COLUMN IF NOT EXISTS numbers smallint[];
`

/** What the functions change themselves is nothing to follow. */
export const QUIET: readonly string[] = ['event_triggers = off']

/** A statement, run as the role that has no rights beyond rows. */
function asCopySql(): string {
  return functionSql({
    signature: 'mesh.as_copy(statement text)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    body: `\nBEGIN\n  EXECUTE statement;\nEND`,
  })
}

const columnsOf = (relation: string): string => `(
    SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull), ', ' ORDER BY a.attname)
    FROM pg_attribute AS a WHERE a.attrelid = ${relation} AND a.attnum > 0 AND NOT a.attisdropped)`

/** The place of a column of a root, pg_attribute as a, among those of a partition. */
export const placeIn = (numbers: string): string => `array_position(${numbers}, a.attnum) NULLS LAST, a.attnum`

/** The columns of a partition, in its order. */
function columnListSql(): string {
  return functionSql({
    signature: 'mesh.column_list(of_root regclass, of_numbers smallint[])',
    returns: 'text',
    rights: 'invoker',
    callers: 'nobody',
    body: `
BEGIN
  RETURN (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY ${placeIn('of_numbers')}) FROM pg_attribute AS a
    WHERE a.attrelid = of_root AND a.attnum > 0 AND NOT a.attisdropped);
END`,
  })
}

/** Makes what is missing of a tree's shadow; all of it, where the root has other columns by now. */
function plantSql(): string {
  return functionSql({
    signature: 'mesh.plant(of_root regclass)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    settings: QUIET,
    body: `
DECLARE
  mesh_each mesh.partitions;
  mesh_name text;
  mesh_what text;
BEGIN
  LOCK TABLE mesh.partitions IN SHARE ROW EXCLUSIVE MODE;
  SELECT p.* INTO STRICT mesh_each FROM mesh.partitions AS p WHERE p.root = of_root AND p.parent IS NULL;
  IF mesh_each.shadow IS NOT NULL AND ${columnsOf('mesh_each.shadow')} IS DISTINCT FROM ${columnsOf('of_root')} THEN
    EXECUTE format('DROP TABLE %s CASCADE', mesh_each.shadow);
    UPDATE mesh.partitions AS p SET shadow = NULL WHERE p.root = of_root;
  END IF;
  FOR mesh_each IN
    WITH RECURSIVE tree AS (
      SELECT p.id, 0 AS depth FROM mesh.partitions AS p WHERE p.root = of_root AND p.parent IS NULL
      UNION ALL SELECT p.id, t.depth + 1 FROM tree AS t JOIN mesh.partitions AS p ON p.parent = t.id)
    SELECT p.* FROM tree AS t JOIN mesh.partitions AS p USING (id) WHERE p.shadow IS NULL ORDER BY t.depth, p.id
  LOOP
    -- PostgreSQL's messages tell the name.
    mesh_name := format('mesh_base.%I', mesh_each.name);
    IF to_regclass(mesh_name) IS NOT NULL THEN mesh_name := format('mesh_base.%I', mesh_each.schema || '.' || mesh_each.name); END IF;
    mesh_what := CASE WHEN mesh_each.parent IS NULL THEN format('(LIKE %s INCLUDING CONSTRAINTS)', of_root)
      ELSE format('PARTITION OF %s %s', (SELECT p.shadow FROM mesh.partitions AS p WHERE p.id = mesh_each.parent), mesh_each.bound) END;
    PERFORM mesh.as_copy(concat_ws(' ', 'CREATE TABLE', mesh_name, mesh_what, 'PARTITION BY ' || mesh_each.key));
    UPDATE mesh.partitions AS p SET shadow = mesh_name::regclass WHERE p.id = mesh_each.id;
  END LOOP;
END`,
  })
}

/** Which rows the partition p takes, by its shadow. */
export const RULE = `coalesce(nullif(pg_get_partition_constraintdef(p.shadow), ''), 'true')`

/** Makes views, where what they take has changed, and the root's guard, by a tree's shadow. */
function regrowSql(): string {
  return functionSql({
    signature: 'mesh.regrow(of_root regclass)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    settings: QUIET,
    body: `
DECLARE
  mesh_tree json;
BEGIN
  SELECT json_build_object('schema', n.nspname, 'name', c.relname,
      'columns', (SELECT json_agg(a.attname) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'partitions', (SELECT coalesce(json_agg(json_build_object('schema', coalesce(vn.nspname, p.schema), 'name', coalesce(v.relname, p.name), 'rule', ${RULE}, 'list', mesh.column_list(of_root, p.numbers),
          'isLeaf', p.key IS NULL, 'isView', (p.relation IS NOT NULL OR p.made) AND ${RULE} <> p.rule) ORDER BY p.id), '[]')
        FROM mesh.partitions AS p LEFT JOIN pg_class AS v ON v.oid = p.relation LEFT JOIN pg_namespace AS vn ON vn.oid = v.relnamespace
        WHERE p.root = of_root AND p.parent IS NOT NULL))
    INTO mesh_tree FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = of_root;
  EXECUTE mesh.ask('${CHANGED_TREE}' || mesh_tree);
  UPDATE mesh.partitions AS p SET rule = ${RULE}, relation = CASE WHEN p.made AND p.relation IS NULL THEN format('%I.%I', p.schema, p.name)::regclass ELSE p.relation END
    WHERE p.root = of_root AND p.parent IS NOT NULL;
END`,
  })
}

/** For the root that is dropped: its partitions go with it. */
function forgetTreeSql(): string {
  return functionSql({
    signature: 'mesh.forget_tree(of_root regclass)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    settings: QUIET,
    body: `
DECLARE
  mesh_each record;
BEGIN
  FOR mesh_each IN SELECT p.relation, p.shadow, p.parent FROM mesh.partitions AS p WHERE p.root = of_root LOOP
    IF mesh_each.parent IS NOT NULL AND mesh_each.relation IS NOT NULL THEN EXECUTE format('DROP VIEW %s', mesh_each.relation); END IF;
    IF mesh_each.parent IS NULL AND mesh_each.shadow IS NOT NULL THEN EXECUTE format('DROP TABLE %s CASCADE', mesh_each.shadow); END IF;
  END LOOP;
  DELETE FROM mesh.partitions AS p WHERE p.root = of_root;
END`,
  })
}

/** `mesh.untouched(table_id)`: the condition, over the base as b, that production's row still counts. */
function untouchedSql(): string {
  return functionSql({
    signature: 'mesh.untouched(table_id integer)',
    returns: 'text',
    rights: 'definer',
    callers: 'nobody',
    body: `
BEGIN
  RETURN coalesce((SELECT format('NOT EXISTS (SELECT 1 FROM %s AS t WHERE %s)', t.touched, string_agg(format('t.k%s = b.%I', k.place, a.attname), ' AND ' ORDER BY k.place))
    FROM mesh.tables AS t, unnest(t.key_numbers) WITH ORDINALITY AS k(number, place), pg_attribute AS a
    WHERE t.id = table_id AND a.attrelid = t.relation AND a.attnum = k.number GROUP BY t.touched), 'true');
END`,
  })
}

/** The entry of a root that has its base. */
export const ATTACHED = `SELECT t.* INTO mesh_entry FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation AND h.inhparent = t.relation
    WHERE t.relation = of_root;`

/** Has the root, here or on production, a row of this rule? */
function holdsSql(): string {
  return functionSql({
    signature: 'mesh.holds(of_root regclass, of_rule text)',
    returns: 'boolean',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_found boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s AS b WHERE %s)', of_root, of_rule) INTO mesh_found;
  ${ATTACHED}
  IF mesh_found OR mesh_entry.id IS NULL THEN RETURN mesh_found; END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s AS b WHERE (%s) AND %s)', mesh_entry.foreign_relation, of_rule, mesh.untouched(mesh_entry.id)) INTO mesh_found;
  RETURN mesh_found;
END`,
  })
}

/** Refuses a partition whose rows the DEFAULT one has. */
function requireFreeSql(): string {
  return functionSql({
    signature: 'mesh.require_free(of_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_other mesh.partitions;
BEGIN
  SELECT o.* INTO mesh_other FROM mesh.partitions AS p JOIN mesh.partitions AS o ON o.parent = p.parent AND o.id <> p.id WHERE p.id = of_id AND o.bound = 'DEFAULT';
  IF FOUND AND mesh.holds(mesh_other.root, (SELECT ${RULE} FROM mesh.partitions AS p WHERE p.id = of_id)) THEN
    RAISE check_violation USING MESSAGE = format('updated partition constraint for default partition "%s" would be violated by some row', mesh_other.name),
      SCHEMA = mesh_other.schema, TABLE = mesh_other.name;
  END IF;
END`,
  })
}

function isPartitionedSql(): string {
  return functionSql({
    signature: 'mesh.is_partitioned(of_relation regclass)',
    returns: 'boolean',
    rights: 'admin',
    callers: 'everyone',
    body: `\nBEGIN\n  RETURN EXISTS (SELECT 1 FROM mesh.partitions AS p WHERE p.relation = of_relation);\nEND`,
  })
}
