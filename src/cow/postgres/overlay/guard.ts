import { FIRST_TRIGGER_PREFIX, isOurTrigger, TRIGGER_PREFIX } from './names.ts'
import { plainTriggers } from './plain-triggers.ts'
import { grantNewSql, WIDE_ROLES } from './roles.ts'
import { functionSql, requireOwner } from './sql-function.ts'

/** Tables with their bases attached: only there has something to be hidden, and followed. */
const ATTACHED = `SELECT t.* FROM mesh.tables AS t JOIN pg_inherits AS i ON i.inhrelid = t.foreign_relation AND i.inhparent = t.relation WHERE t.kind <> 'matview'`

const policyOf = (relation: string, names: string): string =>
  `EXISTS (SELECT 1 FROM pg_policy AS y WHERE y.polrelid = ${relation} AND y.polname IN (${names}))`

const OURS = `'mesh_hide', 'mesh_all', 'mesh_owner'`
const WITHOUT = 'Without it the branch would show wrong rows.'

/**
 * What keeps a table's owner from taking mesh's own triggers and policies away, in functions and DO blocks too: `mesh.guard()` behind each
 * statement that changes the schema, as part of it, and `mesh.guard_drop()` where that drops something. Those that were switched off are on
 * again, so that DISABLE TRIGGER USER and DISABLE ROW LEVEL SECURITY mean what is the users' own; all else is refused. A merged table stays
 * logged. What is new goes to those who read or write everything.
 *
 * Row-level security is always on in a merged table; that users have it off is told by the policy `mesh_all`, and that it does not bind
 * the owner by `mesh_owner`.
 */
export function guardSql(): string {
  return [WIDE_ROLES, guardFunction(), guardDropFunction(), switchFunctions()].join('\n')
}

/** Only for what clients do: the superuser's own statements keep the rules by themselves. */
const BY_US = `(SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = session_user)`

function refusal(message: string, hint: string, condition = 'insufficient_privilege'): string {
  return `RAISE ${condition} USING MESSAGE = ${message}, HINT = '${hint}';`
}

/** A crash would empty an unlogged table, but not the keys that hide production's rows. */
const LOGGED = `FOR mesh_found IN SELECT t.relation FROM mesh.tables AS t JOIN pg_class AS c ON c.oid = t.relation WHERE c.relpersistence = 'u' LOOP
    EXECUTE format('ALTER TABLE %s SET LOGGED', mesh_found.relation);
  END LOOP;`

