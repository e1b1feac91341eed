import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Branch } from '../../../../src/cow/postgres/branch/branch.ts'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'
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
    client = await connectTo(proxy.url)
    overlaid = await connectTo(proxy.overlayUrl)
    branch = await proxy.branch()
  })

  afterAll(async () => {
    await client?.end()
    await overlaid?.end()
    await proxy?.close()
  })

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

  it("write rows that are the branch's own without a word to production, and count what is copied up", async () => {
    await client.query(`UPDATE small SET n = 0 WHERE id = 20`)
    await client.query(`UPDATE coded SET n = 0 WHERE code = '00000000-0000-0000-0000-000000000014'`)
    const { copiedUpRows } = branch.counters
    const scans = proxy.gate.counters().sent.scan
    expect((await client.query(`UPDATE small SET n = n + 1 WHERE id = 20 RETURNING n`)).rows).toEqual([{ n: 1 }])
    const upper = `UPDATE coded SET n = n + 1 WHERE code = $1 RETURNING n`
    const code = '00000000-0000-0000-0000-000000000014'
    expect((await client.query(upper, [code])).rows).toEqual([{ n: 1 }])
    expect((await client.query(`DELETE FROM small WHERE id = 20 AND n = 1`)).rowCount).toBe(1)
    expect((await client.query(`DELETE FROM small WHERE id = 20`)).rowCount).toBe(0)
    expect(proxy.gate.counters().sent.scan).toBe(scans)
    expect(branch.counters.copiedUpRows).toBe(copiedUpRows)
    expect((await client.query(`UPDATE small SET n = 7 WHERE id = 21`)).rowCount).toBe(1)
    expect((await client.query(`UPDATE small SET n = 7 WHERE id = 22 AND n = 8`)).rowCount).toBe(0)
    expect((await client.query(`UPDATE small SET n = 7 WHERE id = $1`, [null])).rowCount).toBe(0)
    expect((await client.query(`UPDATE small SET n = 7 WHERE id = 3000`)).rowCount).toBe(0)
    expect(branch.counters.copiedUpRows - copiedUpRows).toBe(1)
    await expect(client.query(`UPDATE small SET n = 1 / 0 WHERE id = 23`)).rejects.toMatchObject({ code: '22012' })
    await expect(client.query(`UPDATE small SET m = 1 WHERE id = 24`)).rejects.toMatchObject({ code: '42703' })
    expect((await client.query(`SELECT id FROM small WHERE n = 7`)).rows).toEqual([{ id: 21 }])
  })
})
