import { DATA, SCHEMA, TABLES } from '../differential-schema.ts'

/**
 * The schema of the overlay's own test, and what a client has beside: a sequence, a table without a key, one that refers to itself, uuid
 * keys, partitions, documents with arrays and jsonb, a domain, triggers before and after, by row and by statement.
 */
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
  UPDATE c SET v = (SELECT sum(v) FROM c x WHERE x.id IN (one, other)) - v WHERE id IN (one, other); END $$;
CREATE DOMAIN size AS int CHECK (VALUE >= 0);
CREATE TABLE doc (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tags text[] NOT NULL DEFAULT '{}', body jsonb, at timestamptz, size size, note varchar(8));
CREATE TABLE note (doc_id bigint DEFAULT 1 REFERENCES doc ON UPDATE CASCADE ON DELETE SET DEFAULT DEFERRABLE, who text, words int NOT NULL, CONSTRAINT note_key PRIMARY KEY (doc_id, who));
CREATE FUNCTION trimmed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.size > 900 THEN RETURN NULL; END IF; NEW.note := left(NEW.note, 8); RETURN NEW; END $$;
CREATE TRIGGER trims BEFORE INSERT OR UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION trimmed();
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log (what) SELECT TG_OP || count(*) || ':' || coalesce(sum(words), 0) FROM changed; RETURN NULL; END $$;
CREATE TRIGGER counts_deleted AFTER DELETE ON note REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION counted();
CREATE FUNCTION words_of(which bigint) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT sum(words) FROM note WHERE doc_id = which $$;
CREATE FUNCTION retag(which bigint, tag text) RETURNS SETOF doc LANGUAGE plpgsql AS $$ BEGIN
  RETURN QUERY UPDATE doc SET tags = array_append(tags, tag) WHERE id = which RETURNING *; END $$;`

export const PROXY_DATA = `${DATA}
INSERT INTO bare SELECT i, 'b' || i FROM generate_series(1, 25) i;
INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 12) i;
INSERT INTO u SELECT md5(i::text)::uuid, 'n' || i FROM generate_series(0, 11) i;
INSERT INTO m SELECT i, '2026-01-01'::date + i, i FROM generate_series(1, 25) i;
INSERT INTO log (what) SELECT 'old' || i FROM generate_series(1, 5) i;
INSERT INTO doc (tags, body, at, size, note) SELECT ARRAY['t' || i % 3, 'odd'], jsonb_build_object('k', i % 4, 'list', jsonb_build_array(i, i + 1)),
  '2026-03-01 12:00:00+00'::timestamptz + i * interval '7 hours', i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO note SELECT 1 + i % 15, 'w' || i % 4, i FROM generate_series(1, 30) i;`

export const PROXY_TABLES: Readonly<Record<string, string>> = {
  ...TABLES,
  bare: 'a, b',
  tree: 'id',
  u: 'id',
  m: 'id, at',
  doc: 'id',
  note: 'doc_id, who, words',
}

/** The overlay's sequences are past production's by a gap: both sides begin at the same place. */
export const SAME_SEQUENCES = `SELECT setval('ticket', 7), setval('log_id_seq', 100), setval('r_id_seq', 100), setval('doc_id_seq', 100)`
