import type { EscapeRow } from './escape-rows.ts'

const CLIMB = `CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_user <> 'app' THEN PERFORM mesh.dblink_connect_u('x', 'user=mesh_admin'); END IF; RETURN NEW; END $$`

/** Ways around the roles and parts of mesh. */
const AROUND: readonly EscapeRow[] = [
  ['SET ROLE', '42501', 'SET ROLE mesh_admin'],
  ['SET SESSION AUTHORIZATION', '42501', 'SET SESSION AUTHORIZATION mesh_copy'],
  ['a grant of the administrator', '42501', 'GRANT mesh_admin TO app'],
  ['a superuser', '42501', 'ALTER ROLE app SUPERUSER'],
  ['the replica role as a setting of the role', '42501', `ALTER ROLE app SET session_replication_role = 'replica'`],
  ['a library as a setting of the database', '42501', `ALTER DATABASE shop SET session_preload_libraries = 'x'`],
  ['LOAD', '42501', `LOAD 'auto_explain'`],
  ['REASSIGN OWNED', '42501', 'REASSIGN OWNED BY mesh_admin TO app'],
  ['DROP OWNED', '42501', 'DROP OWNED BY mesh_copy'],
  ['DROP of the extension', '42501', 'DROP EXTENSION postgres_fdw CASCADE'],
  ['DROP of the server', '42501', 'DROP SERVER mesh_upstream CASCADE'],
  ["another name of mesh's schema", '42501', 'ALTER SCHEMA mesh RENAME TO mush'],
  ["a search_path into mesh's schemas", '42P01', 'SET search_path = mesh_base, mesh', 'SELECT count(*) FROM b1'],
  ['a table like a foreign one', '42501', 'CREATE TABLE likes (LIKE mesh_base.b1 INCLUDING ALL)'],
  ['a foreign table without its parent', '42501', 'ALTER FOREIGN TABLE mesh_base.b1 NO INHERIT customer'],
  ["mesh's question to the gate", '42501', `DO $$ BEGIN PERFORM mesh.ask('rebuild{}'); END $$`],
  [
    'a notice like those of mesh',
    'runs',
    `DO $$ BEGIN RAISE INFO 'mesh touched 99999999999999999999' USING ERRCODE = 'MSH01', DETAIL = '[[["a"]]]'; END $$`,
    `DO $$ BEGIN RAISE INFO 'mesh changed' USING ERRCODE = 'MSH02', DETAIL = '{[nonsense'; END $$`,
    'SELECT count(*) FROM customer',
  ],
  ["mesh's own notification", 'runs', `NOTIFY mesh_reset, 'shop'`],
  [
    "a trigger under mesh's role",
    'runs',
    'BEGIN',
    CLIMB,
    'CREATE TRIGGER climbs BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION climb()',
    'ALTER TABLE customer ENABLE ALWAYS TRIGGER climbs',
    `UPDATE customer SET name = 'climbed' WHERE id = 101`,
    'ALTER TABLE customer ENABLE REPLICA TRIGGER climbs',
    `UPDATE customer SET name = 'climbed' WHERE id = 102`,
    'ROLLBACK',
  ],
  [
    'a trigger instead of a write',
    'runs',
    'BEGIN',
    `CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM customer WHERE id = OLD.id; RETURN OLD; END $$`,
    'CREATE VIEW seen AS SELECT * FROM customer',
    'CREATE TRIGGER instead INSTEAD OF DELETE ON seen FOR EACH ROW EXECUTE FUNCTION instead()',
    'DELETE FROM seen WHERE id = 108',
    'ROLLBACK',
  ],
  [
    'a trigger at the commit',
    'runs',
    `DO $$ BEGIN
      CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN DELETE FROM orders WHERE id = 311; RETURN NULL; END $f$;
      CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON fired DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
      UPDATE fired SET id = id WHERE id = 3; END $$`,
    'DROP FUNCTION late() CASCADE',
  ],
  [
    'a policy that writes',
    'runs',
    'BEGIN',
    'ALTER TABLE customer ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY w ON customer USING (public.sneak_of(id))',
    'SELECT count(*) FROM customer',
    'ROLLBACK',
  ],
  ['a language for functions', '42501', `CREATE FUNCTION i() RETURNS int LANGUAGE internal AS 'pg_stat_reset'`],
  ['an extension that reads files', '42501', 'CREATE EXTENSION file_fdw'],
  ['an implicit cast', '42501', 'CREATE CAST (text AS int) WITH INOUT AS IMPLICIT'],
  ['a publication of all tables', '42501', 'CREATE PUBLICATION p FOR ALL TABLES'],
  ['the right to run programs', '42501', 'GRANT pg_execute_server_program TO app'],
  ['a tablespace', '42501', `CREATE TABLESPACE made LOCATION '/tmp'`],
  ['the sessions of mesh', '42501', `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'mesh_admin'`],
]

