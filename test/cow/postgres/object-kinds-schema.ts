/** An object of every kind that production may have; those of later majors apart. */
export const OBJECT_KINDS = `
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist; CREATE EXTENSION pgcrypto;
CREATE SCHEMA "Odd Schema";
CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE place AS (street text, no int);
CREATE TYPE floats AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
CREATE DOMAIN positive AS numeric(10,2) NOT NULL DEFAULT 1 CHECK (VALUE > 0);
CREATE FUNCTION add1(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION dated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated := '2026-01-01'; RETURN NEW; END $$;
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE FUNCTION is_mood(mood, int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT $2 = CASE $1 WHEN 'sad' THEN 1 ELSE 2 END $$;
CREATE OPERATOR === (leftarg = mood, rightarg = int, function = is_mood);
CREATE SEQUENCE tickets START 100 INCREMENT 5;
CREATE TABLE cust (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail email UNIQUE, name text COLLATE german, m mood DEFAULT 'ok', a place,
  tags text[] DEFAULT '{}', h hstore, updated date, fl floats, span int4range, EXCLUDE USING gist (span WITH &&));
CREATE TABLE ord (id bigserial PRIMARY KEY, cust_id int NOT NULL REFERENCES cust ON DELETE CASCADE, qty int CHECK (qty > 0), price positive,
  total numeric GENERATED ALWAYS AS (qty * 2.5) STORED, doc jsonb, path ltree, at timestamptz DEFAULT '2026-02-01 00:00+00');
CREATE INDEX ON ord (cust_id) WHERE qty > 3; CREATE INDEX ON ord USING gin (doc);
CREATE TABLE part (id int, at date NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);
CREATE TABLE part_2a PARTITION OF part_2 FOR VALUES IN (1, 2, 3, 32, 33, 34);
CREATE TABLE part_d PARTITION OF part DEFAULT;
CREATE TABLE hashed (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (modulus 2, remainder 1);
CREATE TABLE "Odd Schema"."Odd Table" ("Id" int PRIMARY KEY, "select" text, "a""b" text);
CREATE TABLE nokey (a int, b text COLLATE "C");
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, v text);
CREATE TABLE guarded (id int PRIMARY KEY, who text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON guarded USING (who = current_user) WITH CHECK (id < 100); CREATE POLICY seen ON guarded FOR SELECT TO mesh_reader USING (true);
CREATE TABLE names (name text COLLATE nocase PRIMARY KEY, v int);
CREATE TABLE c_keys (k text COLLATE "C", l varchar(9) COLLATE german, v int, PRIMARY KEY (k, l));
CREATE TABLE moods (m mood PRIMARY KEY, v int);
CREATE TABLE texts (id int PRIMARY KEY, body text, v tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED);
CREATE VIEW v_ord AS SELECT o.id, o.qty, c.name FROM ord o JOIN cust c ON c.id = o.cust_id;
CREATE VIEW v_checked AS SELECT id, qty FROM ord WHERE qty > 1 WITH LOCAL CHECK OPTION;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, name FROM cust;
CREATE MATERIALIZED VIEW counts AS SELECT c.name, count(*) AS n FROM ord JOIN cust c ON c.id = cust_id GROUP BY 1;
CREATE UNIQUE INDEX ON counts (name);
CREATE RULE none AS ON INSERT TO v_ord DO INSTEAD NOTHING;
CREATE TRIGGER dates BEFORE INSERT OR UPDATE ON cust FOR EACH ROW EXECUTE FUNCTION dated();
CREATE STATISTICS both_columns (dependencies) ON cust_id, qty FROM ord;
CREATE PROCEDURE bump(i int) LANGUAGE plpgsql AS $$ BEGIN UPDATE ord SET qty = qty + 1 WHERE id = i; END $$;
CREATE FUNCTION orders_of(i int) RETURNS SETOF ord LANGUAGE sql STABLE AS $$ SELECT * FROM ord WHERE cust_id = i $$;
CREATE TEXT SEARCH CONFIGURATION mine (COPY = english);
COMMENT ON TABLE ord IS 'the orders';
DO $later$ DECLARE major int := current_setting('server_version_num')::int / 10000; BEGIN
  IF major >= 14 THEN EXECUTE $sql$
    CREATE TYPE days AS RANGE (subtype = date, multirange_type_name = many_days);
    CREATE TABLE ranges (id int PRIMARY KEY, m int4multirange, d many_days, z text COMPRESSION pglz);
    CREATE FUNCTION next_of(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x + 1; END;
    CREATE PROCEDURE four(OUT x int) LANGUAGE plpgsql AS 'BEGIN x := 4; END';
    CREATE STATISTICS doubled ON (qty * 2) FROM ord $sql$; END IF;
  IF major >= 15 THEN EXECUTE $sql$
    CREATE TABLE nulls (id int PRIMARY KEY, a int UNIQUE NULLS NOT DISTINCT);
    CREATE VIEW v_invoker WITH (security_invoker) AS SELECT * FROM ord;
    CREATE TABLE partly (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a) REFERENCES cust ON DELETE SET NULL (a)) $sql$; END IF;
  IF major >= 16 THEN EXECUTE $sql$ CREATE COLLATION ruled (provider = icu, locale = 'und', rules = '&a < b') $sql$; END IF;
  IF major >= 17 THEN EXECUTE $sql$
    CREATE TABLE numbered (id int GENERATED BY DEFAULT AS IDENTITY, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE numbered_1 PARTITION OF numbered FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') $sql$; END IF;
  IF major >= 18 THEN EXECUTE $sql$
    CREATE TABLE virtuals (id int PRIMARY KEY, a int NOT NULL, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);
    CREATE TABLE spans (id int, at int4range, PRIMARY KEY (id, at WITHOUT OVERLAPS));
    ALTER TABLE virtuals ADD CONSTRAINT low CHECK (a < 1000) NOT ENFORCED $sql$; END IF;
END $later$;`

