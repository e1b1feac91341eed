/** A way out: why it is one, what the client sends, one text after the other, and how the proxy answers: `runs`, or the first SQLSTATE. */
export type EscapeRow = readonly [why: string, answer: string, ...texts: readonly string[]]

/** Production as an attacker would wish it: functions with rights of their own behind views, defaults, checks, casts, triggers. */
export const ESCAPE_SCHEMA = `
CREATE TYPE status AS ENUM ('new', 'paid');
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer ON DELETE CASCADE, total numeric(10, 2), st status, made timestamptz DEFAULT now());
CREATE TABLE witness (n int);
CREATE SEQUENCE ticket;
CREATE TABLE counted (id serial PRIMARY KEY, what text);
CREATE TABLE identified (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.witness VALUES (1); PERFORM nextval('public.ticket'); RETURN 1; END $$;
CREATE FUNCTION sneak_of(int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.witness VALUES ($1); RETURN true; END $$;
CREATE FUNCTION lies(int) RETURNS int LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS $$ BEGIN INSERT INTO public.witness VALUES ($1); RETURN $1; END $$;
CREATE PROCEDURE sneak_away() LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.witness VALUES (1); END $$;
CREATE VIEW sneaky AS SELECT public.sneak() AS n;
CREATE VIEW drawn AS SELECT nextval('public.ticket') AS n, c.id FROM customer c;
CREATE VIEW locking AS SELECT * FROM customer FOR UPDATE;
CREATE VIEW shouting AS SELECT pg_notify('a', 'b')::text AS a, pg_advisory_lock(7)::text AS b, id FROM customer;
CREATE VIEW named AS SELECT id, name FROM customer;
CREATE RULE away AS ON UPDATE TO named DO INSTEAD DELETE FROM orders WHERE customer_id = OLD.id;
CREATE DOMAIN positive AS int CHECK (public.sneak_of(VALUE));
CREATE TABLE defaulted (id int PRIMARY KEY, n int DEFAULT public.sneak());
CREATE TABLE fired (id int PRIMARY KEY);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM public.customer WHERE id = 9; PERFORM public.sneak(); RETURN NULL; END $$;
CREATE TRIGGER fires AFTER INSERT OR UPDATE OR DELETE ON fired FOR EACH ROW EXECUTE FUNCTION fire();
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id;
CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TYPE boxed AS (n int);
CREATE FUNCTION unbox(boxed) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN public.sneak(); END $$;
CREATE CAST (boxed AS int) WITH FUNCTION unbox(boxed);
CREATE FUNCTION same(int, int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM public.sneak(); RETURN true; END $$;
CREATE OPERATOR public.=== (FUNCTION = same, LEFTARG = int, RIGHTARG = int);
CREATE AGGREGATE total_of (int) (SFUNC = int4pl, STYPE = int, FINALFUNC = lies, INITCOND = '0');`

export const ESCAPE_DATA = `
INSERT INTO customer SELECT g, 'customer ' || g FROM generate_series(1, 200) g;
INSERT INTO orders (id, customer_id, total, st) SELECT g, 1 + g % 200, g, 'new' FROM generate_series(1, 600) g;
INSERT INTO counted (what) SELECT 'a' || g FROM generate_series(1, 10) g;
INSERT INTO identified (what) SELECT 'a' || g FROM generate_series(1, 10) g;
INSERT INTO fired SELECT generate_series(1, 10);
INSERT INTO defaulted SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO parts SELECT g, '2026-02-01'::date + g FROM generate_series(1, 20) g;
INSERT INTO witness VALUES (0);
REFRESH MATERIALIZED VIEW totals;`

