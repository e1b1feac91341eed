import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type pg from 'pg'
import type { BranchStore } from '../../../../src/cow/postgres/branch/branch-store.ts'
import { resetBranch } from '../../../../src/cow/postgres/branch/reset.ts'
import { RowMask } from '../../../../src/cow/postgres/branch/row-mask.ts'
import { changesOf, openTestStore, statementsOf, stepsOf } from '../../../support/branch-stores.ts'
import { type CowProxy, startCowProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `
  CREATE TABLE users (id bigint PRIMARY KEY, name text, api_token text, profile jsonb, seen timestamptz, balance numeric);
  CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint REFERENCES users, note text,
    words int GENERATED ALWAYS AS (length(note)) STORED);
  CREATE TABLE places (country text, city text, size int, PRIMARY KEY (country, city));
  CREATE TABLE log (line text);`
const DATA = `
  INSERT INTO users SELECT i, 'user ' || i, 'secret-' || i, '{"password": "p", "age": 5}', '2026-01-01 12:00+00', 12345678901234567890.123456789
    FROM generate_series(1, 20) AS i;
  INSERT INTO orders (user_id, note) SELECT i, 'note' FROM generate_series(1, 20) AS i;
  INSERT INTO places VALUES ('de', 'Berlin', 3), ('de', 'Bonn', 1), ('fr', 'Paris', 2);
  INSERT INTO log VALUES ('a'), ('a'), ('b');`

let proxy: CowProxy
let store: BranchStore
let client: pg.Client

beforeAll(async () => {
  proxy = await startCowProxy(SCHEMA, DATA)
  store = await openTestStore(proxy)
  client = await connectTo(proxy.url)
  await client.query(`SELECT setval('orders_id_seq', 1000)`)
})

afterEach(async () => {
  await client.end()
  await resetBranch(store, { branch: '', tables: [], force: true })
  client = await connectTo(proxy.url)
})

afterAll(async () => {
  await client.end()
  await proxy.close()
})

describe('the diff of a branch', () => {
  it('has no step while nothing was written', async () => {
    await client.query('SELECT * FROM users')
    expect(await stepsOf(store)).toEqual([])
  })

  it('gives rows that were inserted, updated and deleted, with the image before', async () => {
    await client.query(`INSERT INTO places VALUES ('it', 'Rome', 9)`)
    await client.query(`UPDATE places SET size = 4 WHERE city = 'Berlin'`)
    await client.query(`DELETE FROM places WHERE city = 'Paris'`)
    expect(await changesOf(store)).toEqual([
      'updated places(de,Berlin) size:3>4',
      'deleted places(fr,Paris) country="fr" city="Paris" size=2',
      'inserted places(it,Rome) country="it" city="Rome" size=9',
    ])
  })

  it('leaves out rows that were copied up and are as they were, and rows that came and went', async () => {
    await client.query('SELECT * FROM users WHERE id = 3 FOR UPDATE')
    await client.query(`SET TimeZone = 'Asia/Tokyo'; SET bytea_output = 'escape'; SET extra_float_digits = -10`)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query('UPDATE users SET name = name WHERE id = 4')
    await client.query('COMMIT')
    await client.query(`INSERT INTO users (id) VALUES (100)`)
    await client.query('DELETE FROM users WHERE id = 100')
    expect(await stepsOf(store)).toEqual([])
  })

  it('keeps all digits of numbers', async () => {
    await client.query('UPDATE users SET balance = balance + 1 WHERE id = 1')
    expect(await changesOf(store)).toEqual([
      'updated users(1) balance:12345678901234567890.123456789>12345678901234567891.123456789',
    ])
  })

  it('gives a changed key as a deleted and an inserted row', async () => {
    await client.query(`UPDATE places SET city = 'Bonn am Rhein' WHERE city = 'Bonn'`)
    expect((await changesOf(store)).map((change) => change.split(' ').slice(0, 2).join(' '))).toEqual([
      'deleted places(de,Bonn)',
      'inserted places(de,Bonn',
    ])
  })

  it('tells the rows of a table without a key apart as a whole', async () => {
    await client.query(`INSERT INTO log VALUES ('c')`)
    expect(await changesOf(store)).toEqual(['inserted log() line="c"'])
    await client.query(`UPDATE log SET line = 'z' WHERE line = 'b'`)
    await client.query(`DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE line = 'a')`)
    expect((await changesOf(store)).toSorted()).toEqual([
      'deleted log() line="a"',
      'deleted log() line="b"',
      'inserted log() line="c"',
      'inserted log() line="z"',
    ])
  })

  it('says that a table was truncated, and gives what was inserted since', async () => {
    await client.query('TRUNCATE places')
    await client.query(`INSERT INTO places VALUES ('de', 'Berlin', 7)`)
    const steps = await stepsOf(store)
    expect(steps[0]).toMatchObject({ kind: 'table', table: { name: 'places', state: 'truncated' } })
    expect(await changesOf(store)).toEqual(['inserted places(de,Berlin) country="de" city="Berlin" size=7'])
  })

  it('is of the tables that are named', async () => {
    await client.query('DELETE FROM log')
    await client.query('DELETE FROM places')
    expect((await changesOf(store, 'public.places')).length).toBe(3)
    await expect(changesOf(store, 'nothing')).rejects.toThrow(/expected a table of the branch, found "nothing"/)
  })

  it('says which rows production has changed since, and how', async () => {
    await client.query(`UPDATE users SET name = 'mine' WHERE id <= 3`)
    await client.query(`INSERT INTO users (id) VALUES (200), (201)`)
    const production = await proxy.upstream.client('mesh_admin', 'shop')
    await production.query(`UPDATE users SET name = 'theirs', balance = 1 WHERE id = 2`)
    await production.query(`DELETE FROM orders WHERE user_id = 3`)
    await production.query(`DELETE FROM users WHERE id = 3`)
    await production.query('INSERT INTO users (id) VALUES (200)')
    const moved = (await stepsOf(store, { checkProduction: true })).flatMap((step) =>
      step.kind === 'moved' ? [step.row] : [],
    )
    await production.query('DELETE FROM users WHERE id = 200')
    await production.end()
    expect(moved).toEqual([
      { how: 'changed', key: ['2'], columns: ['balance', 'name'] },
      { how: 'deleted', key: ['3'], columns: [] },
      { how: 'taken', key: ['200'], columns: [] },
    ])
  })

  it("takes the default of a column that a migration added for no change of a row that was there before, and says that it is the branch's", async () => {
    await client.query(`UPDATE places SET size = 8 WHERE city = 'Bonn'`)
    await client.query(`SELECT * FROM places WHERE city = 'Berlin' FOR UPDATE`)
    await client.query(`DELETE FROM places WHERE city = 'Paris'`)
    await client.query('ALTER TABLE places ADD COLUMN grade numeric DEFAULT 1.50')
    await client.query('ALTER TABLE places ALTER COLUMN grade SET DEFAULT 2')
    const changes = await changesOf(store)
    await client.query(`UPDATE places SET grade = 2 WHERE city = 'Berlin'`)
    const text = await statementsOf(store)
    await client.query('ALTER TABLE places DROP COLUMN grade')
    expect(changes).toEqual([
      'updated places(de,Bonn) size:1>8',
      'deleted places(fr,Paris) country="fr" city="Paris" size=2 grade=1.50',
    ])
    expect(text).toContain(`UPDATE "public"."places" SET "grade" = '2' WHERE "country" = 'de' AND "city" = 'Berlin';`)
    expect(text).toContain(`UPDATE "public"."places" SET "size" = '8' WHERE "country" = 'de' AND "city" = 'Bonn';`)
    expect(text).toMatch(/-- public\.places: the branch's migration has to be run first.*: "grade"\./)
    expect(text).not.toMatch(/-- public\.users/)
  })

  it('streams many rows', async () => {
    await client.query(`INSERT INTO log SELECT repeat('x', 1000) FROM generate_series(1, 20000)`)
    expect((await stepsOf(store)).filter(({ kind }) => kind === 'row').length).toBe(20_000)
  })
})

describe('the statements of a diff', () => {
  it('make a copy of production as the branch is', async () => {
    await client.query(`INSERT INTO users VALUES (50, E'O''Brien\\\\', NULL, '[1, 2]', now(), 1)`)
    await client.query(`INSERT INTO orders (user_id, note) VALUES (50, 'first')`)
    await client.query(`UPDATE orders SET note = 'other', user_id = 50 WHERE id = 1`)
    await client.query('DELETE FROM orders WHERE user_id = 5')
    await client.query('DELETE FROM users WHERE id = 5')
    await client.query(`UPDATE log SET line = 'B' WHERE line = 'b'`)
    await client.query('TRUNCATE places')
    await client.query(`INSERT INTO places VALUES ('de', 'Ulm', 7)`)
    const text = await statementsOf(store)
    const plain = await proxy.plain()
    await plain.query(text)
    for (const table of ['users', 'orders', 'places', 'log']) {
      const query = `SELECT to_jsonb(t)::text AS row FROM ${table} AS t ORDER BY 1`
      const branch = (await client.query<{ row: string }>(query)).rows
      const copy = (await plain.query<{ row: string }>(query)).rows
      // What an earlier test took away from production is on the copy still.
      expect(copy.filter(({ row }) => !/"id": (3|2),/.test(row))).toEqual(
        branch.filter(({ row }) => !/"id": (3|2),/.test(row)),
      )
    }
    await plain.end()
  })
})

describe('the mask of a diff', () => {
  it('hides columns that are named like a secret, and such fields in JSON', async () => {
    await client.query(`UPDATE users SET api_token = 'new', profile = '{"password": "q", "age": 6}' WHERE id = 1`)
    const mask = new RowMask(Buffer.alloc(32, 7), [])
    const rows = (await stepsOf(store)).flatMap((step) =>
      step.kind === 'row' ? [mask.mask(step.table, step.row)] : [],
    )
    const shown = JSON.stringify(rows)
    expect(shown).not.toMatch(/secret-1|\bnew\b|\\"q\\"|\\"p\\"/)
    expect(shown).toMatch(/mesh-[0-9a-f]{16}/)
    expect(shown).toContain('user 1')
    expect(await statementsOf(store, mask)).not.toMatch(/'new'|"q"/)
  })
})
