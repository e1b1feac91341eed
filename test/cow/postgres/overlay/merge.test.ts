import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OverlayPair, startOverlayPair } from '../../../support/overlay-pair.ts'

const SCHEMA = `
CREATE TYPE status AS ENUM ('new', 'paid');
CREATE DOMAIN email AS text CHECK (value LIKE '%@%');
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email email UNIQUE, name text NOT NULL);
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint REFERENCES users, st status NOT NULL DEFAULT 'new',
  total numeric(10, 2) NOT NULL CHECK (total >= 0), gross numeric GENERATED ALWAYS AS (total * 2) STORED, note text);
CREATE TABLE lines (order_id bigint REFERENCES orders ON DELETE CASCADE, "Pos" int, kind text, PRIMARY KEY (order_id, "Pos"));
CREATE TABLE tags (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), order_id bigint REFERENCES orders ON DELETE SET NULL, label text);
CREATE TABLE events (at timestamptz, what text);
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Order ""x""" ("Kind" text, base_row int, "select" text, PRIMARY KEY ("Kind", base_row));
CREATE UNIQUE INDEX users_name_low ON users (lower(name)) WHERE name <> 'dup';
CREATE VIEW paid AS SELECT id, total FROM orders WHERE st = 'paid';
CREATE FUNCTION order_label(o orders) RETURNS text LANGUAGE sql STABLE AS $$ SELECT o.id || ':' || o.total $$;
CREATE FUNCTION count_orders(lowest bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ DECLARE n bigint; BEGIN
  EXECUTE 'SELECT count(*) FROM orders WHERE id >= $1' INTO n USING lowest; RETURN n; END $$;
CREATE FUNCTION set_note(wanted bigint, what text) RETURNS void LANGUAGE sql AS $$ UPDATE orders SET note = what WHERE id = wanted $$;
CREATE FUNCTION drop_order(wanted bigint) RETURNS void LANGUAGE sql AS $$ DELETE FROM orders WHERE id = wanted $$;
`

const DATA = `
INSERT INTO users (email, name) SELECT 'u' || i || '@x.io', 'name ' || i FROM generate_series(1, 100) AS i;
INSERT INTO orders (user_id, st, total, note) SELECT i, CASE i % 2 WHEN 0 THEN 'paid' ELSE 'new' END::status, i, 'n' || i FROM generate_series(1, 100) AS i;
INSERT INTO lines SELECT i, p, 'k' || p FROM generate_series(1, 100) AS i, generate_series(1, 3) AS p;
INSERT INTO tags (order_id, label) SELECT i, 't' || i FROM generate_series(1, 20) AS i;
INSERT INTO events SELECT now(), 'e' || i FROM generate_series(1, 10) AS i;
INSERT INTO "Odd Schema"."Order ""x""" SELECT 'k' || i, i, 'v' FROM generate_series(1, 10) AS i;
`