/** Ways around the reading of a text, and code in odd places of it. */
const WITHIN: readonly EscapeRow[] = [
  ['a name in escapes', 'runs', `UPDATE U&"c\\0075stomer" SET name = 'u' WHERE id = 105`],
  ['a name in escapes of its own', 'runs', `DELETE FROM U&"cust!006fmer" UESCAPE '!' WHERE id = 106`],
  ['space that is none', '42601', `UPDATE customer\u00a0SET name = 'n' WHERE id = 107`],
  ['space that is seldom seen', 'runs', `UPDATE\u000bcustomer\u000cSET name = 'n' WHERE id = 107`],
  ['a comment that ends at a carriage return', 'runs', 'SELECT 1 -- \r; DELETE FROM orders WHERE id = 303'],
  ['an operator that a comment cuts', 'runs', 'SELECT 1 +/* ; */-1; DELETE FROM orders WHERE id = 304'],
  ['a string of two lines', 'runs', `SELECT 'a'\n'b;' ; DELETE FROM orders WHERE id = 305`],
  ['strings of other kinds', 'runs', `SELECT N'a;', B'1', X'1f'; DELETE FROM orders WHERE id = 306`],
  [
    'an encoding with backslashes in it',
    '0A000',
    `SET client_encoding = 'SJIS'`,
    `SELECT '\u30bd'; DELETE FROM orders WHERE id = 307`,
  ],
  ['COPY of a write', 'runs', 'COPY (DELETE FROM orders WHERE id = 310 RETURNING *) TO STDOUT'],
  ['COPY of a view that writes', 'runs', 'COPY (SELECT * FROM sneaky) TO STDOUT'],
  [
    'a cursor that outlives its transaction',
    'runs',
    'BEGIN',
    'DECLARE c CURSOR WITH HOLD FOR SELECT * FROM orders',
    'COMMIT',
    'FETCH 3 FROM c',
    'CLOSE ALL',
  ],
  [
    'an index that is made alone',
    'runs',
    'CREATE INDEX CONCURRENTLY made ON orders (total)',
    'DROP INDEX CONCURRENTLY made',
  ],
  ['REFRESH beside readers', 'runs', 'REFRESH MATERIALIZED VIEW CONCURRENTLY totals'],
  ['VACUUM FULL', 'runs', 'VACUUM (FULL, ANALYZE) orders'],
  [
    'a sequence by its owner',
    'runs',
    `SELECT setval(pg_get_serial_sequence('identified', 'id'), 5), nextval('identified_id_seq')`,
  ],
  ['a sequence by a text', 'runs', `SELECT nextval('public.ticket'::text::regclass) FROM customer WHERE id < 3`],
  [
    'a default that draws',
    'runs',
    'BEGIN',
    `ALTER TABLE orders ALTER total SET DEFAULT nextval('ticket')`,
    'INSERT INTO orders (id) VALUES (70001)',
    'ROLLBACK',
  ],
  [
    'a function of rows that are deleted',
    'runs',
    'BEGIN',
    'CREATE FUNCTION gone() RETURNS SETOF orders LANGUAGE sql AS $$ DELETE FROM orders WHERE id < 6 RETURNING * $$',
    'SELECT * FROM customer c, gone() g WHERE g.customer_id = c.id',
    'ROLLBACK',
  ],
  [
    'MERGE by source',
    'runs',
    `MERGE INTO orders o USING customer c ON o.customer_id = c.id AND o.id < 3
       WHEN MATCHED THEN UPDATE SET total = public.sneak() WHEN NOT MATCHED BY SOURCE AND o.id = 20 THEN DELETE`,
  ],
  ['RETURNING', 'runs', `UPDATE customer SET name = 'r' WHERE id = 109 RETURNING old.name, new.name, public.sneak()`],
  [
    'text that a cursor runs',
    'runs',
    'BEGIN',
    'DECLARE c CURSOR FOR SELECT sneak()',
    `SELECT cursor_to_xml('c', 9, true, true, '')`,
  ],
  [
    'text that a search query runs',
    'runs',
    `SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, public.sneak()::text::tsquery')`,
  ],
  [
    'functions as tables',
    'runs',
    'SELECT * FROM ROWS FROM (sneak(), generate_series(1, 2)) AS r, customer c WHERE c.id = 1',
  ],
  ['a pattern that takes long', 'runs', `SELECT count(*) FROM customer WHERE name ~ '^(((a*)*)*)*b$'`],
]

export const TRICKS: readonly EscapeRow[] = [...AROUND, ...WITHIN]
