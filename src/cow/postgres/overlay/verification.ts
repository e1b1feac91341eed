import { functionSql } from './sql-function.ts'

/**
 * `mesh.verify(rule, kind)`: fails as PostgreSQL does where production's rows break a constraint or unique index that was just made, or
 * validated: its own check saw the branch's rows only. Runs without the superuser's rights, since checks call functions of users.
 */
export function verificationSql(): string {
  return [BASE_ROWS, CLEAN, verifyUniqueSql(), verifyForeignKeySql(), verifySql()].join('\n')
}

/** `mesh.base_rows(relation)`: a subquery for the rows that production still has a say in; null where there are none. */
const BASE_ROWS = functionSql({
  signature: 'mesh.base_rows(wanted oid)',
  returns: 'text',
  rights: 'definer',
  callers: 'nobody',
  body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_touched text;
BEGIN
  SELECT t.* INTO mesh_entry FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation WHERE t.relation = wanted;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF mesh_entry.touched IS NOT NULL AND NOT mesh.is_clean(wanted) THEN
    SELECT format(' WHERE NOT EXISTS (SELECT 1 FROM %s AS t WHERE %s)', mesh_entry.touched, string_agg(format('t.k%s = b.%I', k.place, a.attname), ' AND '))
      INTO mesh_touched FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place)
      JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number;
  END IF;
  RETURN format('(SELECT b.* FROM %s AS b%s)', mesh_entry.foreign_relation, mesh_touched);
END`,
})

/** `mesh.is_clean(relation)`: a merged table that shows production's rows and no others, so that production can be asked of all at once. */
const CLEAN = functionSql({
  signature: 'mesh.is_clean(wanted oid)',
  returns: 'boolean',
  rights: 'definer',
  callers: 'nobody',
  body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_found boolean;
BEGIN
  SELECT t.* INTO mesh_entry FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation WHERE t.relation = wanted;
  IF NOT FOUND THEN RETURN false; END IF;
  EXECUTE format('SELECT EXISTS (SELECT 1 FROM ONLY %s)', mesh_entry.relation) INTO mesh_found;
  IF NOT mesh_found AND mesh_entry.touched IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s)', mesh_entry.touched) INTO mesh_found;
  END IF;
  RETURN NOT mesh_found;
END`,
})

