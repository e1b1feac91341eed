import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `
CREATE TABLE orders (id int PRIMARY KEY, note text);
CREATE TABLE tokens (id int PRIMARY KEY, code text);`
const DATA = `
INSERT INTO orders SELECT i, 'o' || i FROM generate_series(1, 20) i;
INSERT INTO tokens SELECT i, 't' || i FROM generate_series(1, 20) i;`

describe('what a client was doing when it went away', () => {
  let proxy: GatedProxy

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, DATA)
  })
  afterAll(async () => {
    await proxy?.close()
  })

  /** Runs a text that waits for a lock, takes its client away meanwhile, and lets it go on. */
  const leaveAmid = async (text: string): Promise<void> => {
    const holder = await connectTo(proxy.url)
    await holder.query('SELECT pg_advisory_lock(1)')
    const leaver = await connectTo(proxy.url)
    const failed = leaver.query(`SELECT pg_advisory_lock(1); ${text}`).catch(() => undefined)
    const waiting = `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`
    await expect.poll(async () => (await holder.query(waiting)).rows).toEqual([{ n: 1 }])
    destroySocket(leaver)
    await failed
    // Whoever comes later is met later.
    await (await connectTo(proxy.url)).end()
    await holder.end()
  }

  it('is seen by the next read of every session once it is committed', async () => {
    const [reader, overlaid] = [await connectTo(proxy.url), await connectTo(proxy.overlayUrl)]
    const count = 'SELECT count(*)::int AS n FROM orders'
    expect(await proxy.passedBy(() => reader.query(count))).toBe(1)
    await leaveAmid(`INSERT INTO orders VALUES (1000, 'left')`)
    await expect.poll(async () => (await overlaid.query(count)).rows).toEqual([{ n: 21 }])
    expect((await reader.query(count)).rows).toEqual([{ n: 21 }])
    expect((await reader.query('SELECT note FROM orders WHERE id = 1000')).rows).toEqual([{ note: 'left' }])
    await Promise.all([reader.end(), overlaid.end()])
  })

  it('is known to every session where a block changed the schema', async () => {
    const [reader, overlaid] = [await connectTo(proxy.url), await connectTo(proxy.overlayUrl)]
    const read = 'SELECT * FROM tokens WHERE id = 3'
    expect(await proxy.passedBy(() => reader.query(read))).toBe(1)
    await leaveAmid('DO $$ BEGIN ALTER TABLE tokens RENAME code TO word; END $$')
    await expect.poll(async () => (await overlaid.query(read)).rows).toEqual([{ id: 3, word: 't3' }])
    expect((await reader.query(read)).rows).toEqual([{ id: 3, word: 't3' }])
    await Promise.all([reader.end(), overlaid.end()])
  })
})

/** The socket goes without a Terminate. */
function destroySocket(client: pg.Client): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
  stream.destroy()
}
