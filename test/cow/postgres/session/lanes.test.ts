import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, balance int NOT NULL DEFAULT 0);
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, total numeric(10, 2), note text);
CREATE TABLE moods (id int PRIMARY KEY, mood mood, at timestamptz DEFAULT '2026-01-02 03:04:05+00');
CREATE TABLE tokens (id uuid PRIMARY KEY, code text);
CREATE TABLE names (name text PRIMARY KEY, n int);
CREATE TABLE lines (order_id int, line int, sku text, PRIMARY KEY (order_id, line));
CREATE TABLE log (what text);
CREATE FUNCTION pay(who bigint, amount int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN UPDATE users SET balance = balance - amount WHERE id = who; RETURN (SELECT balance FROM users WHERE id = who); END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.sku); RETURN NEW; END $$;
CREATE TRIGGER told AFTER INSERT ON lines FOR EACH ROW EXECUTE FUNCTION tell();`
const DATA = `
INSERT INTO users SELECT i, 'u' || i || '@x.io', 'user ' || i, i * 10 FROM generate_series(1, 100) i;
INSERT INTO orders (user_id, total, note) SELECT 1 + i % 100, i, 'o' || i FROM generate_series(1, 500) i;
INSERT INTO moods SELECT i, (ARRAY['sad', 'glad'])[1 + i % 2]::mood FROM generate_series(1, 20) i;
INSERT INTO tokens SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 't' || i FROM generate_series(1, 20) i;
INSERT INTO names SELECT 'n' || i, i FROM generate_series(1, 20) i;
INSERT INTO lines SELECT i / 5, i % 5, 's' || i FROM generate_series(1, 50) i;`

let proxy: GatedProxy
let before: string

beforeAll(async () => {
  proxy = await startGatedProxy(SCHEMA, DATA)
  before = await proxy.upstreamHash()
})

afterAll(async () => {
  await proxy?.close()
})

describe('reads of clean tables', () => {
  it('run on production as they are: simple, with parameters, and prepared', async () => {
    const client = await connectTo(proxy.url)
    const text = 'SELECT id, name FROM users WHERE id = $1'
    expect(
      await proxy.passedBy(async () => {
        expect((await client.query('SELECT count(*)::int AS n FROM users')).rows).toEqual([{ n: 100 }])
        for (const id of [1, 2, 3]) {
          expect((await client.query(text, [id])).rows).toEqual([{ id: String(id), name: `user ${id}` }])
          expect((await client.query({ name: 'by id', text, values: [id] })).rows).toHaveLength(1)
        }
      }),
    ).toBe(7)
    await client.end()
  })
})

describe('a write', () => {
  it('is seen by the next read of every session, through keys and through whole tables', async () => {
    const [writer, reader] = [await connectTo(proxy.url), await connectTo(proxy.url)]
    const byKey = 'SELECT name FROM users WHERE id = $1'
    expect((await reader.query(byKey, [5])).rows).toEqual([{ name: 'user 5' }])
    await writer.query(`UPDATE users SET name = 'Ada' WHERE id = 5`)
    expect((await writer.query(byKey, [5])).rows).toEqual([{ name: 'Ada' }])
    expect((await reader.query(byKey, [5])).rows).toEqual([{ name: 'Ada' }])
    expect(await proxy.passedBy(() => reader.query(byKey, [6]))).toBe(1)
    expect(await proxy.passedBy(() => reader.query(byKey, [5]))).toBe(0)
    expect((await reader.query(`SELECT count(*)::int AS n FROM users WHERE name = 'Ada'`)).rows).toEqual([{ n: 1 }])
    await Promise.all([writer.end(), reader.end()])
  })
})

describe('a transaction whose first query ran on production', () => {
  it.each([
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'START TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    'SET transaction_isolation = serializable',
  ])('takes no other isolation level any more: %s', async (text) => {
    const client = await connectTo(proxy.url)
    // Settings are known then, and nothing is asked of the overlay inside the transaction.
    await client.query('SELECT count(*) FROM names')
    await client.query('BEGIN')
    expect(await proxy.passedBy(() => client.query('SELECT count(*) FROM names'))).toBe(1)
    await expect(client.query(text)).rejects.toMatchObject({ code: '25001' })
    await client.query('ROLLBACK')
    expect((await client.query('SELECT count(*)::int AS n FROM names')).rows).toEqual([{ n: 20 }])
    await client.end()
  })
})

/** What a client sees of a statement: rows, columns with their numbers, tag; or the error. */
async function seen(client: pg.Client, text: string, values?: unknown[]): Promise<unknown> {
  try {
    const result = await client.query({ text, rowMode: 'array', ...(values === undefined ? {} : { values }) })
    const fields = result.fields.map(({ name, tableID, columnID, dataTypeID, dataTypeModifier, format }) => {
      return [name, tableID, columnID, dataTypeID, dataTypeModifier, format]
    })
    return { rows: result.rows, fields, tag: [result.command, result.rowCount] }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    const { severity, code, message, detail, hint, position } = error
    return { severity, code, message, detail, hint, position }
  }
}

describe('a passed statement', () => {
  it.each<[string, unknown[]?]>([
    ['SELECT * FROM orders ORDER BY id LIMIT 3'],
    ['SELECT o.id, o.total * 2 AS double, count(*) OVER () FROM orders o WHERE user_id = $1 ORDER BY 1', [7]],
    ['SELECT t.code, n.n FROM tokens t JOIN names n ON n.name = t.code OR n.n = 3 ORDER BY 1, 2'],
    ['SELECT id, at FROM moods WHERE id < 4 ORDER BY id'],
    [`SELECT count(*) FROM moods WHERE mood = 'glad'`],
    [`SELECT count(*) FROM moods WHERE mood = $1`, ['sad']],
    [
      'SELECT total::float8 / 3, total::text, at FROM orders, moods WHERE orders.id = moods.id ORDER BY orders.id LIMIT 2',
    ],
    ['  /* a comment */ SELECT code FROM tokens WHERE id = $1 ; ', ['00000000-0000-0000-0000-000000000003']],
    ['SELECT code FROM tokens WHERE false'],
    ['SELECT 1 / (total - total) FROM orders'],
    ['SELECT nothing FROM orders'],
    ['SELECT id FROM orders WHERE note = 5'],
    ['SELECT id FROM orders WHERE id = $1', ['abc']],
    [`SELECT id FROM moods WHERE mood = 'angry'`],
    [`SELECT total::int FROM orders WHERE note::int > 3`],
    ['SELECT sum(total) FROM orders GROUP BY 1'],
    ['SELECT id FROM orders WHERE id IN (SELECT user_id, id FROM orders)'],
    ['SELECT id FROM orders o WHERE id = $1 AND user_id = $2', [1]],
  ])('gives rows, columns and errors as the overlay does: %s', async (text, values) => {
    const [here, there] = [await connectTo(proxy.url), await connectTo(proxy.overlayUrl)]
    for (const client of [here, there]) await client.query(`SET TimeZone = 'Asia/Tokyo'`)
    expect(await seen(here, text, values)).toEqual(await seen(there, text, values))
    await Promise.all([here.end(), there.end()])
  })

  it('fails the transaction that it is in, and leaves the session as it was outside of one', async () => {
    const client = await connectTo(proxy.url)
    const failing = 'SELECT 1 / (total - total) FROM orders'
    await expect(client.query(failing)).rejects.toMatchObject({ code: '22012' })
    expect((await client.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 500 }])
    await client.query('BEGIN')
    expect(await proxy.passedBy(() => client.query('SELECT id FROM orders WHERE id = 1'))).toBe(1)
    await expect(client.query(`${failing} WHERE id = $1`, [1])).rejects.toMatchObject({ code: '22012' })
    await expect(client.query('SELECT id FROM orders WHERE id = 1')).rejects.toMatchObject({ code: '25P02' })
    await client.query('ROLLBACK')
    expect((await client.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 500 }])
    await client.end()
  })

  it('runs under the settings of its session, however they were set', async () => {
    const client = await connectTo(proxy.url)
    const text = 'SELECT at::text AS at FROM moods WHERE id = 1'
    const at = async (): Promise<unknown> => (await client.query<{ at: string }>(text)).rows[0]?.at
    await client.query(`SET TimeZone = 'UTC'`)
    expect(await at()).toBe('2026-01-02 03:04:05+00')
    await client.query(`DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$`)
    expect(await proxy.passedBy(async () => expect(await at()).toBe('2026-01-02 12:04:05+09'))).toBe(1)
    await client.query('BEGIN')
    await client.query(`SET LOCAL TimeZone = 'America/New_York'; SET LOCAL DateStyle = 'German'`)
    expect(await proxy.passedBy(async () => expect(await at()).toBe('01.01.2026 22:04:05 EST'))).toBe(1)
    await client.query('ROLLBACK')
    expect(await at()).toBe('2026-01-02 12:04:05+09')
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect(await proxy.passedBy(at)).toBe(0)
    await client.query('COMMIT')
    expect(await proxy.passedBy(at)).toBe(1)
    await client.end()
  })
})

describe('marks', () => {
  it('are made for writes of functions, triggers and cascades', async () => {
    const client = await connectTo(proxy.url)
    await client.query('SELECT pay(9, 5)')
    expect((await client.query('SELECT balance FROM users WHERE id = 9')).rows).toEqual([{ balance: 85 }])
    await client.query('DELETE FROM users WHERE id = 50')
    expect((await client.query('SELECT count(*)::int AS n FROM orders WHERE user_id = 50')).rows).toEqual([{ n: 0 }])
    const told = `SELECT what FROM log WHERE what = 'told'`
    expect((await client.query(told)).rows).toEqual([])
    await client.query(`INSERT INTO lines VALUES (90, 1, 'told')`)
    expect((await client.query(told)).rows).toEqual([{ what: 'told' }])
    await client.end()
  })

  it('are made for keys of several columns, text and uuid, in text and in binary', async () => {
    const client = await connectTo(proxy.url)
    const sku = 'SELECT sku FROM lines WHERE order_id = $1 AND line = $2'
    await client.query(`UPDATE lines SET sku = 'new' WHERE order_id = 2 AND line = 3`)
    expect((await client.query(sku, [2, 3])).rows).toEqual([{ sku: 'new' }])
    expect(
      await proxy.passedBy(async () => expect((await client.query(sku, [2, 4])).rows).toEqual([{ sku: 's14' }])),
    ).toBe(1)
    await client.query(`UPDATE names SET n = 0 WHERE name = 'n3'; UPDATE names SET name = 'other' WHERE name = 'n4'`)
    const n = 'SELECT n FROM names WHERE name = $1'
    for (const [name, rows] of [
      ['n3', [{ n: 0 }]],
      ['n4', []],
      ['other', [{ n: 4 }]],
      ['n5', [{ n: 5 }]],
    ] as const) {
      expect((await client.query(n, [name])).rows).toEqual(rows)
    }
    const token = '00000000-0000-0000-0000-00000000000'
    await client.query(`DELETE FROM tokens WHERE id = '${token}7'`)
    const sql = postgres(proxy.url, { max: 1 })
    expect(await sql`SELECT code FROM tokens WHERE id = ${`${token}7`}`).toEqual([])
    expect(await sql`SELECT code FROM tokens WHERE id = ${`${token}8`}`).toMatchObject([{ code: 't8' }])
    await Promise.all([client.end(), sql.end()])
  })

  it('stay after a rollback, and a prepared statement goes on when its table becomes dirty', async () => {
    const client = await connectTo(proxy.url)
    const text = 'SELECT note FROM orders WHERE id = $1'
    const read = async (id: number): Promise<unknown> => (await client.query({ name: 'note', text, values: [id] })).rows
    const whole = async (): Promise<unknown> =>
      (await client.query({ name: 'all', text: `SELECT count(*)::int AS n FROM orders WHERE note = 'x'` })).rows
    expect([await read(8), await whole()]).toEqual([[{ note: 'o8' }], [{ n: 0 }]])
    await client.query('BEGIN')
    await client.query(`UPDATE orders SET note = 'x' WHERE id = 8`)
    expect([await read(8), await read(9), await whole()]).toEqual([[{ note: 'x' }], [{ note: 'o9' }], [{ n: 1 }]])
    await client.query('ROLLBACK')
    expect([await read(8), await whole()]).toEqual([[{ note: 'o8' }], [{ n: 0 }]])
    expect(await proxy.passedBy(() => read(8))).toBe(0)
    expect(await proxy.passedBy(() => read(9))).toBe(1)
    await client.end()
  })
})

describe('a branch that is opened again', () => {
  it('knows what was touched before: by keys, and as a whole where there is no key', async () => {
    const writer = await connectTo(proxy.url)
    await writer.query(`UPDATE users SET name = 'Eve' WHERE id = 70; INSERT INTO log VALUES ('again')`)
    await writer.end()
    const client = await connectTo(await proxy.reopen())
    const name = 'SELECT name FROM users WHERE id = $1'
    expect((await client.query(name, [70])).rows).toEqual([{ name: 'Eve' }])
    expect((await client.query(name, [71])).rows).toEqual([{ name: 'user 71' }])
    expect((await client.query(`SELECT what FROM log WHERE what = 'again'`)).rows).toEqual([{ what: 'again' }])
    await client.end()
  })
})

describe('DDL', () => {
  it('of a text, a function or another session is seen by the next read', async () => {
    const [client, other] = [await connectTo(proxy.url), await connectTo(proxy.url)]
    const read = async (who: pg.Client): Promise<unknown> =>
      (await who.query('SELECT * FROM moods WHERE id = 1')).fields.length
    expect([await read(client), await read(other)]).toEqual([3, 3])
    await client.query(`DO $$ BEGIN ALTER TABLE moods RENAME TO old_moods; CREATE TABLE moods (id int); END $$`)
    expect([await read(client), await read(other)]).toEqual([1, 1])
    await client.query('BEGIN')
    await client.query(`CREATE FUNCTION upper(int) RETURNS text LANGUAGE sql AS $$ SELECT 'own' $$`)
    expect(
      await proxy.passedBy(() => client.query('SELECT upper(sku) FROM lines WHERE order_id = 9 AND line = 1')),
    ).toBe(0)
    await client.query('ROLLBACK')
    await client.query('CREATE TEMP TABLE names (name text, n int)')
    expect((await client.query('SELECT count(*)::int AS n FROM names')).rows).toEqual([{ n: 0 }])
    await other.query(`DO $$ BEGIN CREATE TEMP TABLE tokens (id int); END $$`)
    expect((await other.query('SELECT count(*)::int AS n FROM tokens')).rows).toEqual([{ n: 0 }])
    await Promise.all([client.end(), other.end()])
  })
})

describe('rights', () => {
  it('are those of the client on the branch, not of the role that reads production', async () => {
    const url = proxy.url.replace('app@', 'other@')
    const client = await connectTo(url)
    await expect(client.query('SELECT * FROM names')).rejects.toMatchObject({ code: '42501' })
    await client.end()
  })
})

describe('production', () => {
  it('is as it was', async () => {
    expect(await proxy.upstreamHash()).toBe(before)
  })
})