/** Statements that write, in all the ways that SQL has. */
export const WRITES: readonly EscapeRow[] = [
  ['INSERT', 'runs', 'INSERT INTO witness VALUES (1)'],
  [
    'INSERT .. SELECT of a function that writes',
    'runs',
    'INSERT INTO witness SELECT sneak() FROM customer WHERE id < 3',
  ],
  ['a volatile default', 'runs', 'INSERT INTO defaulted (id) VALUES (900) ON CONFLICT DO NOTHING'],
  ['a serial column', 'runs', `INSERT INTO counted (what) VALUES ('x')`],
  ['an identity column', 'runs', `INSERT INTO identified (what) VALUES ('x')`],
  [
    'ON CONFLICT DO UPDATE',
    'runs',
    `INSERT INTO customer VALUES (5, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
  ],
  ['UPDATE', 'runs', `UPDATE customer SET name = 'x' WHERE id = 1`],
  ['UPDATE of all rows', 'runs', `UPDATE orders SET total = total + 1`],
  ['UPDATE by a table without a key', 'runs', 'UPDATE witness SET n = n + 1'],
  [
    'UPDATE .. FROM',
    'runs',
    'UPDATE customer SET name = o.id::text FROM orders o WHERE o.customer_id = customer.id AND o.id < 5',
  ],
  ['UPDATE through a view', 'runs', `UPDATE named SET name = 'x' WHERE id = 11`],
  ['UPDATE of a key', 'runs', 'UPDATE parts SET id = id + 1000 WHERE id = 4'],
  ['DELETE with a cascade', 'runs', 'DELETE FROM customer WHERE id = 2'],
  ['DELETE .. USING', 'runs', 'DELETE FROM orders USING customer c WHERE c.id = orders.customer_id AND c.id = 3'],
  [
    'a trigger that writes elsewhere',
    'runs',
    'UPDATE fired SET id = id WHERE id = 1',
    'DELETE FROM fired WHERE id = 2',
  ],
  [
    'MERGE',
    'runs',
    `MERGE INTO customer c USING (VALUES (7), (7000)) s(id) ON c.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'm')`,
  ],
  ['TRUNCATE', 'runs', 'BEGIN', 'TRUNCATE customer CASCADE', 'ROLLBACK'],
  ['TRUNCATE RESTART IDENTITY', 'runs', 'BEGIN', 'TRUNCATE counted RESTART IDENTITY', 'ROLLBACK'],
  ['TRUNCATE by a block', 'runs', 'BEGIN', 'DO $$ BEGIN TRUNCATE orders; END $$', 'ROLLBACK'],
  [
    'a partition made, filled and dropped with one of production',
    'runs',
    'BEGIN',
    `CREATE TABLE parts_2027 PARTITION OF parts FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')`,
    `INSERT INTO parts VALUES (1, '2027-05-05')`,
    `UPDATE parts_2026 SET id = id + 1 RETURNING *`,
    `DROP TABLE parts_2027, parts_2026`,
    'ROLLBACK',
  ],
  [
    'a bound that runs a function',
    '0A000',
    `CREATE TABLE parts_p PARTITION OF parts FOR VALUES FROM (date '2027-01-01' + sneak()) TO (MAXVALUE)`,
  ],
  ['a write in a CTE', 'runs', `WITH w AS (DELETE FROM orders WHERE id = 10 RETURNING id) SELECT * FROM w`],
  ['a write in a CTE that nobody reads', 'runs', `WITH w AS (UPDATE orders SET total = 0 WHERE id = 11) SELECT 1`],
  ['EXPLAIN ANALYZE', 'runs', 'EXPLAIN ANALYZE DELETE FROM orders WHERE id = 12'],
  ['EXPLAIN ANALYZE of a function', 'runs', 'EXPLAIN (ANALYZE, COSTS OFF) SELECT sneak()'],
  ['SELECT INTO', 'runs', 'BEGIN', 'SELECT * INTO made FROM customer', 'ROLLBACK'],
  ['CREATE TABLE AS', 'runs', 'BEGIN', 'CREATE TABLE made AS SELECT sneak()', 'ROLLBACK'],
  ['a temporary table', 'runs', 'BEGIN', 'CREATE TEMP TABLE made ON COMMIT DROP AS TABLE customer', 'COMMIT'],
  ['COPY FROM STDIN', '57014', 'COPY witness FROM STDIN'],
  ['DDL', 'runs', 'BEGIN', 'ALTER TABLE defaulted ADD COLUMN extra int DEFAULT sneak()', 'ROLLBACK'],
  ['an index', '0A000', 'BEGIN', 'CREATE INDEX ON customer (lies(id))', 'ROLLBACK'],
  ['DROP', 'runs', 'BEGIN', 'DROP TABLE customer CASCADE', 'ROLLBACK'],
  ['GRANT', 'runs', 'BEGIN', 'GRANT ALL ON customer TO PUBLIC', 'ROLLBACK'],
  ['COMMENT', 'runs', 'BEGIN', `COMMENT ON TABLE customer IS 'x'`, 'ROLLBACK'],
  [
    'a rule',
    'runs',
    'BEGIN',
    'CREATE RULE r AS ON INSERT TO customer DO ALSO DELETE FROM orders',
    `INSERT INTO customer VALUES (5001, 'r')`,
    'ROLLBACK',
  ],
  ['REFRESH', 'runs', 'REFRESH MATERIALIZED VIEW totals'],
  ['VACUUM', 'runs', 'VACUUM customer'],
  ['ANALYZE, which samples production', 'runs', 'ANALYZE customer'],
  ['CLUSTER', 'runs', 'CLUSTER customer USING customer_pkey'],
  ['REINDEX', 'runs', 'REINDEX TABLE customer'],
]

