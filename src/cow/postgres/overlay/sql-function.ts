import { dollarQuoted } from './identifiers.ts'
import { COPY_ROLE } from './names.ts'

/** Who called a function that runs with rights of its own: the role that was set, else the session's. */
export const CALLER = `coalesce(nullif(current_setting('role'), 'none'), session_user)`

/** The transaction may not write: no statement that rows would be brought for does anything. */
export const READ_ONLY = `current_setting('transaction_read_only') = 'on'`

/** Statement of a function's body: refuses a caller who does not own a relation. `what`: as PostgreSQL says it, with %s for the name. */
export function requireOwner(relation: string, what: string): string {
  return `IF NOT pg_has_role(${CALLER}, (SELECT relowner FROM pg_class WHERE oid = ${relation}), 'USAGE') THEN
    RAISE insufficient_privilege USING MESSAGE = format('${what}', ${relation});
  END IF;`
}

/** Statement of a function's body: refuses a caller who has none of these privileges on a table. */
export function requirePrivilege(relation: string, privileges: string): string {
  return `IF NOT has_table_privilege(${CALLER}, ${relation}, '${privileges}') THEN
    RAISE insufficient_privilege USING MESSAGE = format('permission denied for table %s', ${relation});
  END IF;`
}

/**
 * Statement of a function's body: refuses a call that is not a session's own, which prepares a table for the statement that follows. What
 * the backend was sent is then this call and nothing else, and from clients no text that names the schema mesh comes to it. `name`: of a
 * function with the one parameter `table_id`.
 */
export function requireSession(name: string): string {
  return `IF current_query() IS DISTINCT FROM format('SELECT mesh.${name}(%s)', table_id) THEN
    RAISE insufficient_privilege USING MESSAGE = 'permission denied for function mesh.${name}', HINT = 'The schema mesh is the data proxy''s own.';
  END IF;`
}

/** A function in PL/pgSQL that mesh adds to the overlay. */
export interface SqlFunction {
  /** Name with its parameters: `mesh.copy_up_7(keys jsonb)`. */
  readonly signature: string
  readonly returns: string
  readonly body: string
  /** `definer` runs with the rights of `mesh_copy`, `admin` with those of the superuser, `invoker` with the caller's. */
  readonly rights: 'definer' | 'admin' | 'invoker'
  /**
   * It runs under the caller's search_path, because code of users runs inside it: its body names the schema of everything, operators
   * too. Default: a path that holds no schema which a user may write to.
   */
  readonly keepsPath?: boolean
  /** Settings while it runs, beside the search_path. */
  readonly settings?: readonly string[]
  /** Who may call it; a trigger function is called by nobody. */
  readonly callers: 'everyone' | 'nobody'
}

/** CREATE OR REPLACE FUNCTION with its owner and rights. */
export function functionSql(definition: SqlFunction): string {
  const { signature, returns, body, rights, callers, keepsPath = false, settings = [] } = definition
  const clauses = [
    `CREATE OR REPLACE FUNCTION ${signature} RETURNS ${returns} LANGUAGE plpgsql`,
    rights === 'invoker' ? '' : 'SECURITY DEFINER',
    keepsPath ? '' : 'SET search_path = pg_catalog, pg_temp',
    ...settings.map((setting) => `SET ${setting}`),
    // A pattern in the body means what it says, whatever the caller has set.
    body.includes('\\') ? 'SET standard_conforming_strings = on' : '',
    `AS ${dollarQuoted(body)};`,
  ]
  const statements = [clauses.filter((clause) => clause !== '').join(' ')]
  if (rights === 'definer') statements.push(`ALTER FUNCTION ${signature} OWNER TO ${COPY_ROLE};`)
  if (callers === 'nobody') statements.push(`REVOKE ALL ON FUNCTION ${signature} FROM PUBLIC;`)
  return statements.join('\n')
}