describe('the merged schema, by SQL alone', () => {
  let pair: OverlayPair
  let app: pg.Client
  let hash: string

  beforeAll(async () => {
    pair = await startOverlayPair(SCHEMA, DATA)
    hash = await pair.upstreamHash()
    app = await pair.app()
    await app.query(`SELECT setval('users_id_seq', 1000000), setval('orders_id_seq', 1000000)`)
  })
  afterAll(async () => {
    await app?.end()
    await pair?.close()
  })

  const rows = async (text: string, client = app): Promise<unknown[]> =>
    (await client.query({ text, rowMode: 'array' })).rows
  const copyUp = async (table: string, keys: unknown[][], client = app): Promise<void> => {
    const id = pair.catalog.tables.get(table)?.id
    await client.query(`SELECT mesh.fault_in(${id}, $1)`, [JSON.stringify(keys.map((key) => key.map(String)))])
  }
  const failure = async (text: string, client = app): Promise<Record<string, unknown>> =>
    client.query(text).then(
      () => ({}),
      (error: pg.DatabaseError) => ({ code: error.code, message: error.message, detail: error.detail }),
    )

  it('knows every table with its key, whatever its name', () => {
    const odd = pair.catalog.tables.get('Odd Schema.Order "x"')
    expect(odd?.keyColumns.map(({ name }) => name)).toEqual(['Kind', 'base_row'])
    expect([...pair.catalog.tables.keys()].sort()).toEqual([
      'Odd Schema.Order "x"',
      'public.events',
      'public.lines',
      'public.orders',
      'public.tags',
      'public.users',
    ])
    expect(pair.catalog.tables.get('public.users')?.columns[0]).toMatchObject({ name: 'id', identity: 'a' })
    expect(pair.catalog.tables.get('public.lines')?.uniques).toEqual([['order_id', 'Pos']])
  })

  it('reads production through tables, views, functions, row types, cursors and groups by a key', async () => {
    expect(await rows('SELECT count(*), sum(total) FROM orders')).toEqual([['100', '5050.00']])
    expect(await rows('SELECT count(*) FROM paid')).toEqual([['50']])
    expect(await rows('SELECT id, note, count(*) FROM orders GROUP BY id ORDER BY id LIMIT 1')).toEqual([
      ['1', 'n1', '1'],
    ])
    expect(await rows('SELECT order_label(o), o.order_label, gross FROM orders o WHERE id = 5')).toEqual([
      ['5:5.00', '5:5.00', '10.00'],
    ])
    expect(await rows('SELECT count_orders(91)')).toEqual([['10']])
    expect(await rows(`SELECT "select" FROM "Odd Schema"."Order ""x""" WHERE "Kind" = 'k3'`)).toEqual([['v']])
    expect(
      await rows(
        'SELECT u.email, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id ORDER BY u.id LIMIT 1',
      ),
    ).toEqual([['u1@x.io', '1']])
  })

  it('updates and deletes copies, and hides the base rows under them', async () => {
    await copyUp('public.orders', [[5], [6], [6]])
    expect((await app.query(`UPDATE ONLY orders SET note = 'changed' WHERE id = 5 RETURNING note`)).rows).toEqual([
      { note: 'changed' },
    ])
    expect(await rows('SELECT id, note FROM orders WHERE id IN (4, 5, 6) ORDER BY id')).toEqual([
      ['4', 'n4'],
      ['5', 'changed'],
      ['6', 'n6'],
    ])
    await copyUp('public.lines', [
      [5, 1],
      [5, 2],
      [9, 1],
    ])
    expect((await app.query('DELETE FROM ONLY lines WHERE order_id = 5 AND "Pos" = 2')).rowCount).toBe(1)
    expect(await rows('SELECT count(*) FROM lines')).toEqual([['299']])
    expect(await rows('SELECT "Pos" FROM lines WHERE order_id = 5 ORDER BY 1')).toEqual([[1], [3]])
  })

  it("refuses a key, and a unique value, that a base row has, in PostgreSQL's own words", async () => {
    expect(await failure(`INSERT INTO orders (id, total) VALUES (33, 1)`)).toEqual({
      code: '23505',
      message: 'duplicate key value violates unique constraint "orders_pkey"',
      detail: undefined,
    })
    expect(await failure(`INSERT INTO users (email, name) VALUES ('u7@x.io', 'z')`)).toMatchObject({
      code: '23505',
      message: 'duplicate key value violates unique constraint "users_email_key"',
    })
    expect(await failure(`INSERT INTO users (email, name) VALUES ('z@x.io', 'NAME 8')`)).toMatchObject({
      code: '23505',
      message: 'duplicate key value violates unique constraint "users_name_low"',
    })
    expect(
      (await app.query(`INSERT INTO users (email, name) VALUES ('u9@x.io', 'z') ON CONFLICT DO NOTHING`)).rowCount,
    ).toBe(0)
    const upsert = `INSERT INTO users (email, name) VALUES ('u10@x.io', 'z') ON CONFLICT (email) DO UPDATE SET name = 'upserted' RETURNING id, name`
    expect(await rows(upsert)).toEqual([['10', 'upserted']])
    expect(await rows(`SELECT name FROM users WHERE id IN (8, 9, 10) ORDER BY id`)).toEqual([
      ['name 8'],
      ['name 9'],
      ['upserted'],
    ])
  })

  it('finds base parents and base children of foreign keys', async () => {
    const made = await rows(`INSERT INTO orders (user_id, total) VALUES (55, 1) RETURNING user_id, gross`)
    expect(made).toEqual([['55', '2.00']])
    expect(await failure(`INSERT INTO orders (user_id, total) VALUES (99999, 1)`)).toMatchObject({
      code: '23503',
      message: expect.stringMatching(/orders_user_id_fkey/),
    })
    await copyUp('public.users', [[60]])
    expect(await failure(`DELETE FROM ONLY users WHERE id = 60`)).toMatchObject({
      code: '23503',
      message: expect.stringMatching(/orders_user_id_fkey/),
    })
    await copyUp('public.orders', [[12]])
    expect((await app.query(`DELETE FROM ONLY orders WHERE id = 12`)).rowCount).toBe(1)
    expect(await rows(`SELECT count(*) FROM lines WHERE order_id = 12`)).toEqual([['0']])
    expect(await rows(`SELECT order_id FROM tags WHERE label = 't12'`)).toEqual([[null]])
  })

  it('moves rows that functions write without a rewritten text', async () => {
    await rows(`SELECT set_note(40, 'by function')`)
    expect(await rows(`SELECT note FROM orders WHERE id = 40`)).toEqual([['by function']])
    await rows(`SELECT drop_order(41)`)
    expect(await rows(`SELECT count(*) FROM orders WHERE id = 41`)).toEqual([['0']])
    expect(await rows(`SELECT count(*) FROM lines WHERE order_id = 41`)).toEqual([['0']])
    await rows(`UPDATE orders SET note = 'loose' WHERE id IN (40, 42)`)
    expect(await rows(`SELECT note FROM orders WHERE id IN (40, 42)`)).toEqual([['loose'], ['loose']])
  })

  it('takes everything back at a rollback, and keeps keys that were copied up out of the way', async () => {
    await app.query('BEGIN')
    await copyUp('public.orders', [[70]])
    await app.query('DELETE FROM ONLY orders WHERE id = 70')
    await app.query(`INSERT INTO orders (id, total) VALUES (70, 7)`)
    expect(await rows('SELECT total FROM orders WHERE id = 70')).toEqual([['7.00']])
    await app.query('ROLLBACK')
    expect(await rows('SELECT total FROM orders WHERE id = 70')).toEqual([['70.00']])
  })

  it('copies up inside the transaction of a client that reads repeatably', async () => {
    await app.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await rows('SELECT 1 FROM orders WHERE id = 71')
    await copyUp('public.orders', [[71]])
    expect((await app.query(`UPDATE ONLY orders SET note = 'rr' WHERE id = 71`)).rowCount).toBe(1)
    await app.query('COMMIT')
    expect(await rows('SELECT note FROM orders WHERE id = 71')).toEqual([['rr']])
  })

  it('does not resurrect a key that one session deletes while another copies it up and a third rolls back', async () => {
    const [first, second, third] = await Promise.all([pair.app(), pair.app(), pair.app()])
    const id = pair.catalog.tables.get('public.orders')?.id
    await first.query('BEGIN')
    await copyUp('public.orders', [[80]], first)
    await first.query('DELETE FROM ONLY orders WHERE id = 80')
    await third.query('BEGIN')
    const late = third.query(`SELECT mesh.copy_up_${id}('[["80"]]')`)
    await first.query('COMMIT')
    await late
    await third.query('ROLLBACK')
    expect((await second.query(`SELECT mesh.copy_up_${id}('[["80"]]')`)).rows).toEqual([{ [`copy_up_${id}`]: '0' }])
    expect(await rows('SELECT count(*) FROM orders WHERE id = 80')).toEqual([['0']])
    await Promise.all([first.end(), second.end(), third.end()])
  })

  it('reports what is touched whatever the client wants to be told', async () => {
    const client = await pair.app()
    const notices: unknown[] = []
    client.on('notice', ({ code, message, detail }) => notices.push([code, message, detail]))
    const id = pair.catalog.tables.get('public.orders')?.id
    await client.query(`SET client_min_messages = error`)
    await client.query(`INSERT INTO orders (id, total) SELECT 500000 + i, 1 FROM generate_series(1, 3) AS i`)
    await client.query(`UPDATE ONLY orders SET id = 600001 WHERE id = 500001`)
    await client.query(`INSERT INTO orders (id, total) SELECT 700000 + i, 1 FROM generate_series(1, 200) AS i`)
    await client.query(
      `SELECT mesh.report(${id}, (SELECT jsonb_agg(jsonb_build_array(i::text)) FROM generate_series(1, 10001) AS i))`,
    )
    await client.query(`SELECT set_note(43, 'x')`)
    expect(notices).toEqual([
      ['MSH01', `mesh touched ${id}`, '[["500001"], ["500002"], ["500003"]]'],
      ['MSH01', `mesh touched ${id}`, '[["600001"]]'],
      ['MSH01', `mesh touched ${id}`, expect.stringMatching(/^\[\["700001"\], .*\["700200"\]\]$/)],
      ['MSH01', `mesh touched ${id}`, '*'],
      ['MSH01', `mesh touched ${id}`, '[["43"]]'],
    ])
    await client.end()
  })

  it('copies a table without a key whole before its rows change', async () => {
    const id = pair.catalog.tables.get('public.events')?.id
    expect(await failure(`DELETE FROM events WHERE what = 'e1'`)).toMatchObject({ code: '0A000' })
    expect(await failure(`SELECT mesh.hydrate(${id}, 5)`)).toMatchObject({ code: '54000' })
    await app.query(`INSERT INTO events VALUES (now(), 'mine')`)
    await app.query(`SELECT mesh.hydrate(${id})`)
    expect((await app.query(`DELETE FROM events WHERE what IN ('e1', 'mine')`)).rowCount).toBe(2)
    expect(await rows('SELECT count(*) FROM events')).toEqual([['9']])
  })

  it('truncates by cutting the table loose, until that is rolled back', async () => {
    const id = pair.catalog.tables.get('public.tags')?.id
    await app.query('BEGIN')
    await app.query(`SELECT mesh.detach(${id})`)
    await app.query('TRUNCATE ONLY tags')
    expect(await rows('SELECT count(*) FROM tags')).toEqual([['0']])
    await app.query('ROLLBACK')
    expect(await rows('SELECT count(*) FROM tags')).toEqual([['20']])
    const other = await pair.overlay.client('other', 'shop')
    expect(await failure(`SELECT mesh.detach(${id})`, other)).toMatchObject({ code: '42501' })
    await other.end()
  })

  it('says of its schemas and its role what they are', async () => {
    const said = `SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname LIKE 'mesh%' UNION ALL
      SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'mesh_copy'`
    const comments = await rows(said)
    expect(comments).toHaveLength(3)
    for (const comment of comments) expect(comment).toEqual([expect.stringMatching(/^mesh cow postgres: /)])
  })

  it('gives clients no way into what mesh added', async () => {
    expect(await failure('SELECT base_row FROM mesh.touched_1')).toMatchObject({ code: '42501' })
    expect(await failure('DELETE FROM mesh.touched_1')).toMatchObject({ code: '42501' })
    expect(await failure('SELECT * FROM mesh_base.b1')).toMatchObject({ code: '42501' })
    expect(await failure(`SELECT mesh.dblink_get_connections()`)).toMatchObject({ code: '42501' })
    expect(await failure(`SELECT mesh.autonomous(1, 'SELECT 1')`)).toMatchObject({ code: '42501' })
  })

  it('leaves production as it was', async () => {
    expect(await pair.upstreamHash()).toBe(hash)
  })
})
