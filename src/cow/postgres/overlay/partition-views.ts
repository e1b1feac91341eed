import { placeIn, QUIET } from './partition-tree.ts'
import { functionSql, requireOwner, requireSession } from './sql-function.ts'

/**
 * What lets columns of a partitioned table change, whose partitions are views of all its columns here: `mesh.free_partitions(table_id)`, ahead of a
 * migration that adds a column, drops one or changes its type, puts the views aside; `mesh.realign(root)`, behind it, makes them again, and
 * gives columns of views the names that the root's have by now.
 */
export function partitionViewsSql(): string {
  return `${freeSql()}\n${realignSql()}`
}

function freeSql(): string {
  return functionSql({
    signature: 'mesh.free_partitions(table_id integer)',
    returns: 'void',
    rights: 'admin',
    callers: 'everyone',
    settings: QUIET,
    body: `
DECLARE
  mesh_root regclass;
  mesh_each record;
BEGIN
  ${requireSession('free_partitions')}
  SELECT t.relation INTO STRICT mesh_root FROM mesh.tables AS t WHERE t.id = table_id;
  ${requireOwner('mesh_root', 'must be owner of table %s')}
  FOR mesh_each IN
    SELECT p.id, p.relation, n.nspname AS schema, c.relname AS name, c.relowner::regrole::text AS owner, split_part(rtrim(pg_get_viewdef(c.oid), ';'), E'\\n  WHERE ', 2) AS rule,
      (SELECT json_agg(format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)) FROM aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner) AS grants
    FROM mesh.partitions AS p JOIN pg_class AS c ON c.oid = p.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE p.root = mesh_root AND p.parent IS NOT NULL
  LOOP
    BEGIN
      EXECUTE format('DROP VIEW %s', mesh_each.relation);
      UPDATE mesh.partitions AS p SET relation = NULL, schema = mesh_each.schema, name = mesh_each.name, rule = coalesce(nullif(mesh_each.rule, ''), 'true'),
        freed = json_build_object('owner', mesh_each.owner, 'grants', coalesce(mesh_each.grants, '[]')) WHERE p.id = mesh_each.id;
    EXCEPTION WHEN dependent_objects_still_exist THEN
      -- What stands over it keeps its columns.
      NULL;
    END;
  END LOOP;
END`,
  })
}

function realignSql(): string {
  return functionSql({
    signature: 'mesh.realign(of_root regclass)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    settings: QUIET,
    body: `
DECLARE
  mesh_each record;
  mesh_text text;
BEGIN
  FOR mesh_each IN SELECT p.*, format('%I.%I', p.schema, p.name) AS own FROM mesh.partitions AS p WHERE p.root = of_root AND p.freed IS NOT NULL LOOP
    EXECUTE format('CREATE VIEW %s AS SELECT %s FROM %s WHERE %s', mesh_each.own, mesh.column_list(of_root, mesh_each.numbers), of_root, mesh_each.rule);
    EXECUTE format('ALTER VIEW %s OWNER TO %s', mesh_each.own, mesh_each.freed->>'owner');
    FOR mesh_text IN SELECT json_array_elements_text(mesh_each.freed->'grants') LOOP EXECUTE mesh_text; END LOOP;
    UPDATE mesh.partitions AS p SET relation = mesh_each.own::regclass, freed = NULL WHERE p.id = mesh_each.id;
  END LOOP;
  FOR mesh_each IN
    WITH mine AS (
      SELECT p.relation, a.attname, row_number() OVER (PARTITION BY p.id ORDER BY a.attnum) AS place, count(*) OVER (PARTITION BY p.id) AS columns
      FROM mesh.partitions AS p JOIN pg_attribute AS a ON a.attrelid = p.relation AND a.attnum > 0 AND NOT a.attisdropped
      WHERE p.root = of_root AND p.parent IS NOT NULL
    ), roots AS (
      SELECT p.relation, a.attname, row_number() OVER (PARTITION BY p.id ORDER BY ${placeIn('p.numbers')}) AS place, count(*) OVER (PARTITION BY p.id) AS columns
      FROM mesh.partitions AS p JOIN pg_attribute AS a ON a.attrelid = of_root AND a.attnum > 0 AND NOT a.attisdropped
      WHERE p.root = of_root AND p.parent IS NOT NULL AND p.relation IS NOT NULL)
    SELECT v.relation, v.attname AS old, r.attname AS new FROM mine AS v JOIN roots AS r USING (relation, place, columns) WHERE v.attname <> r.attname
  LOOP
    EXECUTE format('ALTER VIEW %s RENAME COLUMN %I TO %I', mesh_each.relation, mesh_each.old, mesh_each.new);
  END LOOP;
END`,
  })
}