export const OBJECT_KINDS_DATA = `
INSERT INTO cust (mail, name, a, tags, h, fl, span) SELECT 'c' || i || '@x.org', 'n' || i, ('s' || i, i)::place, ARRAY['t' || i], hstore('k', i::text), floats(i, i + 1),
  int4range(i * 10, i * 10 + 5) FROM generate_series(1, 60) i;
INSERT INTO ord (cust_id, qty, price, doc, path) SELECT 1 + i % 60, 1 + i % 7, i, jsonb_build_object('i', i), ('a.b' || i)::ltree FROM generate_series(1, 240) i;
INSERT INTO part SELECT i, '2026-01-01'::date + i, 'p' || i FROM generate_series(1, 80) i WHERE i < 31 OR i > 60;
INSERT INTO hashed SELECT i, 'h' || i FROM generate_series(1, 50) i;
INSERT INTO "Odd Schema"."Odd Table" VALUES (1, 'a', 'b'), (2, 'c', 'd');
INSERT INTO nokey SELECT i % 3, 'x' || i FROM generate_series(1, 10) i; INSERT INTO unlogged VALUES (1, 'u');
INSERT INTO guarded VALUES (1, 'app'), (2, 'other'); INSERT INTO names VALUES ('Anna', 1), ('Bert', 2); INSERT INTO moods VALUES ('sad', 1), ('happy', 3);
INSERT INTO c_keys SELECT 'k' || i % 4, 'l' || i, i FROM generate_series(1, 12) i; INSERT INTO texts (id, body) VALUES (1, 'running dogs');
REFRESH MATERIALIZED VIEW counts;
DO $later$ DECLARE major int := current_setting('server_version_num')::int / 10000; BEGIN
  IF major >= 14 THEN INSERT INTO ranges VALUES (1, '{[1,3),[5,7)}', '{[2026-01-01,2026-02-01)}', 'z'); END IF;
  IF major >= 15 THEN INSERT INTO nulls VALUES (1, NULL); INSERT INTO partly VALUES (1, 7, 8); END IF;
  IF major >= 17 THEN INSERT INTO numbered VALUES (50, '2026-03-01'); END IF;
  IF major >= 18 THEN INSERT INTO virtuals VALUES (1, 5); INSERT INTO spans VALUES (1, '[1,5)'); END IF;
END $later$;`

