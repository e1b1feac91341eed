import { functionSql } from './sql-function.ts'

/**
 * What the gate knows a column by that production has not, or has in another type: see `gate/supplied-columns.ts`. The JSON is an
 * option of the foreign table's column, so it is part of the migration's transaction, and goes with the branch.
 */
export function suppliedColumnsSql(): string {
  return [shippedTypeSql(), suppliedSql(), followColumnsSql()].join('\n')
}

/** Columns of bases as they are now, with what production is asked for in their stead. */
export const BASE_COLUMNS_VIEW = `
CREATE OR REPLACE VIEW mesh.base_columns AS
  SELECT t.id, t.relation, t.foreign_relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.atttypid AS type_oid,
    a.attgenerated, a.attidentity, a.atthasdef, a.atthasmissing, (a.attmissingval::text::text[])[1] AS missing, o.option_value AS asked,
    CASE WHEN o.option_value LIKE 'mesh:%' THEN substr(o.option_value, 6)::jsonb END AS supplied
  FROM mesh.tables AS t JOIN pg_inherits AS h ON h.inhrelid = t.foreign_relation
  JOIN pg_attribute AS b ON b.attrelid = t.foreign_relation AND b.attnum > 0 AND NOT b.attisdropped
  JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attname = b.attname AND NOT a.attisdropped
  LEFT JOIN LATERAL (SELECT f.option_value FROM pg_options_to_table(b.attfdwoptions) AS f WHERE f.option_name = 'column_name') AS o ON true
  WHERE t.kind <> 'matview';`

/**
 * Casts that cannot fail for any value, from production's type `given` to the column's `type`; null: no such cast. Ordered: compared and
 * sorted as before, so that production's indexes serve.
 */
const HARMLESS = `CASE
  WHEN (u.type, c.type) IN (('smallint', 'integer'), ('smallint', 'bigint'), ('integer', 'bigint')) THEN '{"ordered": true}'
  WHEN u.type ~ '^character varying' AND (c.type IN ('text', 'character varying') OR c.type ~ '^character varying\\('
    AND substring(c.type FROM '\\d+')::int >= substring(u.type FROM '\\d+')::int) THEN '{"ordered": true}'
  WHEN u.type = 'text' AND c.type = 'character varying' THEN '{"ordered": true}'
  WHEN u.type ~ '^numeric' AND (c.type = 'numeric' OR c.type ~ '^numeric' AND u.type ~ ',' AND substring(c.type FROM ',.*') = substring(u.type FROM ',.*')
    AND substring(c.type FROM '\\d+')::int >= substring(u.type FROM '\\d+')::int) THEN '{"ordered": true}'
  WHEN u.type IN ('smallint', 'integer', 'bigint') AND c.type = 'numeric' THEN '{}'
  WHEN u.type IN ('smallint', 'integer', 'bigint', 'uuid', 'boolean') AND c.type IN ('text', 'character varying') THEN '{}'
  WHEN (u.type, c.type) IN (('timestamp without time zone', 'timestamp with time zone'), ('timestamp with time zone', 'timestamp without time zone'))
    THEN format('{"zone": %s}', to_json(current_setting('TimeZone')))
  END::jsonb`

/** What production is told of a type: its own name of it, or text, which a condition on the type never reaches production with. */
function shippedTypeSql(): string {
  return functionSql({
    signature: 'mesh.shipped_type(type_oid oid, type_modifier integer)',
    returns: 'text',
    rights: 'invoker',
    callers: 'nobody',
    body: `
DECLARE
  mesh_type pg_type;
  mesh_element oid;
BEGIN
  SELECT * INTO mesh_type FROM pg_type AS t WHERE t.oid = type_oid;
  IF mesh_type.typtype = 'd' THEN RETURN mesh.shipped_type(mesh_type.typbasetype, mesh_type.typtypmod); END IF;
  mesh_element := CASE WHEN mesh_type.typcategory = 'A' THEN mesh_type.typelem ELSE type_oid END;
  IF type_oid < 10000 OR EXISTS (
    SELECT 1 FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_type'::regclass AND d.objid = mesh_element AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  ) THEN RETURN format_type(type_oid, type_modifier); END IF;
  RETURN 'text';
END`,
  })
}

/** Has the gate ask for something else than a column's own name. */
function suppliedSql(): string {
  return functionSql({
    signature: 'mesh.supply(base regclass, column_name name, is_new boolean, what jsonb)',
    returns: 'void',
    rights: 'invoker',
    callers: 'nobody',
    body: `
BEGIN
  EXECUTE format('ALTER FOREIGN TABLE %s ALTER COLUMN %I OPTIONS (%s column_name %L)', base, column_name,
    CASE WHEN is_new THEN 'ADD' ELSE 'SET' END, 'mesh:' || what::text);
END`,
  })
}

