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
})
