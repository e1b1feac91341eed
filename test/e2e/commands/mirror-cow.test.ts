import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shareBinaries } from '../../support/clusters.ts'
import { type RunningMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { processesWith } from '../../support/process-list.ts'
import { connectTo } from '../../support/pg-clients.ts'
import { POSTGRES_ABSENT, startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { type HttpTarget, startHttpTarget } from '../../support/targets.ts'
import { freePort } from '../../support/free-port.ts'

const folder = temporaryFolder()
let production: TestPostgres

const SHOP = `
  CREATE EXTENSION pg_stat_statements;
  CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; CREATE ROLE app LOGIN;
  CREATE TABLE visits (page text PRIMARY KEY, seen int NOT NULL); INSERT INTO visits VALUES ('/a', 10), ('/b', 20);
  GRANT ALL ON visits TO app;`

/** A service that counts visits in its database and answers with the count. */
function startShop(url: string): Promise<HttpTarget> {
  return startHttpTarget((response, request) => {
    const count = async (): Promise<void> => {
      const client = await connectTo(url)
      const { rows } = await client.query<{ seen: number }>(
        'UPDATE visits SET seen = seen + 1 WHERE page = $1 RETURNING seen',
        [request.path],
      )
      await client.end()
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows[0]))
    }
    void count()
  })
}

/** A mirror to an environment with a data proxy. */
async function startMirror(
  upstream: number,
  { staging, cow, state }: { readonly staging: number; readonly cow: number; readonly state: string },
): Promise<RunningMesh> {
  await shareBinaries(state)
  const config = folder.path('mesh.yaml')
  const data = {
    upstream: `postgres://reader@127.0.0.1:${production.port}/postgres`,
    listen: `127.0.0.1:${cow}`,
    state,
  }
  const environment = { url: `http://127.0.0.1:${staging}`, data: [data] }
  writeFileSync(config, JSON.stringify({ environments: { staging: environment } }))
  const place = ['--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream}`]
  return startMesh(['mirror', ...place, '--to', 'staging', '--config', config])
}

describe.skipIf(POSTGRES_ABSENT !== false)('mesh mirror with a data proxy', () => {
  beforeAll(async () => {
    // PostgreSQL runs as another user where the tests run as root.
    chmodSync(folder.path('.'), 0o755)
    production = await startPostgres({ settings: { shared_preload_libraries: 'pg_stat_statements' } })
    const admin = await connectTo(`postgres://${production.superuser}@127.0.0.1:${production.port}/postgres`)
    await admin.query(SHOP)
    await admin.end()
  })

  afterAll(async () => {
    await production.stop()
    folder.remove()
  })

  it('lets staging write on production’s data, and leaves production with what production itself wrote', async () => {
    const app = `postgres://app@127.0.0.1:${production.port}/postgres`
    const cowPort = await freePort()
    const [shop, staging] = [await startShop(app), await startShop(`postgres://app@127.0.0.1:${cowPort}/postgres`)]
    const mesh = await startMirror(shop.port, { staging: staging.port, cow: cowPort, state: folder.path('state') })
    const [, port] = await mesh.said(/listening on 127\.0\.0\.1:(\d+), relaying/)
    const reply = await fetch(`http://127.0.0.1:${port}/a`)
    expect(await reply.json()).toEqual({ seen: 11 })
    await staging.saw(1)
    mesh.signal('SIGINT')
    const { code, stdout } = await mesh.ended
    expect(stdout).toMatch(/^ {2}production writes +0$/m)
    expect(stdout).toMatch(/^ {2}statements diverted to the branch +1\n {2}rows copied up +1$/m)
    expect(stdout).toMatch(/^ {2}pg_stat_statements there: [\d,]+ calls of our role, 0 of them no reads$/m)
    expect(code).toBe(0)
    const reader = await connectTo(app)
    expect((await reader.query('SELECT seen FROM visits ORDER BY page')).rows).toEqual([{ seen: 11 }, { seen: 20 }])
    await reader.end()
    await Promise.all([shop.close(), staging.close()])
  })

  it('says in the proof that its data were lost on the way, and does not end 0', async () => {
    const state = folder.path('lost')
    const mesh = await startMirror(await freePort(), { staging: await freePort(), cow: await freePort(), state })
    await mesh.said(/listening on 127\.0\.0\.1:(\d+), relaying/)
    const [postmaster = ''] = readFileSync(
      join(state, `127.0.0.1-${production.port}-postgres`, 'data', 'postmaster.pid'),
      'utf8',
    ).split('\n')
    process.kill(Number(postmaster), 'SIGKILL')
    await mesh.said(/staging has lost its data/)
    mesh.signal('SIGINT')
    const { code, stdout } = await mesh.ended
    expect(stdout).toMatch(/^ {2}lost before the end, and staging's data with it: /m)
    expect(code).toBe(1)
  })

  it('ends 0 and leaves nothing running where INT comes while its data proxy starts', async () => {
    const state = folder.path('stopped')
    // The copy of the schema waits for this, for 10 s: it has not started when it is stopped.
    const holder = await connectTo(`postgres://${production.superuser}@127.0.0.1:${production.port}/postgres`)
    await holder.query('BEGIN; LOCK TABLE visits')
    const mesh = await startMirror(await freePort(), { staging: await freePort(), cow: await freePort(), state })
    const lock = join(state, `127.0.0.1-${production.port}-postgres.lock`)
    while (!existsSync(lock)) await pause(5)
    mesh.signal('SIGINT')
    const { code, stdout, stderr } = await mesh.ended
    await holder.end()
    expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining('nothing was mirrored')])
    expect([existsSync(lock), processesWith(state)]).toEqual([false, []])
  })
})