function guardFunction(): string {
  return functionSql({
    signature: 'mesh.guard()',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    // What it switches on again is nothing to guard. The context is read in English.
    settings: ['event_triggers = off', 'client_min_messages = error', `lc_messages = 'C'`],
    body: `
DECLARE
  mesh_found record;
  mesh_context text;
  mesh_text text;
BEGIN
  IF ${BY_US} THEN RETURN; END IF;
  SELECT g.tgname, g.tgrelid::regclass AS relation INTO mesh_found FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
    WHERE NOT g.tgisinternal AND (p.pronamespace = 'mesh'::regnamespace) <> ${isOurTrigger('g.tgname')};
  IF FOUND THEN
    ${refusal(`format('trigger %I on %s: names that begin with ${TRIGGER_PREFIX} and ${FIRST_TRIGGER_PREFIX} are those of mesh, and of no other trigger', mesh_found.tgname, mesh_found.relation)`, WITHOUT)}
  END IF;
  SELECT y.polname, y.polrelid::regclass AS relation INTO mesh_found FROM pg_event_trigger_ddl_commands() AS d
    JOIN pg_policy AS y ON d.classid = 'pg_policy'::regclass AND y.oid = d.objid WHERE y.polname IN (${OURS});
  IF FOUND THEN
    ${refusal(`format('policy %I on %s is one of mesh', mesh_found.polname, mesh_found.relation)`, WITHOUT)}
  END IF;
  SELECT t.relation INTO mesh_found FROM (${ATTACHED}) AS t WHERE NOT ${policyOf('t.relation', `'mesh_hide'`)};
  IF FOUND THEN
    ${refusal(`format('policy mesh_hide on %s is one of mesh', mesh_found.relation)`, WITHOUT)}
  END IF;
  FOR mesh_found IN SELECT g.tgname, g.tgrelid::regclass AS relation FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid WHERE p.pronamespace = 'mesh'::regnamespace AND g.tgenabled <> 'O'
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', mesh_found.relation, mesh_found.tgname);
  END LOOP;
  ${LOGGED}
  ${plainTriggers('mesh_found')}
  ${grantNewSql()}
  ${enabledWithin()}
  FOR mesh_found IN SELECT t.relation, c.relrowsecurity AS is_on, c.relowner::regrole AS owner, t.id IN (SELECT a.id FROM (${ATTACHED}) AS a) AS is_attached,
      ${policyOf('c.oid', `'mesh_all'`)} AS is_open, ${policyOf('c.oid', `'mesh_owner'`)} AS frees_owner
    FROM mesh.tables AS t JOIN pg_class AS c ON c.oid = t.relation WHERE t.kind <> 'matview' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
  LOOP
    IF NOT mesh_found.is_on AND NOT mesh_found.is_open THEN
      EXECUTE format('CREATE POLICY mesh_all ON %s USING (true) WITH CHECK (true)', mesh_found.relation);
      EXECUTE format('DROP POLICY IF EXISTS mesh_owner ON %s', mesh_found.relation);
    ELSIF NOT mesh_found.is_open AND NOT mesh_found.frees_owner THEN
      EXECUTE format('CREATE POLICY mesh_owner ON %s TO %s USING (true) WITH CHECK (true)', mesh_found.relation, mesh_found.owner);
    END IF;
    IF mesh_found.is_attached THEN
      EXECUTE format('ALTER TABLE ONLY %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', mesh_found.relation);
    END IF;
  END LOOP;
  SELECT t.relation, y.polname INTO mesh_found FROM (${ATTACHED}) AS t JOIN pg_policy AS y ON y.polrelid = t.relation
    WHERE NOT y.polpermissive AND y.polname <> 'mesh_hide' AND ${policyOf('t.relation', `'mesh_all'`)};
  IF FOUND THEN
    ${refusal(
      `format('restrictive policy %I on %s would hold though row-level security is off', mesh_found.polname, mesh_found.relation)`,
      'ENABLE ROW LEVEL SECURITY before it is made, and drop it before DISABLE ROW LEVEL SECURITY.',
      'feature_not_supported',
    )}
  END IF;
  FOR mesh_found IN SELECT y.polrelid::regclass AS relation, c.relowner::regrole AS owner FROM pg_policy AS y JOIN pg_class AS c ON c.oid = y.polrelid
    WHERE y.polname = 'mesh_owner' AND y.polroles <> ARRAY[c.relowner]
  LOOP
    EXECUTE format('ALTER POLICY mesh_owner ON %s TO %s', mesh_found.relation, mesh_found.owner);
  END LOOP;
END`,
  })
}

/**
 * ENABLE and FORCE ROW LEVEL SECURITY change nothing in the catalogue, where both are on. In a DO block or function in PL/pgSQL nobody has
 * seen the statement before it ran: the call stack has its text.
 */
