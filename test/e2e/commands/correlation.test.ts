import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import type { LoginShop } from '../../support/login-shop.ts'
import { createLoginShop } from '../../support/login-shop.ts'
import type { Login } from '../../support/login-users.ts'
import { shopOnce, STEPS_OF } from '../../support/login-users.ts'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { NGINX_ABSENT, startNginx } from '../../support/nginx.ts'
import { startReplay } from '../../support/runs.ts'
import { startTap } from '../../support/taps.ts'

const USERS = 12
/** Requests of one visit. */
const STEPS = STEPS_OF.cookie

const CODINGS = [undefined, 'gzip', 'br']

const folder = temporaryFolder()
const kept = folder.path('kept.mcap')
const masked = folder.path('masked.mcap')
const shops: LoginShop[] = []

/** A fresh instance: nobody is logged in, no order exists, every secret is new. */
async function openShop(
  firstOrder: number,
  revokesTokens = true,
  origin = '',
): Promise<LoginShop & { readonly port: number; readonly url: string }> {
  const shop = createLoginShop(firstOrder, revokesTokens, origin)
  shops.push(shop)
  await new Promise<void>((resolve) => shop.server.listen(0, '127.0.0.1', resolve))
  const address = shop.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { ...shop, port, url: `http://127.0.0.1:${port}` }
}

/** Users shop through a tap. */
async function record(file: string, ...flags: readonly string[]): Promise<void> {
  const shop = await openShop(17)
  const tap = await startTap(shop.port, file, ...flags)
  const visits = Array.from({ length: USERS }, (_, user) => {
    const coding = CODINGS[user % CODINGS.length]
    return shopOnce(tap.port, `user-${user}`, {
      connections: 1 + (user % 2),
      ...(coding === undefined ? {} : { coding }),
    })
  })
  expect(await Promise.all(visits)).toEqual(Array.from({ length: USERS }, () => 0))
  tap.signal('SIGTERM')
  await tap.ended
}

function closeShops(): void {
  for (const { server } of shops.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
}

beforeAll(async () => {
  await record(kept, '--keep-secrets')
  await record(masked)
  closeShops()
})

afterEach(closeShops)

afterAll(() => folder.remove())

describe('sessions that log in, recorded by a tap', () => {
  it.each([
    ['with secrets kept', kept, []],
    ['with secrets masked, by two threads', masked, ['--workers', '2']],
    ['over whatever connection is free', kept, ['--order', 'none']],
    ['as fast as replies come, over two connections', masked, ['--speed', 'max', '-c', '2', '--yes']],
  ])('all succeed on a fresh instance, four times each, without any rule: %s', async (name, file, flags) => {
    // Without an order on connections a token may be revoked while another request with it is under way.
    const shop = await openShop(5_000, !flags.includes('none'))
    const directory = folder.path(`run ${name}`)
    const words = ['--amplify', '4', '--allow-writes', '-o', directory, ...flags]
    const { stderr } = await startReplay([file], shop.url, ...words).ended
    expect(stderr).toMatch(/correlated \d+ rules: what the target issues replaces what was recorded/)
    const { totals, counters } = await readRunDirectory(directory)
    expect([totals.replies, totals.mismatches, totals.errors]).toEqual([4 * USERS * STEPS, 0, {}])
    expect(shop.failures()).toBe(0)
    // All but the first request of a visit.
    expect(counters).toMatchObject({ correlated: 4 * USERS * (STEPS - 1), correlationLost: 0 })
  })

  it('are answered as recorded, what the target issues aside', async () => {
    const shop = await openShop(5_000)
    const directory = folder.path('checked')
    const words = ['--amplify', '2', '--allow-writes', '--check', 'body', '-o', directory]
    await startReplay([masked], shop.url, ...words).ended
    const { check, totals } = await readRunDirectory(directory)
    expect(totals.replies).toBe(2 * USERS * STEPS)
    expect(check?.bodies).toMatchObject({ differing: 0, fields: [] })
    const { compared = 0, notCompared = {} } = check?.bodies ?? {}
    expect(compared).toBeGreaterThan(0)
    // Pages have tokens in them.
    expect(Object.keys(notCompared).filter((reason) => !['issued', 'masked'].includes(reason))).toEqual([])
    expect(compared + Object.values(notCompared).reduce((sum, count) => sum + count, 0)).toBe(totals.replies)
  })

  it('fail at the first dependent request with --correlate off', async () => {
    const shop = await openShop(5_000)
    const words = ['--correlate', 'off', '--allow-writes', '--no-breaker']
    await startReplay([kept], shop.url, ...words).ended
    expect(Object.fromEntries(shop.served)).toMatchObject({ 'GET /login 200': USERS, 'POST /login 403': USERS })
    expect(shop.failures()).toBe(USERS * (STEPS - 1))
  })

  it('end where the target answers the login with an error: what depends on it is not sent, and counted', async () => {
    const shop = await openShop(5_000)
    shop.server.prependListener('request', (request) => {
      if (request.method === 'GET' && request.url === '/login') request.url = '/missing'
    })
    const directory = folder.path('lost')
    await startReplay([kept], shop.url, '--allow-writes', '--no-breaker', '-o', directory).ended
    const { totals, counters } = await readRunDirectory(directory)
    expect(totals.errors).toEqual({ correlation_lost: USERS * (STEPS - 1) })
    expect([totals.shots, totals.sent]).toEqual([USERS * STEPS, USERS])
    expect(counters).toMatchObject({ correlationLost: USERS * (STEPS - 1) })
  })

  it('go on at the target where it redirects to another host, which is asked nothing', async () => {
    const elsewhere = await openShop(9_000)
    const shop = await openShop(5_000, true, elsewhere.url)
    const directory = folder.path('redirected')
    await startReplay([kept], shop.url, '--allow-writes', '-o', directory).ended
    const { totals } = await readRunDirectory(directory)
    expect([totals.replies, totals.mismatches, totals.errors]).toEqual([USERS * STEPS, 0, {}])
    expect([shop.failures(), elsewhere.served.size]).toEqual([0, 0])
  })

  it('are warned of before anything is sent, where secrets of users are masked', async () => {
    const planOf = async (file: string): Promise<string> =>
      (await startReplay([file], 'http://127.0.0.1:9', '--plan', '--allow-writes').ended).stdout
    const warning = `WARNING    ${USERS} logins send masked secrets: a target that checks them lets nobody in`
    expect(await planOf(masked)).toContain(warning)
    expect(await planOf(kept)).not.toContain('WARNING')
  })

  it('are no sessions where their logins are left out: the plan says so, and beside the verdict that nobody got in', async () => {
    const shop = await openShop(5_000)
    const words = ['--allow-writes', '--no-breaker', '--match', 'request.path.startsWith("/api/orders")']
    const { stdout, stderr } = await startReplay([masked], shop.url, ...words).ended
    expect(stderr).toContain('WARNING    100 % of requests are of sessions from before the recording')
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'values were masked in the recording, so the load was not the recorded one: 75 % of the requests were not sent, for want of what a login issues; 25 % were answered 401 or 403',
    )
    expect([...shop.served.keys()]).toEqual(['POST /api 401'])
  })

  it('are warned of where the login is held back', async () => {
    const { stdout } = await startReplay([kept], 'http://127.0.0.1:9', '--plan').ended
    expect(stdout).toMatch(/WARNING +\d+ values of requests come from replies to writes, which are held back/)
  })
})

