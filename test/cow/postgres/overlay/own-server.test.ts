import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endSessions } from '../../../../src/cow/postgres/overlay/own-server.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { startTestServer, type TestServer } from '../../../support/overlay-servers.ts'

describe('a server of the user', () => {
  let overlay: TestServer

  beforeAll(async () => {
    overlay = await startTestServer({}, 'overlay')
    const admin = await overlay.client('mesh_admin', 'postgres')
    await admin.query('CREATE ROLE app LOGIN')
    await admin.query('CREATE DATABASE shop OWNER app')
    await admin.query('CREATE DATABASE other OWNER app')
    await admin.end()
  })
  afterAll(async () => {
    await overlay?.remove()
  })

  it('commits nothing of what a mesh that was killed has left there, on its branch alone', async () => {
    const superuser = await overlay.client('mesh_admin', 'shop')
    await superuser.query('CREATE TABLE visits (page text); GRANT ALL ON visits TO app; SELECT pg_advisory_lock(7)')
    const [left, idle, other] = await Promise.all(
      ['shop', 'shop', 'other'].map((database) => overlay.client('app', database)),
    )
    const ended = new Promise((resolve) => idle?.once('end', resolve))
    const outcome = left
      ?.query(`INSERT INTO visits SELECT 'late' FROM (SELECT pg_advisory_lock(7)) AS waiting`)
      .catch((error: unknown) => error)
    const waiting = `SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND wait_event = 'advisory'`
    await expect.poll(async () => (await superuser.query(waiting)).rows, { interval: 10 }).toHaveLength(1)
    const admin = await connectServer(overlay.options('mesh_admin', 'postgres'), new AbortController().signal)
    await endSessions(admin, 'shop')
    await admin.end()
    const { rows } = await superuser.query(
      `SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND datname = 'shop'`,
    )
    expect(rows).toEqual([])
    await superuser.query('SELECT pg_advisory_unlock(7)')
    expect(await outcome).toMatchObject({ code: '57P01' })
    await ended
    expect((await superuser.query('SELECT * FROM visits')).rows).toEqual([])
    expect((await other?.query('SELECT 1 AS one'))?.rows).toEqual([{ one: 1 }])
    await Promise.all([left?.end(), other?.end(), superuser.end()])
  })
})