function enabledWithin(): string {
  return `
  GET DIAGNOSTICS mesh_context = PG_CONTEXT;
  mesh_context := substr(mesh_context, strpos(mesh_context, 'mesh.schema_changed() line '));
  mesh_text := substr(mesh_context, nullif(strpos(mesh_context, E'\\nSQL statement "'), 0));
  IF strpos(mesh_context, E'\\n') = strpos(mesh_context, E'\\nSQL statement "') AND mesh_text IS NOT NULL THEN
    mesh_text := regexp_replace(split_part(mesh_text, E'"\\nPL/pgSQL function ', 1), '/\\*.*?\\*/', ' ', 'g');
    mesh_text := lower(regexp_replace(regexp_replace(mesh_text, '--[^\\n]*', ' ', 'g'), '''[^'']*''', ' ', 'g'));
    FOR mesh_found IN SELECT t.relation, c.relowner::regrole AS owner, ${policyOf('t.relation', `'mesh_all'`)} AS is_open
      FROM pg_event_trigger_ddl_commands() AS d JOIN mesh.tables AS t ON d.classid = 'pg_class'::regclass AND d.objid = t.relation
      JOIN pg_class AS c ON c.oid = t.relation WHERE d.command_tag = 'ALTER TABLE' AND t.kind <> 'matview'
    LOOP
      IF mesh_found.is_open AND mesh_text ~ '\\menable\\s+row\\s+level\\s+security' THEN
        ${enableStatements('mesh_found.relation', 'mesh_found.owner')}
      END IF;
      IF regexp_replace(mesh_text, '\\mno\\s+force\\M', ' ', 'g') ~ '\\mforce\\s+row\\s+level\\s+security' THEN
        ${forceStatement('mesh_found.relation')}
      END IF;
    END LOOP;
  END IF;`
}

/** The owner is not bound before FORCE. */
function enableStatements(relation: string, owner: string): string {
  return `EXECUTE format('DROP POLICY mesh_all ON %s', ${relation});
    EXECUTE format('CREATE POLICY mesh_owner ON %s TO %s USING (true) WITH CHECK (true)', ${relation}, ${owner});`
}

function forceStatement(relation: string): string {
  return `EXECUTE format('DROP POLICY IF EXISTS mesh_owner ON %s', ${relation});`
}

/** With its table, or by mesh's own functions that change a table's key, anything may go. */
function guardDropFunction(): string {
  return functionSql({
    signature: 'mesh.guard_drop()',
    returns: 'void',
    rights: 'admin',
    callers: 'nobody',
    body: `
DECLARE
  mesh_found record;
BEGIN
  IF ${BY_US} THEN RETURN; END IF;
  SELECT d.object_type, d.address_names[3] AS name, d.relation INTO mesh_found FROM (
    SELECT o.object_type, o.address_names,
      CASE WHEN o.object_type IN ('trigger', 'policy') THEN to_regclass(format('%I.%I', o.address_names[1], o.address_names[2])) END AS relation
    FROM pg_event_trigger_dropped_objects() AS o
  ) AS d
    WHERE d.relation IS NOT NULL AND CASE d.object_type WHEN 'trigger' THEN ${isOurTrigger('d.address_names[3]')}
      ELSE d.address_names[3] IN ('mesh_all', 'mesh_owner') END;
  IF FOUND THEN
    ${refusal(`format('%s %I on %s is one of mesh', mesh_found.object_type, mesh_found.name, mesh_found.relation)`, WITHOUT)}
  END IF;
END`,
  })
}

/** ENABLE and FORCE ROW LEVEL SECURITY, in front of the client's own statement, which finds it so already. For the table's owner. */
function switchFunctions(): string {
  const switching = (name: string, body: string): string =>
    functionSql({
      signature: `mesh.${name}(table_id integer)`,
      returns: 'void',
      rights: 'admin',
      callers: 'everyone',
      settings: ['event_triggers = off', 'client_min_messages = error'],
      body: `
DECLARE
  mesh_table regclass;
BEGIN
  SELECT t.relation INTO STRICT mesh_table FROM mesh.tables AS t WHERE t.id = table_id;
  ${requireOwner('mesh_table', 'must be owner of table %s')}
  ${body}
END`,
    })
  const enabled = `IF ${policyOf('mesh_table', `'mesh_all'`)} THEN
    ${enableStatements('mesh_table', '(SELECT c.relowner::regrole FROM pg_class AS c WHERE c.oid = mesh_table)')}
  END IF;`
  const forced = forceStatement('mesh_table')
  return [switching('enable_row_security', enabled), switching('force_row_security', forced)].join('\n')
}
