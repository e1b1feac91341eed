import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../../../../src/wire/postgres/frontend.ts'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'
import { WireClient } from '../../../support/wire-client.ts'

const SCHEMA = `
CREATE TABLE orders (id int PRIMARY KEY, note text);
CREATE TABLE tokens (id int PRIMARY KEY, note text);
CREATE TABLE moods (id int PRIMARY KEY, note text);
CREATE TABLE visits (id int PRIMARY KEY, note text);
CREATE FUNCTION add_order(int) RETURNS void LANGUAGE sql AS $$ INSERT INTO orders VALUES ($1, 'unread') $$;
CREATE FUNCTION add_token(int) RETURNS void LANGUAGE sql AS $$ INSERT INTO tokens VALUES ($1, 'unread') $$;`
const DATA = ['orders', 'tokens', 'moods', 'visits']
  .map((table) => `INSERT INTO ${table} SELECT i, 'n' || i FROM generate_series(1, 20) i;`)
  .join('\n')

/** More than all buffers between a backend and its client. */
const LONG = `SELECT repeat('x', 1000) FROM generate_series(1, 20000)`

describe('rows that a statement has touched', () => {
  let proxy: GatedProxy
  let reader: pg.Client
  let overlaid: pg.Client

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, DATA)
    reader = await connectTo(proxy.url)
    overlaid = await connectTo(proxy.overlayUrl)
  })
  afterAll(async () => {
    await Promise.all([reader?.end(), overlaid?.end()])
    await proxy?.close()
  })

  const count = async (client: pg.Client, table: string): Promise<unknown> =>
    (await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n

  const isPassed = async (table: string): Promise<boolean> => (await proxy.passedBy(() => count(reader, table))) === 1

  /**
   * Calls a function by clients that read a little at a time, until one has nothing left to run and something left to read. Gives it, and
   * the number of calls.
   */
  const callUnread = async (name: string, table: string): Promise<{ slow: WireClient; calls: number }> => {
    const { unread } = await proxy.branch()
    for (let calls = 1; ; calls++) {
      const slow = await WireClient.open({ port: proxy.port })
      slow.socket.pause()
      slow.socket.write(query(`${LONG}; SELECT ${name}(${1000 + calls})`))
      while ((await count(overlaid, table)) !== 20 + calls) {
        slow.socket.resume()
        await turn()
        slow.socket.pause()
      }
      if (!unread.none) return { slow, calls }
      slow.end()
    }
  }

  it('are known to every session though its client does not read the result', async () => {
    expect(await isPassed('orders')).toBe(true)
    const { slow, calls } = await callUnread('add_order', 'orders')
    expect(await count(reader, 'orders')).toBe(20 + calls)
    const found = await reader.query(`SELECT note FROM orders WHERE id = ${1000 + calls}`)
    expect(found.rows).toEqual([{ note: 'unread' }])
    // Who knows what else it did.
    expect(await isPassed('moods')).toBe(false)
    slow.socket.resume()
    await expect.poll(() => isPassed('moods')).toBe(true)
    expect(await count(reader, 'orders')).toBe(20 + calls)
    slow.end()
  })

  it('are known where its connection was lost before anybody read of them', async () => {
    expect(await isPassed('tokens')).toBe(true)
    const { slow, calls } = await callUnread('add_token', 'tokens')
    // It waits for the end of the process: a backend leaves pg_stat_activity before its socket is closed.
    await overlaid.query(
      `SELECT pg_terminate_backend(pid, 100000) FROM pg_stat_activity WHERE query LIKE '%; SELECT add_token(${1000 + calls})'`,
    )
    // What is written to a backend that is gone ends the connection, with all that was still to be read.
    slow.socket.write(query('SELECT 1'))
    await expect.poll(() => isPassed('moods')).toBe(true)
    expect(await count(reader, 'tokens')).toBe(20 + calls)
    expect((await reader.query(`SELECT note FROM tokens WHERE id = ${1000 + calls}`)).rows).toEqual([
      { note: 'unread' },
    ])
    slow.end()
  })

  it('are known where it was cancelled while they were copied up', async () => {
    expect(await isPassed('visits')).toBe(true)
    const [writer, holder, admin] = [await connectTo(proxy.url), await proxy.admin(), await proxy.admin()]
    const update = `UPDATE visits SET note = 'branch' WHERE id = 7`
    const named = await admin.query<{ touched: string }>(
      `SELECT touched::text FROM mesh.tables WHERE upstream_name = 'visits'`,
    )
    await holder.query(`BEGIN; LOCK TABLE ${named.rows[0]?.touched} IN SHARE MODE`)
    const failure = writer.query(update).catch((error: unknown) => error)
    const waiting = `SELECT pid FROM pg_stat_activity WHERE usename = 'mesh_copy' AND wait_event_type = 'Lock'`
    await expect.poll(async () => (await admin.query(waiting)).rows, { interval: 10 }).toHaveLength(1)
    await admin.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'`)
    await holder.query('COMMIT')
    expect(await failure).toMatchObject({ code: '57014' })
    // The row is copied all the same: who changes it now has nothing to copy, and nothing to tell of.
    expect((await reader.query(update)).rowCount).toBe(1)
    for (const client of [reader, writer, overlaid]) {
      const { rows } = await client.query('SELECT note FROM visits WHERE id = 7')
      expect(rows).toEqual([{ note: 'branch' }])
    }
    await Promise.all([writer.end(), holder.end(), admin.end()])
  })
})
