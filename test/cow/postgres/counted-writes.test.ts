import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compiled } from '../../replay/compiled.ts'
import { resultOf, SideBySide } from '../../support/side-by-side.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, at timestamptz, tags text[], raw bytea, took interval);
CREATE TABLE parts (item_id int REFERENCES items ON DELETE CASCADE, no int, "What" text, PRIMARY KEY (item_id, no));
CREATE TABLE heap (id int, what text);
CREATE TABLE notes (id int PRIMARY KEY, item_id int, note text);
CREATE VIEW big AS SELECT id, name AS label, n, twice FROM items WHERE n > 5;
CREATE VIEW labels AS SELECT name AS label, n FROM items;
CREATE VIEW kept AS SELECT id, n FROM items WHERE n < 100 WITH CHECK OPTION;
CREATE FUNCTION upsert(which int, what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  UPDATE items SET name = what WHERE id = which;
  IF NOT FOUND THEN INSERT INTO items (id, name) VALUES (which, what); RETURN 'inserted'; END IF;
  RETURN 'updated'; END $$;
CREATE FUNCTION moved(lowest int) RETURNS int LANGUAGE plpgsql AS $$ DECLARE counted int; BEGIN
  UPDATE items SET n = n + 1 WHERE id >= lowest; GET DIAGNOSTICS counted = ROW_COUNT; RETURN counted; END $$;
CREATE FUNCTION taken(which int) RETURNS items LANGUAGE plpgsql AS $$ DECLARE gone items; BEGIN
  DELETE FROM items WHERE id = which RETURNING * INTO gone; RETURN gone; END $$;
CREATE FUNCTION tagged(lowest int) RETURNS SETOF items LANGUAGE plpgsql AS $$ BEGIN
  RETURN QUERY UPDATE items SET tags = array_append(tags, 'it''s, "so"'), raw = raw || '\\x5c00'::bytea WHERE id >= lowest RETURNING *; END $$;
CREATE FUNCTION renumbered() RETURNS SETOF parts LANGUAGE sql AS $$ UPDATE parts SET no = no + 10 WHERE item_id < 3 RETURNING * $$;
CREATE FUNCTION notes_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  BEGIN
    UPDATE notes SET note = TG_OP || ' ' || OLD.name WHERE item_id = OLD.id;
    IF OLD.id = 8 THEN PERFORM 1 / 0; END IF;
  EXCEPTION WHEN division_by_zero THEN DELETE FROM notes WHERE item_id = OLD.id; END;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  NEW.name := upper(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER follows BEFORE UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION notes_follow();
CREATE FUNCTION emptied() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE notes; RETURN (SELECT count(*) FROM notes); END $$;
CREATE FUNCTION emptied_all() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE items RESTART IDENTITY CASCADE; RETURN (SELECT count(*) FROM parts); END $$;
CREATE FUNCTION emptied_heap() RETURNS void LANGUAGE sql AS 'TRUNCATE heap';`

const DATA = `
INSERT INTO items (id, name, n, at, tags, raw, took) SELECT i, 'i' || i, i, '2026-02-03 04:05:06.789+00'::timestamptz + i * interval '1 day', ARRAY['a', NULL], '\\x00ff', i * interval '1 day 2 hours' FROM generate_series(1, 12) i;
INSERT INTO parts SELECT i, p, 'p' || p FROM generate_series(1, 4) i, generate_series(1, 2) p;
INSERT INTO notes SELECT i, i, 'note ' || i FROM generate_series(1, 12) i;
INSERT INTO heap VALUES (1, 'h');`

/** Writes whose text mesh does not change: rows of production count, and are returned, as on a plain database. */
const SCENARIOS: readonly { readonly title: string; readonly statements: readonly string[] }[] = [
  {
    title: 'functions that ask what they changed',
    statements: [
      `SELECT upsert(3, 'c')`,
      `SELECT upsert(3, 'd')`,
      `SELECT upsert(77, 'e')`,
      `SELECT moved(9)`,
      `SELECT moved(11)`,
      `SELECT * FROM taken(4)`,
      `SELECT * FROM taken(4)`,
      `SELECT * FROM taken(8)`,
      `SELECT id, name, n, twice, at, tags, raw, took FROM tagged(9) ORDER BY id`,
      `SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Tokyo'`,
      `SELECT * FROM tagged(5) ORDER BY id`,
      `RESET ALL`,
      `SELECT * FROM renumbered() ORDER BY 1, 2`,
      `SELECT * FROM renumbered() ORDER BY 1, 2`,
      `DO $$ BEGIN UPDATE items SET n = 0 WHERE id = 2; IF NOT FOUND THEN RAISE 'not found'; END IF; END $$`,
      `SELECT * FROM items ORDER BY id`,
      `SELECT * FROM notes ORDER BY id`,
    ],
  },
  {
    title: 'writes through views',
    statements: [
      `UPDATE big SET n = n + 1 WHERE id IN (5, 6, 7) RETURNING *`,
      `UPDATE big SET label = 'x' WHERE n > 9`,
      `DELETE FROM big WHERE id = 9 RETURNING id, twice, label`,
      `UPDATE labels SET n = -1 WHERE label = 'i2' RETURNING label, n`,
      `DELETE FROM labels WHERE label IN ('i1', 'i3')`,
      `UPDATE kept SET n = 500 WHERE id = 10`,
      `UPDATE kept SET n = 50 WHERE id = 10 RETURNING n`,
      `SELECT * FROM items ORDER BY id`,
      `SELECT * FROM parts ORDER BY item_id, no`,
    ],
  },
  {
    title: 'writes that SQL prepares',
    statements: [
      `PREPARE w (int, int) AS UPDATE items SET n = $2 WHERE id = $1 RETURNING id, n, twice, name`,
      `EXECUTE w (2, 40)`,
      `EXECUTE w (3, 41)`,
      `EXECUTE w (300, 41)`,
      `PREPARE x AS DELETE FROM parts WHERE no = 2 RETURNING "What", item_id`,
      `EXECUTE x`,
      `EXECUTE x`,
      `DEALLOCATE ALL`,
      `SELECT * FROM items ORDER BY id`,
    ],
  },
  {
    title: 'tables that have another name in the transaction',
    statements: [
      `ALTER TABLE items RENAME TO things`,
      `UPDATE things SET n = n + 1 WHERE id < 4 RETURNING *`,
      `ALTER TABLE things RENAME COLUMN name TO title`,
      `UPDATE things SET n = n + 1 WHERE id IN (4, 5) RETURNING *`,
      `ALTER TABLE things ADD COLUMN one int DEFAULT 7, ADD COLUMN other int DEFAULT 7`,
      `UPDATE things SET other = 8 WHERE id IN (6, 7) RETURNING *`,
      `DELETE FROM things WHERE id = 10 RETURNING id, one, other`,
      `SELECT * FROM things ORDER BY id`,
    ],
  },
  {
    title: 'TRUNCATE in functions',
    statements: [
      `UPDATE notes SET note = 'mine' WHERE id = 2`,
      `SELECT emptied()`,
      `INSERT INTO notes VALUES (1, 1, 'again') RETURNING *`,
      `SELECT * FROM notes`,
      `SELECT emptied()`,
      `DO $$ BEGIN TRUNCATE items; END $$`,
      `SELECT emptied_all()`,
      `SELECT count(*) FROM items`,
      `INSERT INTO items (id, n) VALUES (3, 3) RETURNING id, twice`,
      `SELECT * FROM parts`,
    ],
  },
]

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