/** Code that runs where one sees a read. */
export const CALLS: readonly EscapeRow[] = [
  ['a function with rights of its own', 'runs', 'SELECT sneak()'],
  ['the same behind a view', 'runs', 'SELECT * FROM sneaky'],
  ['in a condition over production', 'runs', 'SELECT count(*) FROM customer WHERE sneak_of(id) AND id < 4'],
  ['a function that calls itself immutable', '0A000', 'SELECT * FROM customer WHERE lies(id) = 3'],
  ['a function as a column', 'runs', 'SELECT (c).name, (ROW(1)::boxed).unbox FROM customer c WHERE id = 1'],
  ['a function as a table', 'runs', 'SELECT * FROM customer c, LATERAL sneak() AS s WHERE c.id < 3'],
  ['a cast by a function', 'runs', 'SELECT ROW(1)::boxed::int FROM customer WHERE id = 1'],
  ['a domain whose check is a function', 'runs', 'SELECT id::positive FROM customer WHERE id::positive < 3'],
  ['an operator of a user', 'runs', 'SELECT count(*) FROM customer WHERE id OPERATOR(public.===) 4'],
  ['an aggregate of a user', '0A000', 'SELECT total_of(id) FROM customer'],
  [
    'a shadowing function',
    'runs',
    'BEGIN',
    `CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT public.sneak()::text $$`,
    'SET LOCAL search_path = public, pg_catalog',
    `SELECT * FROM customer WHERE lower(name) = 'x'`,
    'ROLLBACK',
  ],
  [
    'a shadowing operator',
    'runs',
    'BEGIN',
    'CREATE OPERATOR public.= (FUNCTION = same, LEFTARG = int, RIGHTARG = int)',
    'SET LOCAL search_path = public, pg_catalog',
    'SELECT count(*) FROM customer WHERE id = 4',
    'ROLLBACK',
  ],
  [
    'a shadowing table',
    'runs',
    'BEGIN',
    'CREATE TEMP TABLE customer ON COMMIT DROP AS SELECT sneak() AS id',
    'DELETE FROM customer',
    'ROLLBACK',
  ],
  ['a member of the extension that pushes down', '42501', 'ALTER EXTENSION postgres_fdw ADD FUNCTION sneak()'],
  [
    'a block',
    'runs',
    `DO $$ BEGIN INSERT INTO witness VALUES (1); UPDATE customer SET name = 'd' WHERE id = 20; END $$`,
  ],
  ['dynamic SQL', 'runs', `DO $$ BEGIN EXECUTE 'DELETE FROM customer WHERE id = 21'; END $$`],
  ['row locks by dynamic SQL', 'runs', `DO $$ BEGIN PERFORM 1 FROM customer WHERE id = 22 FOR UPDATE; END $$`],
  ['CALL', 'runs', 'CALL sneak_away()'],
  ['text that a function runs', 'runs', `SELECT query_to_xml('SELECT public.sneak()', true, true, '')`],
  ['a relation in a string', 'runs', `SELECT table_to_xml('public.sneaky', true, true, '')`],
  [
    'text that a search function runs',
    'runs',
    `SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM customer WHERE sneak_of(id) AND id < 3')`,
  ],
  [
    'PREPARE and EXECUTE',
    'runs',
    `PREPARE p AS UPDATE customer SET name = 'p' WHERE id = 23`,
    'EXECUTE p',
    'DEALLOCATE p',
  ],
  [
    'EXPLAIN ANALYZE EXECUTE',
    'runs',
    'PREPARE p AS DELETE FROM orders WHERE id = 24',
    'EXPLAIN ANALYZE EXECUTE p',
    'DEALLOCATE p',
  ],
  ['a function by the planner', '0A000', 'EXPLAIN SELECT * FROM customer WHERE id = lies(5)'],
  [
    'a cursor over a write',
    'runs',
    'BEGIN',
    'DECLARE c CURSOR WITH HOLD FOR SELECT sneak() FROM customer',
    'FETCH 5 FROM c',
    'COMMIT',
    'FETCH ALL FROM c',
    'CLOSE c',
  ],
  [
    'a scrolled cursor',
    'runs',
    'BEGIN',
    'DECLARE c SCROLL CURSOR FOR SELECT id FROM customer ORDER BY id',
    'FETCH LAST FROM c',
    'FETCH FIRST FROM c',
    'COMMIT',
  ],
  [
    'WHERE CURRENT OF',
    '0A000',
    'BEGIN',
    'DECLARE c CURSOR FOR SELECT * FROM customer FOR UPDATE',
    'FETCH 1 FROM c',
    'DELETE FROM customer WHERE CURRENT OF c',
  ],
]

