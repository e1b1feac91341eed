export const PARTITION_SCHEMA = `
CREATE TABLE events (id int, at date NOT NULL, note text DEFAULT 'none', twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_02 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE kinds (id int PRIMARY KEY, name text);
CREATE TABLE sales (id int, kind text, kind_id int REFERENCES kinds, UNIQUE (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE sales_a PARTITION OF sales FOR VALUES IN ('a');
CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
CREATE TABLE logs (at timestamptz, level int, text text) PARTITION BY RANGE (at);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00') PARTITION BY LIST (level);
CREATE TABLE logs_1_low PARTITION OF logs_1 FOR VALUES IN (1, 2);
CREATE TABLE spread (id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE mixed (one text, two text, id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE mixed_1 (id int NOT NULL, gone int, two text, one text);
ALTER TABLE mixed_1 DROP COLUMN gone;
ALTER TABLE mixed ATTACH PARTITION mixed_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE heard (what text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO heard VALUES (TG_OP); RETURN NEW; END $$;
CREATE TRIGGER hears AFTER INSERT OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TABLE plain (id int);`

export const PARTITION_DATA = `
INSERT INTO events SELECT i, '2026-01-01'::date + i, 'n' || i FROM generate_series(1, 40) i;
TRUNCATE heard;
INSERT INTO mixed VALUES ('one', 'two', 1);
INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 5) i;
INSERT INTO sales SELECT i, (ARRAY['a', 'b', 'c'])[1 + i % 3], 1 + i % 5 FROM generate_series(1, 30) i;
INSERT INTO logs SELECT '2026-01-01 00:00+00'::timestamptz + i * interval '1 hour', 1 + i % 2, 'l' || i FROM generate_series(1, 20) i;`

/** Statements that give the same on a plain PostgreSQL and on a branch. */
export interface PartitionScenario {
  readonly title: string
  readonly statements: readonly string[]
}