/**
 * `mesh.follow_columns(max_rows)`: gives columns that a migration made or retyped on merged tables what the gate supplies in their
 * stead. What is not one value for all rows (`random()`, a sequence, a generated column), or a cast that may fail, is computed row by row:
 * these tables are copied whole, as far as `max_rows` lets them.
 */
function followColumnsSql(): string {
  return functionSql({
    signature: 'mesh.follow_columns(max_rows bigint)',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_column record;
  mesh_copied integer[] := '{}';
  mesh_id integer;
  mesh_value text;
  mesh_default text;
  mesh_constant boolean;
BEGIN
  FOR mesh_column IN SELECT c.*, t.typtype FROM mesh.base_columns AS c JOIN pg_type AS t ON t.oid = c.type_oid
    WHERE c.asked IS NULL AND c.attgenerated <> 'v'
  LOOP
    mesh_value := mesh_column.missing;
    -- Where the same statement rewrites the table the value is not kept: a constant is taken from the default itself.
    SELECT pg_get_expr(d.adbin, d.adrelid) INTO mesh_default FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
      WHERE d.adrelid = mesh_column.relation AND a.attname = mesh_column.name;
    mesh_constant := NOT mesh_column.atthasmissing AND mesh_column.type_oid < 10000 AND mesh_default ~ '^(-?[0-9.]+|true|false|''([^'']|'''')*''::[a-z ]+(\\([0-9, ]+\\))?(\\[\\])?)$';
    IF mesh_constant THEN EXECUTE format('SELECT (%s)::%s::text', mesh_default, mesh_column.type) INTO mesh_value; END IF;
    IF mesh_column.attgenerated <> '' OR mesh_column.attidentity <> '' OR mesh_column.atthasdef AND NOT mesh_column.atthasmissing AND mesh_constant IS DISTINCT FROM true
      OR mesh_column.typtype = 'd' AND EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.contypid = mesh_column.type_oid) THEN
      mesh_copied := mesh_copied || mesh_column.id;
      PERFORM mesh.supply(mesh_column.foreign_relation, mesh_column.name, true, jsonb_build_object('value', NULL,
        'type', 'text', 'local', mesh_column.type, 'computed', true));
    ELSE
      PERFORM mesh.supply(mesh_column.foreign_relation, mesh_column.name, true, jsonb_build_object('value', mesh_value,
        'type', mesh.shipped_type(mesh_column.type_oid, -1), 'local', mesh_column.type));
    END IF;
  END LOOP;
  FOR mesh_column IN SELECT c.*, u.type AS upstream_type, c.type_oid < 10000 AND coalesce(to_regtype(c.supplied->>'local')::oid < 10000, true) AS is_builtin, ${HARMLESS} AS cast_as
    FROM mesh.base_columns AS c
    LEFT JOIN mesh.upstream_columns AS u ON u.id = c.id AND u.name = coalesce(c.supplied->>'column', c.asked)
    WHERE coalesce(c.supplied->>'local', u.type) <> c.type
  LOOP
    IF mesh_column.supplied ? 'value' THEN
      mesh_value := mesh_column.supplied->>'value';
      -- A cast of a user's is not run with rights of ours: the table is copied, and its column reads the text.
      IF NOT mesh_column.is_builtin THEN mesh_copied := mesh_copied || mesh_column.id;
      ELSE EXECUTE format('SELECT %L::%s::%s::text', mesh_value, mesh_column.supplied->>'local', mesh_column.type) INTO mesh_value;
      END IF;
      PERFORM mesh.supply(mesh_column.foreign_relation, mesh_column.name, false, jsonb_build_object('value', mesh_value,
        'type', mesh.shipped_type(mesh_column.type_oid, -1), 'local', mesh_column.type));
    ELSE
      IF mesh_column.cast_as IS NULL THEN mesh_copied := mesh_copied || mesh_column.id; END IF;
      PERFORM mesh.supply(mesh_column.foreign_relation, mesh_column.name, false, coalesce(mesh_column.cast_as, '{}')
        || jsonb_build_object('column', coalesce(mesh_column.supplied->>'column', mesh_column.asked), 'type', mesh_column.type, 'local', mesh_column.type));
    END IF;
  END LOOP;
  FOREACH mesh_id IN ARRAY mesh_copied LOOP
    PERFORM mesh.copy_and_cut(mesh_id, max_rows);
  END LOOP;
END`,
  })
}