/** Locks, numbers, messages: what production would notice though no row changes. */
export const DISTURBANCES: readonly EscapeRow[] = [
  ['nextval', 'runs', `SELECT nextval('ticket')`],
  ['nextval behind a view over production', 'runs', 'SELECT * FROM drawn WHERE id < 4'],
  ['setval', 'runs', `SELECT setval('ticket', 99)`],
  ['ALTER SEQUENCE', 'runs', 'BEGIN', 'ALTER SEQUENCE ticket RESTART', 'ROLLBACK'],
  ['a transaction id', 'runs', 'SELECT txid_current(), pg_current_xact_id() FROM customer WHERE id = 1'],
  ['an advisory lock', 'runs', 'SELECT pg_advisory_lock(1)'],
  ['an advisory lock for each row', 'runs', 'SELECT pg_advisory_lock_shared(id) FROM customer'],
  ['an advisory lock of a transaction', 'runs', 'BEGIN', 'SELECT pg_try_advisory_xact_lock(2)', 'COMMIT'],
  ['a view that locks and notifies', 'runs', 'SELECT * FROM shouting WHERE id < 3'],
  ['FOR UPDATE', 'runs', 'SELECT * FROM customer WHERE id < 5 FOR UPDATE'],
  [
    'FOR SHARE of a join',
    'runs',
    'SELECT * FROM customer c JOIN orders o ON o.customer_id = c.id WHERE c.id < 5 FOR SHARE OF c SKIP LOCKED',
  ],
  ['FOR UPDATE behind a view', 'runs', 'SELECT * FROM locking WHERE id < 5'],
  [
    'FOR UPDATE held for a while',
    'runs',
    'BEGIN',
    'SELECT * FROM orders WHERE id < 30 FOR NO KEY UPDATE',
    'SELECT count(*) FROM customer',
    'ROLLBACK',
  ],
  [
    'LOCK',
    'runs',
    'BEGIN',
    'LOCK TABLE customer IN ACCESS EXCLUSIVE MODE',
    'SELECT count(*) FROM customer',
    'ROLLBACK',
  ],
  ['NOTIFY', 'runs', `NOTIFY a, 'b'`],
  ['pg_notify', 'runs', `SELECT pg_notify('a', name) FROM customer WHERE id = 1`],
  ['LISTEN', 'runs', 'LISTEN a', 'UNLISTEN *'],
  ["another's session", 'runs', 'SELECT pg_terminate_backend(:watcher)'],
  ["another's statement", 'runs', 'SELECT pg_cancel_backend(:watcher) FROM customer WHERE id = 1'],
  ['a large object', 'runs', 'SELECT lo_create(0)'],
  ['a large object with content', 'runs', `SELECT lo_from_bytea(0, 'x'), lo_put(lo_creat(-1), 0, 'x')`],
  ['a large object from a file', '42501', `SELECT lo_import('/etc/passwd')`],
  [
    'an exported snapshot',
    'runs',
    'BEGIN ISOLATION LEVEL REPEATABLE READ',
    'SELECT pg_export_snapshot(), count(*) FROM customer',
    'COMMIT',
  ],
  ['a long view of production', 'runs', 'BEGIN ISOLATION LEVEL SERIALIZABLE', 'SELECT count(*) FROM customer'],
  [
    'a transaction that is left open',
    'runs',
    'BEGIN',
    'SELECT count(*) FROM customer',
    'DECLARE c CURSOR FOR SELECT * FROM orders',
    'FETCH 1 FROM c',
  ],
  ['two-phase commit', '55000', 'BEGIN', `PREPARE TRANSACTION 'x'`],
  ['a checkpoint', '42501', 'CHECKPOINT'],
  ['a WAL switch', '42501', 'SELECT pg_switch_wal()'],
  ['a WAL message', 'runs', `SELECT pg_logical_emit_message(true, 'a', name) FROM customer WHERE id = 1`],
  ['statistics', '42501', 'SELECT pg_stat_reset()'],
  ['a backup', '42501', `SELECT pg_backup_start('x')`],
  ['a replication slot', '42501', `SELECT pg_create_physical_replication_slot('s')`],
  ['a logical slot', '42501', `SELECT pg_create_logical_replication_slot('s', 'pgoutput')`],
  ['a subscription', '42501', `CREATE SUBSCRIPTION s CONNECTION 'dbname=shop' PUBLICATION p`],
  ['sleep for each row', 'runs', 'SELECT pg_sleep(0.001) FROM customer WHERE id < 10'],
]
