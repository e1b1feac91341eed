import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compiled } from '../../replay/compiled.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'

const SCHEMA = `CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL);
CREATE UNLOGGED TABLE visits (id serial PRIMARY KEY, page text);
CREATE UNLOGGED TABLE clicks (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, page text);
CREATE TABLE pages (id int PRIMARY KEY, page text)`
const DATA = `INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 20) AS i;
INSERT INTO visits (page) SELECT 'home' FROM generate_series(1, 3);
INSERT INTO clicks (page) SELECT 'home' FROM generate_series(1, 3);
INSERT INTO pages SELECT i, 'home' FROM generate_series(1, 3) AS i`

/** Nothing that was not waited for reaches the disk before a crash. */
const LAZY = { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', checkpoint_timeout: '1h', autovacuum: 'off' }

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

describe('a branch whose server crashes with all that it need not have written', () => {
  let production: ProductionServer
  let proxy: GatedProxy

  beforeAll(async () => {
    production = await startProductionServer(SCHEMA, DATA)
    proxy = await startGatedProxy(production, { thread: thread(), overlaySettings: LAZY })
  })
  afterAll(async () => {
    await proxy?.close()
    await production?.remove()
  })

  /** The server ends all its processes where one of them is killed, and recovers. */
  const crash = async (client: pg.Client): Promise<void> => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const gone = new Promise((resolve) => client.once('end', resolve))
    process.kill(rows[0]?.pid ?? 0, 'SIGKILL')
    await gone
  }

  it('shows the rows of production after a crash right behind its making', async () => {
    const first = await proxy.client()
    await first.query(`BEGIN; UPDATE orders SET status = 'lost' WHERE id = 1`)
    await crash(first)
    const second = await proxy.client()
    expect((await second.query('SELECT count(*)::int AS orders FROM orders')).rows).toEqual([{ orders: 20 }])
    expect((await second.query('SELECT status FROM orders WHERE id = 1')).rows).toEqual([{ status: 'new' }])
    expect((await second.query(`UPDATE orders SET status = 'paid' WHERE id < 3`)).rowCount).toBe(2)
    await second.end()
  })

  it('keeps a migration that was told to be done', async () => {
    const first = await proxy.client()
    await first.query(`ALTER TABLE orders ADD COLUMN note text DEFAULT 'none'`)
    await crash(first)
    const second = await proxy.client()
    expect((await second.query('SELECT note FROM orders WHERE id = 7')).rows).toEqual([{ note: 'none' }])
    await second.end()
  })
  it('has the rows of tables that are unlogged, on production or by a migration', async () => {
    const first = await proxy.client()
    // What comes before this commit is on the disk.
    await first.query(`ALTER TABLE pages SET UNLOGGED; SET synchronous_commit = on`)
    const written: unknown[] = []
    for (const table of ['visits', 'clicks', 'pages']) {
      await first.query(`UPDATE ${table} SET page = 'branch' WHERE id = 1; DELETE FROM ${table} WHERE id = 2`)
      if (table !== 'pages') await first.query(`INSERT INTO ${table} (page) VALUES ('new')`)
      written.push((await first.query(`SELECT * FROM ${table} ORDER BY id`)).rows)
    }
    await crash(first)
    const second = await proxy.client()
    const kept: unknown[] = []
    for (const table of ['visits', 'clicks', 'pages'])
      kept.push((await second.query(`SELECT * FROM ${table} ORDER BY id`)).rows)
    expect(kept).toEqual(written)
    for (const table of ['visits', 'clicks'])
      expect((await second.query(`INSERT INTO ${table} (page) VALUES ('newer')`)).rowCount).toBe(1)
    await second.end()
  })
})
