import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import {
  BACKEND,
  copyData,
  copyDone,
  readCommandComplete,
  readErrorFields,
} from '../../../../src/wire/postgres/backend.ts'
import { query } from '../../../../src/wire/postgres/frontend.ts'
import { type CowProxy, startCowProxy } from '../../../support/cow-proxy.ts'

const SCHEMA = `
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, balance int NOT NULL DEFAULT 0);
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, total numeric(10, 2), note text);
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'new');
CREATE VIEW rich AS SELECT * FROM users WHERE balance > 900;
CREATE FUNCTION pay(who bigint, amount int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN UPDATE users SET balance = balance - amount WHERE id = who; RETURN (SELECT balance FROM users WHERE id = who); END $$;`
const DATA = `
INSERT INTO users SELECT i, 'u' || i || '@x.io', 'user ' || i, i * 10 FROM generate_series(1, 100) i;
INSERT INTO orders (user_id, total, note) SELECT 1 + i % 100, i, 'o' || i FROM generate_series(1, 500) i;
INSERT INTO jobs SELECT i FROM generate_series(1, 20) i;`

let proxy: CowProxy
let before: string

beforeAll(async () => {
  proxy = await startCowProxy(SCHEMA, DATA)
  before = await proxy.upstreamHash()
})

afterAll(async () => {
  await proxy?.close()
})

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: proxy.url })
  await client.connect()
  return client
}

/** Copies rows in, as psql does; gives the tag, or the SQLSTATE of what went wrong. */
async function copyIn(text: string, rows: string): Promise<string> {
  const address = { host: '127.0.0.1', port: proxy.port }
  const connection = await connectServer({ address, user: 'app', database: 'shop' }, new AbortController().signal)
  const outcome = await new Promise<string>((resolve) => {
    let said = ''
    connection.onMessage((frame) => {
      if (frame.piece !== undefined) return
      if (frame.type === BACKEND.copyInResponse) {
        connection.write(copyData(Buffer.from(rows)))
        connection.write(copyDone())
      } else if (frame.type === BACKEND.errorResponse) said = readErrorFields(frame.payload).code
      else if (frame.type === BACKEND.commandComplete) said = readCommandComplete(frame.payload)
      else if (frame.type === BACKEND.readyForQuery) resolve(said)
    })
    connection.write(query(text))
  })
  connection.destroy()
  return outcome
}

/** Returns once some session waits for another's lock. */
async function waitUntilBlocked(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted')
    if ((rows[0]?.n ?? 0) > 0) return
  }
}

describe('a text that is too long to be looked at', () => {
  it('is refused as a whole, though PostgreSQL would take it, and leaves the session', async () => {
    const client = await connect()
    const condition = Array.from({ length: 20_000 }, (_, place) => `id <> ${place} + 1000000`).join(' AND ')
    const update = `UPDATE jobs SET state = 'long' WHERE id = 3 AND ${condition}`
    const extended = { text: update, queryMode: 'extended' }
    for (const query of [update, extended, `SELECT 1; ${update}`]) {
      await expect(client.query(query)).rejects.toMatchObject({ code: '54000', hint: 'Send it in parts, or use COPY.' })
      await client.query('BEGIN')
      await expect(client.query(query)).rejects.toMatchObject({ code: '54000' })
      await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' })
      await client.query('ROLLBACK')
    }
    expect((await client.query('SELECT state FROM jobs WHERE id = 3')).rows).toEqual([{ state: 'new' }])
    await client.end()
  })
})

