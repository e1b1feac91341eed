import { MAX_ROWS_SETTING } from './hydration.ts'
import { functionSql, requireOwner } from './sql-function.ts'

/**
 * Where PostgreSQL is about to check all local rows of a child, their parents have to be local too: a foreign key is made, or the
 * type of one of its columns changes. Both take `max_rows` at most.
 *
 * `mesh.bring_parents(child, child_columns, parent_id, parent_columns, max_rows)`: for one foreign key; without parent columns by the
 * primary key. `mesh.bring_all_parents(table_id, max_rows)`: for those that the table is a part of.
 */
export function parentsSql(): string {
  return [bringEachSql(), bringSql(), bringAllSql()].join('\n')
}

const LIMIT = `least(max_rows, (SELECT s.value::bigint FROM mesh.settings AS s WHERE s.name = '${MAX_ROWS_SETTING}'))`

function bringSql(): string {
  return functionSql({
    signature:
      'mesh.bring_parents(child regclass, child_columns text[], parent_id integer, parent_columns text[], max_rows bigint)',
    returns: 'void',
    rights: 'definer',
    callers: 'everyone',
    body: `
BEGIN
  ${requireOwner('child', 'must be owner of table %s')}
  PERFORM mesh.bring_parents_of(child, child_columns, parent_id, parent_columns, ${LIMIT});
END`,
  })
}

/** Whoever calls it has looked at who asks. */
function bringEachSql(): string {
  return functionSql({
    signature:
      'mesh.bring_parents_of(child regclass, child_columns text[], parent_id integer, parent_columns text[], max_rows bigint)',
    returns: 'void',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_entry mesh.tables;
  mesh_columns text[] := parent_columns;
  mesh_key text;
  mesh_untouched text;
  mesh_keys jsonb;
BEGIN
  -- A view's functions are not run with rights of ours.
  IF (SELECT c.relkind FROM pg_class AS c WHERE c.oid = child) NOT IN ('r', 'p') THEN RETURN; END IF;
  SELECT t.* INTO mesh_entry FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation WHERE t.id = parent_id;
  IF NOT FOUND OR cardinality(mesh_entry.key_numbers) = 0 THEN RETURN; END IF;
  IF cardinality(mesh_columns) = 0 THEN
    SELECT array_agg(a.attname ORDER BY k.place) INTO mesh_columns
      FROM pg_index AS i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place), pg_attribute AS a
      WHERE i.indrelid = mesh_entry.relation AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.number;
  END IF;
  SELECT string_agg(format('b.%I::text', a.attname), ', ' ORDER BY k.place), string_agg(format('t.k%s = b.%I', k.place, a.attname), ' AND ')
    INTO mesh_key, mesh_untouched FROM unnest(mesh_entry.key_numbers) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute AS a ON a.attrelid = mesh_entry.relation AND a.attnum = k.number;
  EXECUTE format('SELECT jsonb_agg(r.key) FROM (SELECT jsonb_build_array(%s) AS key FROM %s AS b WHERE (%s) IN (SELECT %s FROM ONLY %s AS c)
      AND NOT EXISTS (SELECT 1 FROM %s AS t WHERE %s) LIMIT %s) AS r',
    mesh_key, mesh_entry.foreign_relation, (SELECT string_agg(format('b.%I', name), ', ' ORDER BY n) FROM unnest(mesh_columns) WITH ORDINALITY AS u(name, n)),
    (SELECT string_agg(format('c.%I', name), ', ' ORDER BY n) FROM unnest(child_columns) WITH ORDINALITY AS u(name, n)), child,
    mesh_entry.touched, mesh_untouched, max_rows + 1) INTO mesh_keys;
  IF jsonb_array_length(mesh_keys) > max_rows THEN
    RAISE program_limit_exceeded USING MESSAGE = format('rows of %s refer to more than %s rows of %s that are still production''s', child, max_rows, mesh_entry.relation),
      HINT = 'Raise --max-copy-up-rows.';
  END IF;
  PERFORM mesh.fault_in(parent_id, mesh_keys);
END`,
  })
}

function bringAllSql(): string {
  return functionSql({
    signature: 'mesh.bring_all_parents(table_id integer, max_rows bigint)',
    returns: 'void',
    rights: 'definer',
    callers: 'everyone',
    body: `
DECLARE
  mesh_relation regclass := (SELECT t.relation FROM mesh.tables AS t WHERE t.id = table_id);
BEGIN
  ${requireOwner('mesh_relation', 'must be owner of table %s')}
  PERFORM mesh.bring_parents_of(c.conrelid::regclass, (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number),
      p.id, (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number), ${LIMIT})
    FROM mesh.tables AS t JOIN pg_constraint AS c ON c.contype = 'f' AND t.relation IN (c.conrelid, c.confrelid)
    JOIN mesh.tables AS p ON p.relation = c.confrelid WHERE t.id = table_id;
END`,
  })
}
