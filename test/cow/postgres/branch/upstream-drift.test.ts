import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findDrift } from '../../../../src/cow/postgres/branch/upstream-drift.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `CREATE TABLE orders (id int PRIMARY KEY, note text, total numeric(8, 2));
CREATE TABLE gone (id int PRIMARY KEY); CREATE TABLE same (id int PRIMARY KEY);`

describe("production's schema, changed since the branch was made", () => {
  let proxy: GatedProxy

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, 'INSERT INTO orders VALUES (1, $$a$$, 2), (2, $$b$$, 3)')
  })
  afterAll(() => proxy?.close())

  const drift = async (): Promise<readonly string[]> => {
    const admin = await connectServer(proxy.overlay.options('mesh_admin', 'shop'), new AbortController().signal)
    const lines = await findDrift(admin, proxy.gate)
    await admin.end()
    return lines
  }

  it('is told of by table and column, and migrations of the branch are not', async () => {
    expect(await drift()).toEqual([])
    const client = await connectTo(proxy.url)
    await client.query('ALTER TABLE orders ADD COLUMN own int DEFAULT 1, ALTER COLUMN id TYPE bigint')
    await client.query('ALTER TABLE orders RENAME COLUMN note TO remark')
    expect(await drift()).toEqual([])
    const owner = await proxy.upstream.client('app', 'shop')
    await owner.query(
      `ALTER TABLE orders DROP COLUMN note, ALTER COLUMN total TYPE numeric(9, 2), ADD COLUMN extra int`,
    )
    await owner.query('DROP TABLE gone')
    await owner.end()
    expect(await drift()).toEqual([
      'table public.gone is gone',
      'column public.orders.note is gone',
      'column public.orders.total was numeric(8,2), and is numeric(9,2)',
      'column public.orders.extra is new',
    ])
    await client.end()
  })

  it('fails a read of what is gone with what to do, and no other read', async () => {
    const client = await connectTo(proxy.url)
    await client.query('INSERT INTO gone VALUES (1)').catch(() => undefined)
    const before = proxy.gate.counters().drifted
    await expect(client.query('SELECT remark FROM orders WHERE id = 1')).rejects.toMatchObject({
      code: '42703',
      message: 'production: column "note" does not exist',
      hint: expect.stringContaining('A new branch has it as it is now'),
    })
    expect(proxy.gate.counters().drifted).toBeGreaterThan(before)
    const { rows } = await client.query('SELECT id, own, total FROM orders WHERE own = 1 ORDER BY id')
    expect(rows).toEqual([
      { id: '1', own: 1, total: '2.00' },
      { id: '2', own: 1, total: '3.00' },
    ])
    await client.end()
  })
})