export const PARTITION_SCENARIOS: readonly PartitionScenario[] = [
  {
    title: 'partitions whose columns are in another order than the root has them',
    statements: [
      `SELECT * FROM mixed_1`,
      `INSERT INTO mixed_1 VALUES (2, 'second', 'first') RETURNING *`,
      `SELECT * FROM mixed ORDER BY id`,
      `UPDATE mixed_1 SET (one, two) = ('1', '2') WHERE id = 1 RETURNING *`,
      `ALTER TABLE mixed RENAME COLUMN one TO uno`,
      `SELECT * FROM mixed_1 ORDER BY id`,
      `ALTER TABLE mixed ADD COLUMN more int DEFAULT 3`,
      `INSERT INTO mixed_1 VALUES (3, 'two', 'one', 4) RETURNING *`,
      `ALTER TABLE mixed ALTER COLUMN more TYPE bigint`,
      `SELECT * FROM mixed_1 ORDER BY id`,
      `CREATE TABLE mixed_2 (more bigint DEFAULT 3, two text, id int NOT NULL, uno text)`,
      `INSERT INTO mixed_2 VALUES (5, 'two', 105, 'one')`,
      `ALTER TABLE mixed ATTACH PARTITION mixed_2 FOR VALUES FROM (100) TO (200)`,
      `INSERT INTO mixed_2 VALUES (6, 'two', 106, 'one') RETURNING *`,
      `CREATE TABLE mixed_3 PARTITION OF mixed FOR VALUES FROM (200) TO (300)`,
      `INSERT INTO mixed_3 VALUES ('one', 'two', 206)`,
      `SELECT * FROM mixed_2 ORDER BY id`,
      `SELECT * FROM mixed_3 ORDER BY id`,
      `SELECT * FROM mixed ORDER BY id`,
      `ALTER TABLE mixed DROP COLUMN two`,
      `SELECT * FROM mixed_1 ORDER BY id`,
      `SELECT * FROM mixed_2 ORDER BY id`,
    ],
  },
  {
    title: 'a partition of its own',
    statements: [
      `INSERT INTO events VALUES (100, '2026-03-05')`,
      `CREATE TABLE events_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')`,
      `CREATE TABLE IF NOT EXISTS events_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')`,
      `CREATE TABLE events_03 PARTITION OF events FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
      `SELECT * FROM events_03`,
      `INSERT INTO events VALUES (100, '2026-03-05'), (101, '2026-01-05') RETURNING *`,
      `INSERT INTO events_03 VALUES (102, '2026-03-06') RETURNING id, twice`,
      `INSERT INTO events VALUES (100, '2026-03-05', 'again')`,
      `INSERT INTO events VALUES (100, '2026-03-05', 'again') ON CONFLICT (id, at) DO UPDATE SET note = excluded.note RETURNING note`,
      `INSERT INTO events VALUES (103, '2026-04-01')`,
      `UPDATE events SET at = at + 50 WHERE id IN (3, 4, 5) RETURNING id, at`,
      `UPDATE events SET at = at + 500 WHERE id = 7`,
      `SELECT * FROM events_03 ORDER BY id`,
      `SELECT * FROM events_01 ORDER BY id`,
      `SELECT count(*), min(at), max(at) FROM events`,
      `UPDATE events_03 SET note = note || '!' WHERE id > 100 RETURNING id, note`,
      `DELETE FROM events_03 WHERE id = 102 RETURNING id`,
      `SELECT id, at FROM events WHERE at >= '2026-03-01' ORDER BY id`,
      `DROP TABLE events_03`,
      `INSERT INTO events VALUES (104, '2026-03-05')`,
      `SELECT count(*), min(at), max(at) FROM events`,
      `SELECT * FROM events_03`,
      `DROP TABLE IF EXISTS events_03`,
    ],
  },
  {
    title: 'partitions that PostgreSQL refuses',
    statements: [
      `CREATE TABLE p PARTITION OF events FOR VALUES FROM ('2026-02-15') TO ('2026-04-01')`,
      `CREATE TABLE p PARTITION OF events FOR VALUES FROM ('2026-04-15') TO ('2026-04-01')`,
      `CREATE TABLE p PARTITION OF events FOR VALUES FROM ('nonsense') TO ('2026-04-01')`,
      `CREATE TABLE p PARTITION OF events FOR VALUES IN ('2026-04-01')`,
      `CREATE TABLE p PARTITION OF events FOR VALUES FROM ('2026-04-01', 1) TO ('2026-05-01', 2)`,
      `CREATE TABLE p PARTITION OF sales FOR VALUES IN ('a')`,
      `CREATE TABLE p PARTITION OF sales DEFAULT`,
      `CREATE TABLE p PARTITION OF plain DEFAULT`,
      `CREATE TABLE p PARTITION OF nowhere DEFAULT`,
      `CREATE TABLE nowhere.p PARTITION OF sales FOR VALUES IN ('z')`,
      `CREATE TABLE sales_a PARTITION OF sales FOR VALUES IN ('z')`,
      `ALTER TABLE plain ATTACH PARTITION events_01 DEFAULT`,
      `ALTER TABLE sales DETACH PARTITION events_01`,
      `ALTER TABLE events ATTACH PARTITION nowhere DEFAULT`,
      `SELECT count(*) FROM sales`,
    ],
  },
  {
    title: 'a DEFAULT partition that has such rows, or not',
    statements: [
      `CREATE TABLE sales_b PARTITION OF sales FOR VALUES IN ('b')`,
      `CREATE TABLE sales_d PARTITION OF sales FOR VALUES IN ('d', 'e', NULL)`,
      `INSERT INTO sales VALUES (90, 'd', 1), (91, 'e', 2), (92, 'f', 3), (93, NULL, 3)`,
      `INSERT INTO sales VALUES (94, 'd', 77)`,
      `SELECT * FROM sales_d ORDER BY id`,
      `SELECT * FROM sales_rest ORDER BY id`,
      `CREATE TABLE sales_f PARTITION OF sales FOR VALUES IN ('f')`,
      `DELETE FROM sales WHERE kind IN ('b', 'f')`,
      `CREATE TABLE sales_b PARTITION OF sales FOR VALUES IN ('b')`,
      `CREATE TABLE sales_f PARTITION OF sales FOR VALUES IN ('f')`,
      `INSERT INTO sales VALUES (2, 'f', 1) RETURNING *`,
      `UPDATE sales SET kind = 'b' WHERE id = 3 RETURNING *`,
      `SELECT * FROM sales_b ORDER BY id`,
      `SELECT * FROM sales_rest ORDER BY id`,
      `DELETE FROM kinds WHERE id = 1`,
      `CREATE TABLE events_rest PARTITION OF events DEFAULT`,
      `INSERT INTO events VALUES (300, '2030-01-01')`,
      `SELECT * FROM events_rest`,
      `CREATE TABLE events_30 PARTITION OF events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')`,
      `SELECT count(*) FROM events`,
    ],
  },
  {
    title: 'a table that becomes a partition, and goes again',
    statements: [
      `CREATE TABLE april (LIKE events INCLUDING ALL)`,
      `INSERT INTO april VALUES (200, '2026-04-02', 'x'), (201, '2026-05-02', 'y')`,
      `ALTER TABLE events ATTACH PARTITION april FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
      `DELETE FROM april WHERE id = 201`,
      `ALTER TABLE events ATTACH PARTITION april FOR VALUES FROM ('2026-02-01') TO ('2026-05-01')`,
      `ALTER TABLE events ATTACH PARTITION april FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
      `ALTER TABLE events ATTACH PARTITION april FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
      `SELECT * FROM april ORDER BY id`,
      `SELECT * FROM events WHERE id >= 200 ORDER BY id`,
      `INSERT INTO events VALUES (202, '2026-04-30') RETURNING *`,
      `INSERT INTO events VALUES (200, '2026-04-02')`,
      `SELECT count(*) FROM heard`,
      `ALTER TABLE events DETACH PARTITION april`,
      `SELECT * FROM april ORDER BY id`,
      `SELECT count(*) FROM events`,
      `INSERT INTO events VALUES (203, '2026-04-30')`,
      `INSERT INTO april VALUES (202, '2026-04-30')`,
      `INSERT INTO april VALUES (203, '2026-12-30') RETURNING *`,
      `UPDATE april SET note = 'free' RETURNING id, note`,
      `CREATE TABLE wrong (id int)`,
      `ALTER TABLE events ATTACH PARTITION wrong FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')`,
      `DROP TABLE april, wrong`,
      `SELECT count(*) FROM heard`,
    ],
  },
  {
    title: "production's partitions taken off, with what is read and written there",
    statements: [
      `UPDATE events SET note = 'mine' WHERE id IN (2, 35) RETURNING id`,
      `DELETE FROM events WHERE id = 3`,
      `ALTER TABLE events DETACH PARTITION events_01`,
      `SELECT count(*), sum(id), min(note) FROM events`,
      `SELECT * FROM events_01 ORDER BY id`,
      `UPDATE events_01 SET note = 'loose' WHERE id < 5 RETURNING *`,
      `INSERT INTO events VALUES (2, '2026-01-03')`,
      `DROP TABLE events_02`,
      `SELECT count(*) FROM events`,
      `ALTER TABLE events ATTACH PARTITION events_01 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`,
      `SELECT * FROM events ORDER BY id`,
      `INSERT INTO events VALUES (2, '2026-01-03')`,
      `UPDATE events SET note = 'again' WHERE id = 9 RETURNING *`,
      `DROP TABLE logs_1`,
      `SELECT count(*) FROM logs`,
      `ALTER TABLE sales DETACH PARTITION sales_a`,
      `INSERT INTO sales_a VALUES (77, 'z', 99)`,
      `INSERT INTO sales_a VALUES (77, 'z', 1) RETURNING *`,
      `INSERT INTO sales VALUES (78, 'a', 1) RETURNING *`,
      `SELECT * FROM sales ORDER BY id`,
      `DELETE FROM kinds WHERE id = 1`,
    ],
  },
  {
    title: 'partitions of partitions, and of hashes',
    statements: [
      `INSERT INTO logs VALUES ('2026-01-05 00:00+00', 3, 'x')`,
      `CREATE TABLE logs_1_high PARTITION OF logs_1 FOR VALUES IN (3, 4)`,
      `INSERT INTO logs VALUES ('2026-01-05 00:00+00', 3, 'x') RETURNING *`,
      `CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2026-02-01 00:00+00') TO (MAXVALUE) PARTITION BY LIST (level)`,
      `INSERT INTO logs VALUES ('2026-03-05 00:00+00', 3, 'y')`,
      `CREATE TABLE logs_2_all PARTITION OF logs_2 DEFAULT`,
      `INSERT INTO logs VALUES ('2026-03-05 00:00+00', 3, 'y') RETURNING *`,
      `SELECT * FROM logs_2`,
      `SELECT * FROM logs_2_all`,
      `SELECT * FROM logs_1_high`,
      `SELECT count(*) FROM logs_1`,
      `CREATE TABLE logs_2_5 PARTITION OF logs_2 FOR VALUES IN (3)`,
      `DROP TABLE logs_2`,
      `SELECT count(*) FROM logs`,
      `CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
      `INSERT INTO spread SELECT i FROM generate_series(1, 20) i`,
      `SELECT count(*) FROM spread_1`,
    ],
  },
  {
    title: 'columns of a partitioned table that a migration changes',
    statements: [
      `CREATE VIEW seen AS SELECT id, note FROM events_02`,
      `ALTER TABLE events ADD COLUMN extra int DEFAULT 5`,
      `SELECT * FROM events_01 ORDER BY id`,
      `UPDATE events_01 SET extra = 6 WHERE id = 3 RETURNING *`,
      `SELECT * FROM seen ORDER BY id`,
      `ALTER TABLE events ADD COLUMN IF NOT EXISTS extra int`,
      `ALTER TABLE events DROP COLUMN IF EXISTS nothing`,
      `ALTER TABLE events DROP COLUMN nothing`,
      `SELECT count(*) FROM events_01`,
      `ALTER TABLE events RENAME COLUMN note TO remark`,
      `SELECT remark, extra FROM events_01 WHERE id IN (3, 4) ORDER BY id`,
      `CREATE TABLE events_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')`,
      `INSERT INTO events (id, at, extra) VALUES (70, '2026-03-03', 8) RETURNING *`,
      `ALTER TABLE events DROP COLUMN extra`,
      `SELECT * FROM events_03`,
      `SELECT extra FROM events_01`,
      `SELECT * FROM events_02 ORDER BY id`,
      `ALTER TABLE events DETACH PARTITION events_03`,
      `SELECT * FROM events_03`,
      `SELECT count(*) FROM events`,
    ],
  },
  {
    title: 'partitioned tables of its own',
    statements: [
      `CREATE TABLE own (id int) PARTITION BY LIST (id)`,
      `CREATE TABLE own_1 PARTITION OF own FOR VALUES IN (1)`,
      `CREATE TABLE own_2 (id int)`,
      `ALTER TABLE own ATTACH PARTITION own_2 FOR VALUES IN (2)`,
      `INSERT INTO own VALUES (1), (2)`,
      `INSERT INTO own VALUES (3)`,
      `ALTER TABLE own DETACH PARTITION own_2`,
      `SELECT * FROM own_2`,
      `DROP TABLE own`,
    ],
  },
]
