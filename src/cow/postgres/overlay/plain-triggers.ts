/**
 * PL/pgSQL that has triggers and rules of merged tables, ENABLE ALWAYS or ENABLE REPLICA, fire where a client writes as they would on
 * production, and nowhere else: mesh brings rows onto the branch under the replica role, which no client can have. `found`: a record.
 */
export function plainTriggers(found: string): string {
  return `
  FOR ${found} IN
    SELECT e.* FROM (
      SELECT 'TRIGGER' AS kind, g.tgname AS name, g.tgrelid AS relation, g.tgenabled AS enabled FROM pg_trigger AS g WHERE NOT g.tgisinternal
      UNION ALL SELECT 'RULE', w.rulename, w.ev_class, w.ev_enabled FROM pg_rewrite AS w
    ) AS e WHERE e.enabled IN ('A', 'R') AND e.relation IN (SELECT t.relation FROM mesh.tables AS t)
  LOOP
    EXECUTE format('ALTER TABLE %s %s %s %I', ${found}.relation::regclass, CASE ${found}.enabled WHEN 'A' THEN 'ENABLE' ELSE 'DISABLE' END, ${found}.kind, ${found}.name);
  END LOOP;`
}
