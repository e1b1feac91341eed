import { chmodSync, statfsSync } from 'node:fs'
import type { Client, DatabaseError } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shareBinaries } from '../../support/clusters.ts'
import { type RunningMesh, runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { connectTo } from '../../support/pg-clients.ts'
import { MOUNT_ABSENT, mountSmallDisk, type SmallDisk } from '../../support/small-disk.ts'
import { POSTGRES_ABSENT, startPostgres, type TestPostgres } from '../../support/postgres.ts'

const MIB = 1024 * 1024

const folder = temporaryFolder()
let production: TestPostgres
let upstream: string
let flags: readonly string[]
let disk: SmallDisk | undefined

const SHOP = `
  CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; CREATE ROLE app LOGIN;
  CREATE TABLE orders (id int PRIMARY KEY, status text); GRANT ALL ON orders TO app; GRANT CREATE ON SCHEMA public TO app;
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
    disk?.remove()
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
  it.skipIf(MOUNT_ABSENT)(
    'keeps what was told to be written where its disk gets full, and goes on when there is room',
    async () => {
      disk = mountSmallDisk(folder.path('full'), 1024 * MIB)
      chmodSync(folder.path('full'), 0o755)
      const words = [
        'cow',
        'postgres',
        '--upstream',
        upstream,
        '--state',
        folder.path('full'),
        '--listen',
        '127.0.0.1:0',
      ]
      const open = async (mesh: RunningMesh): Promise<Client> => {
        const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+)/)
        return connectTo(`postgres://app@127.0.0.1:${port ?? ''}/postgres`)
      }
      const first = startMesh(words)
      const writer = await open(first)
      const left = new Promise((resolve) => writer.once('end', resolve))
      await writer.query('SET synchronous_commit = on')
      await writer.query(`UPDATE orders SET status = 'paid' WHERE id = 1`)
      await writer.query('CREATE TABLE notes (id int, text text)')
      const { blocks, bfree, bsize } = statfsSync(folder.path('full'))
      disk.resize((blocks - bfree) * bsize + 8 * MIB)
      const fill = `INSERT INTO notes SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 100000) AS i`
      const refused = await writer.query(fill).then(
        () => 'nothing',
        (error: DatabaseError) => error.code,
      )
      // Where the server's log finds no room either, the server ends, and mesh with it.
      expect(['53100', '57P01', '57P02']).toContain(refused)
      first.signal('SIGINT')
      const { code, stderr } = await first.ended
      await left
      expect(code === 0 || stderr.includes('No space left on device')).toBe(true)
      disk.resize(1024 * MIB)
      const second = startMesh(words)
      const reader = await open(second)
      await reader.query(`UPDATE orders SET status = 'paid' WHERE id = 2`)
      const paid = await reader.query(`SELECT id FROM orders WHERE status = 'paid' ORDER BY id`)
      const notes = await reader.query('SELECT count(*)::int AS notes FROM notes')
      await reader.end()
      second.signal('SIGINT')
      await second.ended
      expect([...paid.rows, ...notes.rows]).toEqual([{ id: 1 }, { id: 2 }, { notes: 0 }])
    },
  )
})
