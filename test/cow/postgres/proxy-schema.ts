import { DATA, SCHEMA, TABLES } from './differential-schema.ts'

/** The schema of the overlay's own test, and what a client has beside: a sequence, a table without a key, one that refers to itself, uuid keys, partitions. */
export const PROXY_SCHEMA = `${SCHEMA}
CREATE SEQUENCE ticket;
CREATE TABLE bare (a int, b text);
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE DEFERRABLE);
CREATE TABLE u (id uuid PRIMARY KEY, name text);
CREATE TABLE m (id int, at date, n int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2026-01-01') TO ('2026-01-16');
CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM ('2026-01-16') TO ('2026-02-01');
CREATE VIEW vp AS SELECT id, code, n FROM p WHERE n > -500;
CREATE PROCEDURE swap(one int, other int) LANGUAGE plpgsql AS $$ BEGIN
  UPDATE c SET v = (SELECT sum(v) FROM c x WHERE x.id IN (one, other)) - v WHERE id IN (one, other); END $$;`

export const PROXY_DATA = `${DATA}
INSERT INTO bare SELECT i, 'b' || i FROM generate_series(1, 25) i;
INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 12) i;
INSERT INTO u SELECT md5(i::text)::uuid, 'n' || i FROM generate_series(0, 11) i;
INSERT INTO m SELECT i, '2026-01-01'::date + i, i FROM generate_series(1, 25) i;
INSERT INTO log (what) SELECT 'old' || i FROM generate_series(1, 5) i;`

export const PROXY_TABLES: Readonly<Record<string, string>> = {
  ...TABLES,
  bare: 'a, b',
  tree: 'id',
  u: 'id',
  m: 'id, at',
}

/** The overlay's sequences are past production's by a gap: both sides begin at the same place. */
export const SAME_SEQUENCES = `SELECT setval('ticket', 7), setval('log_id_seq', 100), setval('r_id_seq', 100)`
