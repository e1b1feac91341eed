import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Branch } from '../../../../src/cow/postgres/branch/branch.ts'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text);
CREATE TABLE coded (code uuid PRIMARY KEY, n int);
CREATE TABLE small (id smallint PRIMARY KEY, n int);`
const DATA = `
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 100) i;
INSERT INTO coded SELECT lpad(to_hex(i), 32, '0')::uuid, i FROM generate_series(1, 100) i;
INSERT INTO small SELECT i, 10 / (i - 5 + CASE WHEN i = 5 THEN 1 ELSE 0 END) FROM generate_series(1, 100) i;`

describe.skipIf(POSTGRES_ABSENT)('lookups by key in simple queries', () => {
  let proxy: GatedProxy
  let branch: Branch
  let client: pg.Client
  let overlaid: pg.Client

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, DATA)
    client = await connect(proxy.url)
    overlaid = await connect(proxy.overlayUrl)
    const [first] = await proxy.engine.branches()
    if (first === undefined) throw new Error('expected a branch')
    branch = first
  }, 120_000)

  afterAll(async () => {
    await client?.end()
    await overlaid?.end()
    await proxy?.close()
  })

  async function connect(connectionString: string): Promise<pg.Client> {
    const opened = new pg.Client({ connectionString })
    opened.on('error', () => undefined)
    await opened.connect()
    return opened
  }

  async function answerOf(to: pg.Client, text: string): Promise<unknown> {
    try {
      const { rows, fields } = await to.query(text)
      return { rows, fields: fields.map(({ name, dataTypeID }) => [name, dataTypeID]) }
    } catch (error) {
      const { code, message, position } = error as pg.DatabaseError
      return { code, message, position }
    }
  }

  it.each([
    [
      'SELECT name FROM items WHERE id = ?',
      ['1', '2', '99', '100', '101', '0', '999999999', '1000000000', '99999999999', '-1', '1.0', "'7'", "'x'"],
    ],
    ["SELECT id, 5 FROM items WHERE id = ? AND name <> 'item 3' LIMIT 1;", ['1', '2', '3', '4', '5', '6']],
    ["SELECT n FROM coded WHERE code = '00000000-0000-0000-0000-0000000000?'", ['01', '0a', '64', 'ff', 'xx', '0']],
    ['SELECT n FROM small WHERE id = ?', ['1', '2', '3', '40000', '5']],
    ['SELECT nothing FROM items WHERE id = ?', ['1', '2', '3', '4']],
    ['SELECT 1 / (id - 3) FROM items WHERE id = ?', ['1', '2', '3', '4']],
  ])('answer as the overlay does, whatever the constant: %s', async (text, constants) => {
    for (const constant of [...constants, ...constants]) {
      const each = text.replace('?', constant)
      expect([each, await answerOf(client, each)]).toEqual([each, await answerOf(overlaid, each)])
    }
  })

  it('run on production, and see what was written to a row that had been looked up before', async () => {
    const { passed, byKey } = branch.counters
    for (let id = 10; id < 20; id++) {
      expect((await client.query(`SELECT name FROM items WHERE id = ${id}`)).rows).toEqual([{ name: `item ${id}` }])
    }
    expect(branch.counters.passed - passed).toBe(10)
    await client.query(`UPDATE items SET name = 'new' WHERE id = 12`)
    for (let id = 10; id < 20; id++) {
      const name = id === 12 ? 'new' : `item ${id}`
      expect((await client.query(`SELECT name FROM items WHERE id = ${id}`)).rows).toEqual([{ name }])
    }
    expect(branch.counters.byKey - byKey).toBe(9)
  })
})