describe('a session', () => {
  it('reads production, writes beside it, and reads its own writes', async () => {
    const client = await connect()
    expect((await client.query('SELECT count(*)::int AS n FROM users')).rows).toEqual([{ n: 100 }])
    const updated = await client.query('UPDATE users SET name = $1 WHERE id = $2 RETURNING id, name', ['Ada', 7])
    expect([updated.rowCount, updated.rows]).toEqual([1, [{ id: '7', name: 'Ada' }]])
    expect((await client.query(`DELETE FROM orders WHERE user_id = 3`)).rowCount).toBe(5)
    expect((await client.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 495 }])
    expect((await client.query('SELECT name FROM users WHERE id IN (6, 7) ORDER BY id')).rows).toEqual([
      { name: 'user 6' },
      { name: 'Ada' },
    ])
    await client.end()
    expect(await proxy.upstreamHash()).toBe(before)
  })

  it('updates a row that another client held: what it waited for is found again', async () => {
    const [holder, waiter] = [await connect(), await connect()]
    await holder.query('BEGIN')
    await holder.query('UPDATE users SET balance = 1 WHERE id = 21')
    const waiting = waiter.query('UPDATE users SET balance = balance + 1 WHERE id = 21 RETURNING balance')
    await waitUntilBlocked(holder)
    await holder.query('COMMIT')
    expect((await waiting).rows).toEqual([{ balance: 2 }])
    await Promise.all([holder.end(), waiter.end()])
  })

  it('runs several statements of one simple query as one transaction, the ones that write prepared for', async () => {
    const client = await connect()
    const results = await client.query(
      `UPDATE users SET balance = 1 WHERE id = 11; SELECT balance FROM users WHERE id = 11; DELETE FROM jobs WHERE id = 20`,
    )
    const [first, second, third] = Array.isArray(results) ? results : []
    expect([first?.rowCount, second?.rows, third?.rowCount]).toEqual([1, [{ balance: 1 }], 1])
    await expect(client.query(`UPDATE users SET balance = 2 WHERE id = 12; SELECT 1 / 0`)).rejects.toThrow(
      'division by zero',
    )
    expect((await client.query('SELECT balance FROM users WHERE id = 12')).rows).toEqual([{ balance: 120 }])
    await client.end()
  })

  it('rolls back what a client rolls back, production rows included', async () => {
    const client = await connect()
    await client.query('BEGIN')
    await client.query('UPDATE users SET balance = 0 WHERE id BETWEEN 30 AND 39')
    await client.query('SAVEPOINT s')
    await client.query('DELETE FROM users WHERE id = 31')
    await client.query('ROLLBACK TO s')
    expect((await client.query('SELECT sum(balance)::int AS s FROM users WHERE id BETWEEN 30 AND 39')).rows).toEqual([
      { s: 0 },
    ])
    await client.query('ROLLBACK')
    expect((await client.query('SELECT balance FROM users WHERE id = 31')).rows).toEqual([{ balance: 310 }])
    await client.end()
  })

  it('gives the errors of a plain PostgreSQL: constraints, syntax with its position, a failed transaction', async () => {
    const client = await connect()
    const failure = async (text: string, values: unknown[] = []): Promise<unknown[]> => {
      const error: unknown = await client.query(text, values).catch((thrown: unknown) => thrown)
      return error instanceof pg.DatabaseError ? [error.code, error.position, error.constraint] : ['none', error, '']
    }
    expect(await failure(`INSERT INTO users VALUES (500, 'u9@x.io')`)).toEqual(['23505', undefined, 'users_email_key'])
    expect(await failure(`INSERT INTO orders (id, user_id) VALUES (9000, 12345)`)).toEqual([
      '23503',
      undefined,
      'orders_user_id_fkey',
    ])
    expect(await failure('SELEC 1')).toEqual(['42601', '1', undefined])
    expect(await failure('UPDATE users SET balanc = 1 WHERE id = 1')).toEqual(['42703', '18', undefined])
    expect(await failure('UPDATE users SET balance = 1 WHERE idd = $1', [1])).toEqual(['42703', '36', undefined])
    expect(await failure('SELECT * FROM users TABLESAMPLE SYSTEM (10)')).toEqual([
      '0A000',
      expect.anything(),
      undefined,
    ])
    await client.query('BEGIN')
    expect(await failure('UPDATE nothing SET x = 1')).toEqual(['42P01', '8', undefined])
    expect(await failure('UPDATE users SET balance = 1 WHERE id = 1')).toEqual(['25P02', undefined, undefined])
    await client.query('ROLLBACK')
    await client.end()
  })

  it('upserts over a row of production', async () => {
    const client = await connect()
    const upsert = `INSERT INTO users VALUES ($1, $2, 'new') ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id, name`
    expect((await client.query(upsert, [900, 'u40@x.io'])).rows).toEqual([{ id: '40', name: 'new' }])
    expect((await client.query(upsert, [901, 'nobody@x.io'])).rows).toEqual([{ id: '901', name: 'new' }])
    await client.end()
  })

  it('follows writes of functions and cascades', async () => {
    const client = await connect()
    expect((await client.query('DELETE FROM users WHERE id = 50')).rowCount).toBe(1)
    expect((await client.query('SELECT count(*)::int AS n FROM orders WHERE user_id = 50')).rows).toEqual([{ n: 0 }])
    await client.end()
    expect(await proxy.upstreamHash()).toBe(before)
  })

  it('lets workers take different jobs with SKIP LOCKED', async () => {
    const workers = await Promise.all([connect(), connect(), connect()])
    const taken: number[] = []
    await Promise.all(
      workers.map(async (worker) => {
        for (;;) {
          await worker.query('BEGIN')
          const job = await worker.query<{ id: number }>(
            `SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`,
          )
          const id = job.rows[0]?.id
          if (id !== undefined) {
            taken.push(id)
            await worker.query(`UPDATE jobs SET state = 'done' WHERE id = $1`, [id])
          }
          await worker.query('COMMIT')
          if (id === undefined) break
        }
      }),
    )
    expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 19 }, (_, index) => index + 1))
    await Promise.all(workers.map((worker) => worker.end()))
  })

  it('serves postgres.js: pipelined, prepared by name, in transactions, with a cursor', async () => {
    const sql = postgres(proxy.url, { max: 3, onnotice: () => undefined })
    const rows = await Promise.all(
      Array.from(
        { length: 40 },
        (_, index) => sql`UPDATE users SET balance = ${index} WHERE id = ${60 + (index % 10)} RETURNING id`,
      ),
    )
    expect(rows.every((found) => found.length === 1)).toBe(true)
    const total = await sql.begin(async (transaction) => {
      await transaction`INSERT INTO users ${sql([{ id: 777, email: 'c@x.io', name: 'c', balance: 5 }])}`
      const [found] = await transaction`SELECT balance FROM users WHERE id = 777`
      return found?.['balance'] as number
    })
    expect(total).toBe(5)
    let seen = 0
    for await (const part of sql`SELECT id FROM orders ORDER BY id`.cursor(50)) seen += part.length
    expect(seen).toBeGreaterThan(400)
    await sql.end()
  })

  it('takes COPY in and gives COPY out, checked against the rows of production', async () => {
    const sql = postgres(proxy.url, { max: 1, onnotice: () => undefined })
    await pipeline(
      Readable.from(['801\ta@x.io\tA\t1\n', '802\tb@x.io\tB\t2\n']),
      await sql`COPY users FROM STDIN`.writable(),
    )
    expect(await sql`SELECT name FROM users WHERE id > 800 AND id < 803 ORDER BY id`).toMatchObject([
      { name: 'A' },
      { name: 'B' },
    ])
    expect(await copyIn('COPY users FROM STDIN', '803\tu2@x.io\tC\t1\n')).toBe('23505')
    expect(await copyIn('COPY users (id, email) FROM STDIN (FORMAT csv)', '804,d@x.io\n805,e@x.io\n')).toBe('COPY 2')
    expect(await sql`SELECT count(*)::int AS n FROM users WHERE id = 803`).toMatchObject([{ n: 0 }])
    let text = ''
    for await (const chunk of await sql`COPY users TO STDOUT`.readable()) text += String(chunk)
    expect(text).toContain('u2@x.io')
    expect(text).toContain('b@x.io')
    await sql.end()
  })

  it('truncates what is production’s and takes it back on ROLLBACK', async () => {
    const client = await connect()
    await client.query('BEGIN; TRUNCATE jobs')
    expect((await client.query('SELECT count(*)::int AS n FROM jobs')).rows).toEqual([{ n: 0 }])
    await client.query('ROLLBACK')
    expect((await client.query('SELECT count(*)::int AS n FROM jobs')).rows).toEqual([{ n: 19 }])
    await client.end()
  })

  it('cancels what runs', async () => {
    const sql = postgres(proxy.url, { max: 1 })
    const watcher = await connect()
    const slow = sql`SELECT pg_sleep(50)`.execute()
    for (let running = 0; running === 0;) {
      const found = await watcher.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(50)%' AND pid <> pg_backend_pid()`,
      )
      running = found.rows[0]?.n ?? 0
    }
    slow.cancel()
    await expect(slow).rejects.toThrow('canceling statement due to user request')
    expect(await sql`SELECT 1 AS one`).toMatchObject([{ one: 1 }])
    await Promise.all([sql.end(), watcher.end()])
  })

  it('refuses a statement that would copy up more rows than it may, and says how to go on', async () => {
    const client = await connect()
    for (const branch of await proxy.engine.branches()) Object.assign(branch.limits, { maxCopyUpRows: 10 })
    const error: unknown = await client.query(`UPDATE orders SET note = 'x'`).catch((thrown: unknown) => thrown)
    for (const branch of await proxy.engine.branches()) Object.assign(branch.limits, { maxCopyUpRows: 50_000 })
    expect(error).toMatchObject({ code: '54000', hint: expect.stringContaining('--max-copy-up-rows') })
    await client.end()
  })

  it('runs DDL on the branch and finds the new table', async () => {
    const client = await connect()
    await client.query('CREATE TABLE notes (id int PRIMARY KEY, text text)')
    await client.query(`INSERT INTO notes VALUES (1, 'a'); UPDATE notes SET text = 'b' WHERE id = 1`)
    expect((await client.query('SELECT text FROM notes')).rows).toEqual([{ text: 'b' }])
    await client.query('DROP TABLE notes')
    await client.end()
  })

  it('has left production as it was', async () => {
    expect(await proxy.upstreamHash()).toBe(before)
  })
})