describe.skipIf(NGINX_ABSENT)('sessions that log in through a proxy, whose pool of connections serves them all', () => {
  const LOGINS: readonly Login[] = ['cookie', 'form', 'token']
  const pooled = folder.path('pooled.mcap')

  beforeAll(async () => {
    const shop = await openShop(17)
    const tap = await startTap(shop.port, pooled)
    const nginx = await startNginx(
      'location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }',
      `upstream shop { server 127.0.0.1:${tap.port}; keepalive 3; }`,
    )
    const visits = Array.from({ length: USERS }, (_, user) =>
      shopOnce(nginx.port, `user-${user}`, { connections: 1 + (user % 2), login: LOGINS[user % 3] ?? 'cookie' }),
    )
    const failed = await Promise.all(visits)
    if (failed.some((count) => count > 0)) throw new Error(`requests failed: ${failed.join(' ')}`)
    await nginx.stop()
    tap.signal('SIGTERM')
    await tap.ended
  })

  it.each([
    ['by one thread', []],
    ['by two threads', ['--workers', '2']],
    ['as fast as replies come', ['--speed', 'max', '-c', '4', '--yes']],
  ])('all succeed on a fresh instance, four times each, without any rule: %s', async (name, flags) => {
    const shop = await openShop(5_000)
    const directory = folder.path(`pooled ${name}`)
    const words = ['--amplify', '4', '--allow-writes', '-o', directory, ...flags]
    await startReplay([pooled], shop.url, ...words).ended
    const { totals, counters } = await readRunDirectory(directory)
    const steps = LOGINS.reduce((sum, login) => sum + STEPS_OF[login] * (USERS / LOGINS.length), 0)
    expect([totals.replies, totals.mismatches, totals.errors]).toEqual([4 * steps, 0, {}])
    expect(shop.failures()).toBe(0)
    expect(counters).toMatchObject({ correlated: 4 * (steps - USERS), correlationLost: 0 })
  })
})

describe('mesh inspect --correlations', () => {
  it('says what was learnt, and how sure it is', async () => {
    const { stdout, code } = await runMesh('inspect', '--correlations', masked)
    expect(code).toBe(0)
    for (const rule of [
      'GET /login html csrf_token -> POST /login form csrf_token',
      'POST /login cookie sid -> * cookie sid',
      'POST /login location query code -> GET /welcome query code',
      'POST /api/refresh json .data.token -> * header authorization',
      'POST /api/orders json .order.id -> PUT /api/orders/:id json .orderId',
      'POST /api/orders location path 3 -> GET /api/orders/:id path 3',
      'GET /api/orders/:id header etag -> * header if-match',
    ]) {
      expect(stdout).toContain(`  ${rule}\n      `)
    }
    expect(stdout).toContain(`certain: ${USERS} requests of ${USERS} sessions, 8 or more values\n`)
    expect(stdout).not.toContain('against it')
  })

  it('prints one JSON document with --json', async () => {
    const { stdout } = await runMesh('inspect', '--correlations', '--json', kept)
    const { rules } = JSON.parse(stdout) as { rules: { rule: string; confidence: string }[] }
    expect(rules).toContainEqual(
      expect.objectContaining({ rule: 'POST /login cookie sid -> * cookie sid', confidence: 'certain', misses: 0 }),
    )
  })
})
