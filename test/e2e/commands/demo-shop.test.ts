import type { Server } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createShop } from '../../../src/cli/demo/shop.ts'
import { memoryData } from '../../../src/cli/demo/shop-data.ts'
import { visitShop } from '../../../src/cli/demo/users.ts'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { startTap } from '../../support/taps.ts'

const USERS = 24
const AMPLIFY = 4

const folder = temporaryFolder()
const file = folder.path('shop.mcap')
const servers: Server[] = []

/** A fresh shop, and how often it answered what: `POST /login 303`. */
async function openShop(): Promise<{
  readonly server: Server
  readonly port: number
  readonly served: ReadonlyMap<string, number>
}> {
  const server = createShop(memoryData())
  servers.push(server)
  const served = new Map<string, number>()
  server.prependListener('request', ({ method, url = '' }, response) => {
    response.once('finish', () => {
      const key = `${method} /${/^\/([a-z]*)/.exec(url)?.[1] ?? ''} ${response.statusCode}`
      served.set(key, (served.get(key) ?? 0) + 1)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0, served }
}

function closeShops(): void {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
}

/** Replays the recording onto a fresh shop: what it answered, and how often that was what was recorded. */
async function replayed(name: string, ...flags: readonly string[]) {
  const shop = await openShop()
  const directory = folder.path(name)
  await startReplay(
    [file],
    `http://127.0.0.1:${shop.port}`,
    '--allow-writes',
    '--no-breaker',
    '-o',
    directory,
    ...flags,
  ).ended
  const { totals, counters } = await readRunDirectory(directory)
  const right = totals.replies - totals.mismatches
  const percent = (100 * right) / totals.shots
  process.stdout.write(`${name}: ${right} of ${totals.shots} as recorded, ${percent.toFixed(2)} %\n`)
  return { served: shop.served, totals, counters, percent }
}

let logins = 0

beforeAll(async () => {
  const shop = await openShop()
  const tap = await startTap(shop.port, file)
  const enough = new AbortController()
  // Everybody is logged in, and some have looked at what they ordered.
  shop.server.on('request', () => {
    const count = (key: string): number => shop.served.get(key) ?? 0
    if (count('POST /login 303') >= 2 * USERS && count('GET /orders 200') >= USERS) enough.abort()
  })
  const { failures } = await visitShop(tap.port, { users: USERS, seed: 7, buys: true }, enough.signal)
  tap.signal('SIGTERM')
  await tap.ended
  logins = shop.served.get('POST /login 303') ?? 0
  if (failures > 0) throw new Error(`${failures} requests of users failed`)
  closeShops()
})

afterEach(closeShops)
afterAll(() => folder.remove())

describe('the sessions of the demo’s shop: form with a token, cookie, JSON Web Token and order ids', () => {
  it('succeed on a fresh shop, four times each, without any rule', async () => {
    const { served, totals, counters, percent } = await replayed('correlated', '--amplify', String(AMPLIFY))
    expect(percent).toBeGreaterThanOrEqual(99.5)
    expect([totals.errors, counters['correlationLost']]).toEqual([{}, 0])
    expect(served.get('POST /login 303')).toBe(AMPLIFY * logins)
    expect(served.get('GET /orders 200')).toBeGreaterThan(0)
    expect([...served.keys()].filter((key) => /40[13]$/.test(key))).toEqual([])
  })

  it('fail at the first dependent request with --correlate off', async () => {
    const { served, percent } = await replayed('recorded values', '--correlate', 'off')
    expect([served.get('POST /login 403'), served.has('POST /login 303')]).toEqual([logins, false])
    for (const request of ['GET /account', 'POST /token', 'POST /cart', 'GET /cart', 'POST /orders', 'GET /orders']) {
      expect([...served.keys()].filter((key) => key.startsWith(`${request} `))).toEqual([`${request} 401`])
    }
    expect(percent).toBeLessThan(80)
  })
})
