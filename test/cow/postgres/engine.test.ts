import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CowProxy, startCowProxy } from '../../support/cow-proxy.ts'
import { connectTo } from '../../support/pg-clients.ts'
import { POSTGRES_ABSENT } from '../../support/postgres.ts'

describe.skipIf(POSTGRES_ABSENT)('an overlay that is away', () => {
  let proxy: CowProxy

  beforeAll(async () => {
    proxy = await startCowProxy('CREATE TABLE items (id int PRIMARY KEY)', 'INSERT INTO items VALUES (1)')
  })

  afterAll(async () => {
    await proxy?.close()
  })

  it('is waited for by a login that comes before its loss is heard', async () => {
    const first = await connectTo(proxy.url)
    await first.end()
    await proxy.overlay.halt()
    const waiting = connectTo(proxy.url)
    await proxy.overlay.start()
    const client = await waiting
    expect((await client.query('SELECT id FROM items')).rows).toEqual([{ id: 1 }])
    await client.end()
  })
  it('is waited for where it takes a connection and drops it, as a server in a crash does', async () => {
    await proxy.overlay.halt()
    const { socketFolder, port } = proxy.overlay
    let dropped = 0
    const crashing = createServer((socket) => {
      dropped++
      socket.destroy()
    })
    crashing.listen(`${socketFolder}/.s.PGSQL.${port}`)
    await once(crashing, 'listening')
    const waiting = connectTo(proxy.url)
    await expect.poll(() => dropped).toBeGreaterThan(3)
    crashing.close()
    await once(crashing, 'close')
    await proxy.overlay.start()
    const client = await waiting
    expect((await client.query('SELECT id FROM items')).rows).toEqual([{ id: 1 }])
    await client.end()
  })
})
