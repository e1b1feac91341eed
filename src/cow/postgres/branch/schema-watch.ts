import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { followSchemaSql } from '../overlay/follow-schema.ts'
import { guardSql } from '../overlay/guard.ts'
import { dollarQuoted } from '../overlay/identifiers.ts'

/** SQLSTATE of the notices that tell of a change of the schema, wherever in a statement it was made. */
const SCHEMA_CHANGED = 'MSH02'

const body = (maxRows: number): string => `
DECLARE
  mesh_ids jsonb;
  mesh_lasting boolean;
BEGIN
  IF TG_EVENT = 'sql_drop' THEN
    SELECT coalesce(bool_or(NOT d.is_temporary), false), coalesce(jsonb_agg(DISTINCT t.id) FILTER (WHERE t.id IS NOT NULL), '[]')
      INTO mesh_lasting, mesh_ids
      FROM pg_event_trigger_dropped_objects() AS d LEFT JOIN mesh.tables AS t
        ON d.classid = 'pg_class'::regclass AND d.objid IN (t.relation::oid, t.foreign_relation::oid);
  ELSE
    SELECT coalesce(bool_or(c.schema_name IS DISTINCT FROM 'pg_temp'), false), coalesce(jsonb_agg(DISTINCT t.id) FILTER (WHERE t.id IS NOT NULL), '[]')
      INTO mesh_lasting, mesh_ids
      FROM pg_event_trigger_ddl_commands() AS c
      LEFT JOIN pg_policy AS y ON c.classid = 'pg_policy'::regclass AND y.oid = c.objid
      LEFT JOIN pg_rewrite AS w ON c.classid = 'pg_rewrite'::regclass AND w.oid = c.objid
      LEFT JOIN mesh.tables AS t ON c.command_tag <> 'CREATE INDEX'
        AND CASE WHEN c.classid = 'pg_class'::regclass THEN c.objid ELSE coalesce(y.polrelid, w.ev_class) END IN (t.relation::oid, t.foreign_relation::oid);
  END IF;
  IF TG_EVENT = 'sql_drop' THEN PERFORM mesh.guard_drop(); END IF;
  IF mesh_lasting THEN
    PERFORM mesh.follow(${maxRows});
    -- A schema that was told of is the branch's after a crash too.
    PERFORM set_config('synchronous_commit', 'on', true);
    RAISE INFO USING MESSAGE = 'mesh changed', ERRCODE = '${SCHEMA_CHANGED}', DETAIL = mesh_ids::text;
  END IF;
  IF TG_EVENT = 'ddl_command_end' THEN PERFORM mesh.guard(); END IF;
END`

/**
 * Event triggers that report DDL to the session that runs it, before its completion: in functions and DO blocks too, where no text
 * tells of it; that let merged tables follow it; and that keep from it what is mesh's own. Run by the superuser at each start. `maxRows`: of production, that a migration may
 * copy where it computes values row by row.
 */
export function schemaWatch(maxRows: number): string {
  return `
BEGIN;
SET LOCAL client_min_messages = error;
DROP EVENT TRIGGER IF EXISTS mesh_ddl;
DROP EVENT TRIGGER IF EXISTS mesh_drop;
SET LOCAL search_path = pg_catalog, pg_temp;
${followSchemaSql()}
${guardSql()}
CREATE OR REPLACE FUNCTION mesh.schema_changed() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(body(maxRows))};
REVOKE ALL ON FUNCTION mesh.schema_changed() FROM PUBLIC;
CREATE EVENT TRIGGER mesh_ddl ON ddl_command_end EXECUTE FUNCTION mesh.schema_changed();
CREATE EVENT TRIGGER mesh_drop ON sql_drop EXECUTE FUNCTION mesh.schema_changed();
COMMIT;`
}

/** The merged tables that a change of the schema was about; undefined for any other notice. */
export function changedTables({ code, detail }: PgErrorFields): readonly number[] | undefined {
  if (code !== SCHEMA_CHANGED) return undefined
  try {
    const ids: unknown = JSON.parse(detail ?? '[]')
    return Array.isArray(ids) ? ids.map(Number) : []
  } catch {
    // A client's own RAISE.
    return []
  }
}
