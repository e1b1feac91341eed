import { chmodSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shareBinaries } from '../../support/clusters.ts'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { connectTo } from '../../support/pg-clients.ts'
import { POSTGRES_ABSENT, startPostgres, type TestPostgres } from '../../support/postgres.ts'

const folder = temporaryFolder()
let production: TestPostgres
let upstream: string
let flags: readonly string[]

const SHOP = `
  CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; CREATE ROLE app LOGIN;
  CREATE TABLE orders (id int PRIMARY KEY, status text); GRANT ALL ON orders TO app;
  INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 100) AS i;`

describe.skipIf(POSTGRES_ABSENT !== false)('mesh cow postgres', () => {
  beforeAll(async () => {
    // PostgreSQL runs as another user where the tests run as root.
    chmodSync(folder.path('.'), 0o755)
    production = await startPostgres()
    upstream = `postgres://reader@127.0.0.1:${production.port}/postgres`
    flags = ['--upstream', upstream, '--state', folder.path('state')]
    await shareBinaries(folder.path('state'))
    const admin = await connectTo(`postgres://${production.superuser}@127.0.0.1:${production.port}/postgres`)
    await admin.query(SHOP)
    await admin.end()
  })
  afterAll(async () => {
    await production?.stop()
    folder.remove()
  })

  it('writes nothing to a server of --overlay that is production itself, whoever we are there', async () => {
    const overlay = `postgres://${production.superuser}@127.0.0.1:${production.port}/template1`
    const result = await runMesh('cow', 'postgres', ...flags, '--listen', '127.0.0.1:0', '--overlay', overlay)
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('both are one cluster')
    const admin = await connectTo(`postgres://${production.superuser}@127.0.0.1:${production.port}/postgres`)
    const { rows } = await admin.query(`SELECT 1 FROM pg_roles WHERE rolname ~ 'mesh'
      UNION ALL SELECT 1 FROM pg_namespace WHERE nspname ~ 'mesh' UNION ALL SELECT 1 FROM pg_database WHERE datname = 'postgres@'`)
    await admin.end()
    expect(rows).toEqual([])
  })

  it('knows what was reset after its overlay crashed and recovered', async () => {
    const mesh = startMesh(['cow', 'postgres', ...flags, '--listen', '127.0.0.1:0'])
    try {
      const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+)/)
      const url = `postgres://app@127.0.0.1:${port ?? ''}/postgres`
      const victim = await connectTo(url)
      await victim.query(`BEGIN; UPDATE orders SET status = 'lost' WHERE id = 1`)
      const { rows: pids } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const gone = new Promise((resolve) => victim.once('end', resolve))
      process.kill(pids[0]?.pid ?? 0, 'SIGKILL')
      await gone
      // Waits for the overlay's recovery instead of being refused.
      const client = await connectTo(url)
      expect((await client.query('SELECT status FROM orders WHERE id = 1')).rows).toEqual([{ status: 'new' }])
      await client.query('TRUNCATE orders')
      await client.end()
      expect((await runMesh('cow', 'reset', 'orders', '--force', ...flags)).stdout).toContain(
        'attached to production again',
      )
      const after = await connectTo(url)
      expect((await after.query(`UPDATE orders SET status = 'paid' WHERE id = 7`)).rowCount).toBe(1)
      await after.end()
    } finally {
      mesh.signal('SIGINT')
    }
    expect((await mesh.ended).code).toBe(0)
  })
})
