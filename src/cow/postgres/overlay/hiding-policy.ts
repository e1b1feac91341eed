import { quoteText } from './identifiers.ts'
import { untouched } from './key-table.ts'
import { baseName, tableName } from './names.ts'
import type { TableShape } from './table-shape.ts'

/**
 * Row-level security that hides base rows which are touched. It is restrictive, so policies that came from
 * production stay what they are; where there were none, a permissive policy admits every row. It holds for the
 * owner too (FORCE): an owner that production's policies did not bind gets a permissive policy of its own.
 */
export function hidingPolicySql(shape: TableShape): string {
  const table = tableName(shape)
  const statements = [hideSql(shape)]
  if (!shape.rowSecurity) statements.push(`CREATE POLICY mesh_all ON ${table} USING (true) WITH CHECK (true);`)
  else if (!shape.forcedRowSecurity) {
    statements.push(`CREATE POLICY mesh_owner ON ${table} TO ${shape.owner} USING (true) WITH CHECK (true);`)
  }
  // From here on PostgreSQL reads all policies of the table anew behind every statement that changes it.
  statements.push(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`)
  return statements.join('\n')
}

/** The one policy that names columns: those of the key. */
export function hideSql(shape: TableShape): string {
  const table = tableName(shape)
  // Not "tableoid = the table": rechecking a row that it had to wait for, PostgreSQL 18 sees tableoid 0 where there is a BEFORE
  // UPDATE trigger (the slot that is copied loses it), and the update would find no row.
  const own = `tableoid <> ${quoteText(baseName(shape.id))}::pg_catalog.regclass`
  const hidden = shape.key.length === 0 ? 'true' : `${own} OR ${untouched(shape, table)}`
  return `CREATE POLICY mesh_hide ON ${table} AS RESTRICTIVE USING (${hidden}) WITH CHECK (true);`
}

/**
 * PL/pgSQL behind a cut of `mesh_entry` from its base: nothing is left to hide, and without row-level security COPY FROM fills the table
 * as it fills any other. Policies of users stay in force.
 */
export const PLAIN_TABLE = `IF EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = mesh_entry.relation AND p.polname = 'mesh_all') THEN
    EXECUTE format('ALTER TABLE ONLY %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', mesh_entry.relation);
  END IF;`

/**
 * Takes a table's base away. A snapshot that is older than another session's doing so still says that it is there: the transaction has to
 * begin anew, as behind any other concurrent change.
 */
export const DETACH_BASE = `BEGIN
    EXECUTE format('ALTER FOREIGN TABLE %s NO INHERIT %s', mesh_entry.foreign_relation, mesh_entry.relation);
  EXCEPTION WHEN undefined_table THEN
    RAISE serialization_failure USING MESSAGE = 'could not serialize access due to concurrent update',
      DETAIL = format('Another session has cut table %s loose from production meanwhile.', mesh_entry.relation);
  END;`

/** Hides touched rows of a table again that has been given its base back. */
export function hideAgainSql(table: string): string {
  return `ALTER TABLE ONLY ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`
}