/** Statements over them, in this order. Each is one that an ordinary client may send. */
export const OBJECT_KINDS_STATEMENTS: readonly string[] = `
SELECT id, mail, name, m, a, tags, h->'k', updated, fl, span FROM cust WHERE id < 4 ORDER BY id
SELECT count(*), min(name), max(name) FROM cust
SELECT name FROM cust ORDER BY name LIMIT 5
SELECT name FROM cust WHERE name > 'n7' ORDER BY name COLLATE "C" DESC LIMIT 3
SELECT id FROM cust WHERE mail = 'C5@X.org'
SELECT id FROM cust WHERE m === 1
SELECT id FROM cust WHERE h @> 'k=>7' OR span @> 55 OR (a).no = 9
SELECT id FROM cust WHERE similarity(name, 'n17') > 0.5 OR name % 'n18' ORDER BY id
SELECT id, total, price, path FROM ord WHERE path <@ 'a.b7' OR doc @> '{"i": 9}' ORDER BY id
SELECT cust_id, count(*), sum(total) FROM ord GROUP BY 1 ORDER BY 1 LIMIT 3
SELECT count(*) FROM part
SELECT * FROM part WHERE at = '2026-01-05'
SELECT count(*), max(v) FROM hashed
SELECT * FROM "Odd Schema"."Odd Table" ORDER BY "Id"
SELECT * FROM nokey ORDER BY b
SELECT * FROM unlogged
SELECT * FROM guarded
SELECT * FROM names WHERE name = 'anna'
SELECT * FROM c_keys WHERE k = 'k2' ORDER BY l
SELECT * FROM moods WHERE m > 'sad'
SELECT id FROM texts WHERE v @@ to_tsquery('run')
SELECT * FROM v_ord ORDER BY id LIMIT 2
SELECT * FROM v_checked ORDER BY id LIMIT 2
SELECT * FROM v_barrier ORDER BY id LIMIT 1
SELECT * FROM counts ORDER BY name LIMIT 2
SELECT * FROM orders_of(3) ORDER BY id LIMIT 1
SELECT total(qty), add1(3), encode(digest('a', 'md5'), 'hex') FROM ord
BEGIN
UPDATE cust SET name = 'Ärger', m = 'sad' WHERE id = 2 RETURNING id, updated
UPDATE ord SET qty = 99 WHERE id IN (5, 6) RETURNING id, total
DELETE FROM cust WHERE id = 4 RETURNING id
SELECT count(*) FROM ord WHERE cust_id = 4
INSERT INTO cust (mail, name) VALUES ('c5@X.ORG', 'dup') ON CONFLICT (mail) DO UPDATE SET name = 'upserted' RETURNING id, name
INSERT INTO names VALUES ('ANNA', 5) ON CONFLICT (name) DO UPDATE SET v = 7 RETURNING *
UPDATE names SET v = v + 1 WHERE name = 'aNNa' RETURNING *
SELECT * FROM names ORDER BY v
DELETE FROM names WHERE name = 'bert'
SELECT * FROM names
UPDATE c_keys SET v = 0 WHERE (k, l) = ('k1', 'l5') RETURNING *
INSERT INTO c_keys VALUES ('k1', 'l9', 9) ON CONFLICT (k, l) DO UPDATE SET v = 90 RETURNING *
SELECT * FROM c_keys ORDER BY k, l
UPDATE moods SET v = 9 WHERE m = 'happy' RETURNING *
INSERT INTO moods VALUES ('ok', 2)
SELECT * FROM moods ORDER BY m
UPDATE part SET v = 'x', at = '2026-02-02' WHERE id = 3 RETURNING *
DELETE FROM hashed WHERE id = 7
SELECT count(*) FROM hashed
UPDATE nokey SET a = 5 WHERE b = 'x3'
SELECT count(*) FROM nokey WHERE a = 5
UPDATE "Odd Schema"."Odd Table" SET "a""b" = 'z' WHERE "Id" = 1 RETURNING *
UPDATE texts SET body = 'cats' RETURNING v
CALL bump(7)
SELECT qty FROM ord WHERE id = 7
UPDATE cust SET h = h || 'x=>1', a.no = 77, tags = tags || 'new' WHERE id = 9 RETURNING h, a, tags
SELECT id FROM cust WHERE (a).no = 77 AND h ? 'x'
MERGE INTO unlogged u USING (VALUES (1, 'm'), (9, 'n')) s (id, v) ON u.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)
SELECT * FROM unlogged ORDER BY id
SELECT name FROM cust ORDER BY name LIMIT 3
SELECT name FROM cust WHERE name < 'n1' ORDER BY name DESC LIMIT 3
SELECT count(*) FROM cust c JOIN ord o ON o.cust_id = c.id WHERE c.name = 'upserted'
REFRESH MATERIALIZED VIEW counts
SELECT count(*) FROM counts
UPDATE guarded SET who = 'app' WHERE id = 2
UPDATE guarded SET id = 5 WHERE id = 1 RETURNING *
ROLLBACK
INSERT INTO cust (mail, name) VALUES ('bad', 'x')
INSERT INTO cust (mail, name, span) VALUES ('q@x', 'x', '[52,53]')
INSERT INTO cust (mail, name) VALUES ('C9@x.org', 'x')
INSERT INTO names VALUES ('BERT', 1)
INSERT INTO c_keys VALUES ('k1', 'l5', 1)
INSERT INTO ord (cust_id, qty) VALUES (9999, 1)
INSERT INTO ord (cust_id, qty) VALUES (1, -1)
INSERT INTO v_checked (id, qty) VALUES (9999, 1)
INSERT INTO guarded VALUES (100, 'app')
`
  .trim()
  .split('\n')

/** Those over what there is since a major. */
export const LATER_STATEMENTS: readonly (readonly [major: number, statements: readonly string[]])[] = [
  [
    14,
    [
      'SELECT * FROM ranges WHERE m @> 2',
      `SELECT id FROM ranges WHERE d @> '2026-01-05'::date`,
      'SELECT next_of(3)',
      'CALL four(NULL)',
      `UPDATE ranges SET m = '{[9,10)}' RETURNING *`,
      'SELECT * FROM ranges',
    ],
  ],
  [
    15,
    [
      'INSERT INTO nulls VALUES (2, NULL)',
      'SELECT count(*) FROM v_invoker',
      'DELETE FROM cust WHERE id = 7',
      'SELECT * FROM partly',
    ],
  ],
  [
    17,
    [
      'SELECT * FROM numbered',
      `INSERT INTO numbered (at) VALUES ('2026-05-01') RETURNING at`,
      `UPDATE numbered SET at = '2026-06-01' WHERE id = 50 RETURNING *`,
    ],
  ],
  [
    18,
    [
      'SELECT * FROM virtuals WHERE b = 10',
      'UPDATE virtuals SET a = 2000 RETURNING *',
      `INSERT INTO spans VALUES (1, '[3,9)')`,
      `UPDATE spans SET at = '[1,9)' RETURNING *`,
    ],
  ],
]