/** Where the table is clean production groups its rows itself; else their values come over the wire. */
function verifyUniqueSql(): string {
  return functionSql({
    signature: 'mesh.verify_unique(rule oid)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_index pg_index;
  mesh_rows text;
  mesh_places text;
  mesh_names text;
  mesh_condition text;
  mesh_values text;
  mesh_local text;
  mesh_columns text;
BEGIN
  SELECT i.* INTO mesh_index FROM pg_index AS i LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.oid = rule
    WHERE c.oid = rule OR i.indexrelid = rule;
  mesh_rows := mesh.base_rows(mesh_index.indrelid);
  IF mesh_rows IS NULL THEN RETURN; END IF;
  SELECT string_agg(d.place, ', ' ORDER BY p.n), string_agg(d.name, ', ' ORDER BY p.n),
      string_agg(CASE WHEN NOT mesh_index.indnullsnotdistinct THEN format('(%s) IS NOT NULL', d.place) END, ' AND ')
    INTO mesh_places, mesh_names, mesh_condition FROM generate_series(1, mesh_index.indnkeyatts) AS p(n),
      LATERAL (SELECT pg_get_indexdef(mesh_index.indexrelid, p.n, false), pg_get_indexdef(mesh_index.indexrelid, p.n, true)) AS d(place, name);
  mesh_condition := concat_ws(' AND ', 'true', mesh_condition, '(' || pg_get_expr(mesh_index.indpred, mesh_index.indrelid) || ')');
  SELECT string_agg('p' || n, ', ' ORDER BY n) INTO mesh_columns FROM generate_series(1, mesh_index.indnkeyatts) AS n;
  IF NOT mesh.is_clean(mesh_index.indrelid) THEN
    mesh_local := format(' UNION ALL SELECT %s FROM ONLY %s AS r WHERE %s', mesh_places, mesh_index.indrelid::regclass, mesh_condition);
  END IF;
  EXECUTE format('SELECT concat_ws('', '', %s) FROM (SELECT %s FROM %s AS r WHERE %s%s) AS d(%s) GROUP BY %s HAVING count(*) > 1 LIMIT 1',
    (SELECT string_agg(format('coalesce(p%s::text, ''null'')', n), ', ' ORDER BY n) FROM generate_series(1, mesh_index.indnkeyatts) AS n),
    mesh_places, mesh_rows, mesh_condition, mesh_local, mesh_columns, mesh_columns) INTO mesh_values;
  IF mesh_values IS NOT NULL THEN
    RAISE unique_violation USING MESSAGE = format('could not create unique index "%s"', (SELECT relname FROM pg_class WHERE oid = mesh_index.indexrelid)),
      DETAIL = format('Key (%s)=(%s) is duplicated.', mesh_names, mesh_values),
      SCHEMA = (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = mesh_index.indrelid),
      TABLE = (SELECT relname FROM pg_class WHERE oid = mesh_index.indrelid),
      CONSTRAINT = (SELECT relname FROM pg_class WHERE oid = mesh_index.indexrelid);
  END IF;
END`,
  })
}

/** Where both tables are clean production counts, with and without the join: only where that differs a row without a parent is looked for. */
function verifyForeignKeySql(): string {
  return functionSql({
    signature: 'mesh.verify_foreign_key(rule oid)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_key pg_constraint;
  mesh_children text;
  mesh_parents text;
  mesh_given text;
  mesh_names text;
  mesh_values text;
  mesh_same text;
  mesh_orphan text;
  mesh_absent text;
  mesh_found boolean;
BEGIN
  SELECT c.* INTO mesh_key FROM pg_constraint AS c WHERE c.oid = rule;
  mesh_children := mesh.base_rows(mesh_key.conrelid);
  IF mesh_children IS NULL THEN RETURN; END IF;
  mesh_parents := mesh.base_rows(mesh_key.confrelid);
  SELECT string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND '), string_agg(ca.attname, ', ' ORDER BY u.place),
      string_agg(format('c.%I', ca.attname), ', ' ORDER BY u.place),
      string_agg(format('p.%I OPERATOR(%I.%s) c.%I', pa.attname, n.nspname, o.oprname, ca.attname), ' AND ')
    INTO mesh_given, mesh_names, mesh_values, mesh_same
    FROM unnest(mesh_key.conkey, mesh_key.confkey, mesh_key.conpfeqop) WITH ORDINALITY AS u(child, parent, same, place)
    JOIN pg_attribute AS ca ON ca.attrelid = mesh_key.conrelid AND ca.attnum = u.child
    JOIN pg_attribute AS pa ON pa.attrelid = mesh_key.confrelid AND pa.attnum = u.parent
    JOIN pg_operator AS o ON o.oid = u.same JOIN pg_namespace AS n ON n.oid = o.oprnamespace;
  IF mesh.is_clean(mesh_key.conrelid) AND mesh.is_clean(mesh_key.confrelid) THEN
    EXECUTE format('SELECT (SELECT count(*) FROM %s AS c WHERE %s) = (SELECT count(*) FROM %s AS c JOIN %s AS p ON %s)',
      mesh_children, mesh_given, mesh_children, mesh_parents, mesh_same) INTO mesh_found;
    IF mesh_found THEN RETURN; END IF;
  END IF;
  mesh_absent := format('NOT EXISTS (SELECT 1 FROM ONLY %s AS p WHERE %s)', mesh_key.confrelid::regclass, mesh_same);
  IF mesh_parents IS NOT NULL THEN
    mesh_absent := mesh_absent || format(' AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE %s)', mesh_parents, mesh_same);
  END IF;
  EXECUTE format('SELECT concat_ws('', '', %s) FROM %s AS c WHERE %s AND %s LIMIT 1', mesh_values, mesh_children, mesh_given, mesh_absent) INTO mesh_orphan;
  IF mesh_orphan IS NOT NULL THEN
    RAISE foreign_key_violation USING
      MESSAGE = format('insert or update on table "%s" violates foreign key constraint "%s"', (SELECT relname FROM pg_class WHERE oid = mesh_key.conrelid), mesh_key.conname),
      DETAIL = format('Key (%s)=(%s) is not present in table "%s".', mesh_names, mesh_orphan, (SELECT relname FROM pg_class WHERE oid = mesh_key.confrelid)),
      SCHEMA = (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = mesh_key.conrelid),
      TABLE = (SELECT relname FROM pg_class WHERE oid = mesh_key.conrelid), CONSTRAINT = mesh_key.conname;
  END IF;
END`,
  })
}

function verifySql(): string {
  return functionSql({
    signature: 'mesh.verify(rule oid, kind text)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    settings: ['constraint_exclusion = off'],
    body: `
DECLARE
  mesh_key pg_constraint;
  mesh_rows text;
  mesh_table name;
  mesh_column name;
  mesh_found boolean;
BEGIN
  IF kind IN ('p', 'u', 'i') THEN PERFORM mesh.verify_unique(rule); RETURN; END IF;
  IF kind = 'f' THEN PERFORM mesh.verify_foreign_key(rule); RETURN; END IF;
  IF kind NOT IN ('n', 'c') THEN RETURN; END IF;
  SELECT c.* INTO mesh_key FROM pg_constraint AS c WHERE c.oid = rule;
  mesh_rows := mesh.base_rows(mesh_key.conrelid);
  IF mesh_rows IS NULL THEN RETURN; END IF;
  SELECT c.relname, a.attname INTO mesh_table, mesh_column FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = mesh_key.conkey[1]
    WHERE c.oid = mesh_key.conrelid;
  -- The planner believes of the base what the constraint says by now, so it is not asked whether a value IS NULL.
  EXECUTE CASE WHEN kind = 'n' THEN format('SELECT count(*) > count(r.%I) FROM %s AS r', mesh_column, mesh_rows)
    ELSE format('SELECT EXISTS (SELECT 1 FROM %s AS r WHERE NOT (%s))', mesh_rows, pg_get_expr(mesh_key.conbin, mesh_key.conrelid)) END INTO mesh_found;
  IF NOT mesh_found THEN RETURN; END IF;
  IF kind = 'n' THEN
    RAISE not_null_violation USING MESSAGE = format('column "%s" of relation "%s" contains null values', mesh_column, mesh_table),
      SCHEMA = (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = mesh_key.conrelid), TABLE = mesh_table, COLUMN = mesh_column;
  END IF;
  RAISE check_violation USING MESSAGE = format('check constraint "%s" of relation "%s" is violated by some row', mesh_key.conname, mesh_table),
    SCHEMA = (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = mesh_key.conrelid), TABLE = mesh_table, CONSTRAINT = mesh_key.conname;
END`,
  })
}