async function told(client: pg.Client, text: string): Promise<unknown> {
  try {
    return await resultOf(client, text)
  } catch (error) {
    const { code, message } = error as pg.DatabaseError
    return { code, message }
  }
}

describe('rows of production that are written where mesh does not see the statement', () => {
  let sides: SideBySide
  let own: pg.Client
  let plain: pg.Client

  beforeAll(async () => {
    sides = await SideBySide.start(thread(), SCHEMA, DATA, 100)
    ;({ own, plain } = sides)
  })
  afterAll(() => sides?.close())

  it.each(SCENARIOS.flatMap((each) => ['READ COMMITTED', 'REPEATABLE READ'].map((level) => ({ ...each, level }))))(
    'are counted and returned: $title, $level',
    async ({ statements, level }) => {
      const [mine, theirs] = await sides.outcomes(statements, told, `BEGIN ISOLATION LEVEL ${level}`)
      expect(mine).toEqual(theirs)
      for (const client of [own, plain]) await client.query('RESET ALL')
    },
  )

  it('says what TRUNCATE inside a function cannot empty', async () => {
    await expect(own.query('SELECT emptied_heap()')).rejects.toMatchObject({
      code: '55000',
      hint: 'Outside of a function TRUNCATE empties it.',
    })
    expect((await own.query('TRUNCATE heap')).command).toBe('TRUNCATE')
  })

  it('leaves production as it was', async () => {
    expect(await sides.hash()).toBe(sides.hashAtStart)
  })
})
