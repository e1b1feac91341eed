import { afterEach, describe, expect, it } from 'vitest'
import type { MirrorSettings } from '../../src/cli/mirror/mirror-settings.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { ComparisonReport } from '../../src/mirror/comparison.ts'
import type { Mirror } from '../../src/mirror/mirror.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import type { Answer, HttpTarget } from '../support/targets.ts'
import { startHttpTarget } from '../support/targets.ts'
import { answered, mirrorTo } from './mirrors.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Answers every path with this status and JSON text. */
function says(replies: Readonly<Record<string, string>>, status = 200): Answer {
  return (reply, { path }) => {
    reply.writeHead(status, { 'content-type': 'application/json' }).end(replies[path] ?? '{}')
  }
}

async function target(answer: Answer): Promise<HttpTarget> {
  const started = await startHttpTarget(answer)
  closers.push(started.close)
  return started
}

async function staging(answer: Answer, changes: Partial<MirrorSettings> = {}, nowNs = 0): Promise<Mirror> {
  return mirrorTo((await target(answer)).port, { compare: true, ...changes }, nowNs)
}

async function found(mirror: Mirror, ...exchanges: Exchange[]): Promise<ComparisonReport> {
  for (const one of exchanges) mirror.offer(one)
  await mirror.close()
  const { comparison } = mirror.report()
  if (comparison === undefined) throw new Error('nothing was compared')
  return comparison
}

describe('the comparison of replies', () => {
  it('finds a changed status and a changed field, by route, with an example that is masked', async () => {
    const mirror = await staging((reply, { path }) => {
      const body = '{"price":2,"token":"staging-secret"}'
      reply.writeHead(path === '/gone' ? 404 : 200, { 'content-type': 'application/json' }).end(body)
    })
    const comparison = await found(
      mirror,
      answered('GET /items/1', '{"price":1,"token":"production-secret"}'),
      answered('GET /items/2', '{"price":1,"token":"production-secret"}'),
      answered('GET /gone', '{}'),
    )
    expect(comparison).toMatchObject({ same: 0, diverging: 3, noisy: 0, afterDrop: 0, baseMoved: 0 })
    expect(comparison.groups.map(({ route, field, count }) => `${route} ${field} ${count}`)).toEqual([
      'GET /items/:id body.price 2',
      'GET /items/:id body.token 2',
      'GET /gone status 1',
    ])
    expect(comparison.groups[0]?.example).toMatchObject({ production: '1', staging: '2' })
    expect(comparison.groups[1]?.example?.production).toMatch(/^"mesh-[0-9a-f]{16}"$/)
    expect(JSON.stringify(comparison)).not.toContain('secret"')
  })

  it('calls the same what differs in the order of names and in ignored fields alone', async () => {
    const mirror = await staging(says({ '/': '{"b":2,"a":1,"version":"9"}' }), { ignore: ['body.version'] })
    expect(await found(mirror, answered('GET /', '{"a":1,"b":2,"version":"8"}'))).toMatchObject({
      same: 1,
      diverging: 0,
    })
  })

  it("learns from equal requests in production's own traffic what differs by itself", async () => {
    const mirror = await staging(says({ '/': '{"now":7,"price":2}' }))
    const comparison = await found(
      mirror,
      answered('GET /', '{"now":1,"price":1}'),
      answered('GET /', '{"now":2,"price":1}'),
      answered('GET /', '{"now":3,"price":2}'),
    )
    expect(comparison.noise).toContainEqual({ route: 'GET /', field: 'body.now' })
    expect(comparison.groups.some(({ field }) => field === 'body.now')).toBe(false)
    expect(comparison.unlearnt).toEqual([])
  })

  it('names the routes of whose noise nothing could be learnt', async () => {
    const mirror = await staging(says({ '/': '{"price":2}', '/clock': '{"now":7}' }))
    const comparison = await found(
      mirror,
      answered('GET /', '{"price":1}'),
      answered('GET /', '{"price":1}'),
      answered('GET /clock', '{"now":1}'),
    )
    expect(comparison.groups.map(({ route }) => route)).toContain('GET /')
    expect(comparison.unlearnt).toEqual(['GET /clock'])
  })

  it('holds what two stagings disagree on for noise, and asks production nothing', async () => {
    const twin = await target(says({ '/': '{"id":"b","price":2}' }))
    const first = says({ '/': '{"id":"a","price":2}' })
    const place = { url: twin.url, insecure: false, ca: undefined }
    const comparison = await found(await staging(first, { twin: place }), answered('GET /', '{"id":"c","price":1}'))
    expect(comparison.groups.map(({ field }) => field)).toEqual(['body.price'])
    expect(comparison.noise).toEqual([{ route: 'GET /', field: 'body.id' }])
    expect(twin.seen.map(({ headers }) => headers.host)).toEqual([`127.0.0.1:${twin.port}`])
  })

  it('does not compare where the twin gave no reply', async () => {
    const twin = await target((reply) => reply.destroy())
    const place = { url: twin.url, insecure: false, ca: undefined }
    const comparison = await found(await staging(says({}), { twin: place }), answered('GET /', '{"id":1}'))
    expect(comparison.notCompared).toEqual({ 'twin-no-reply': 1 })
  })

  it('counts differences of a session after a request of it that was not mirrored apart', async () => {
    const mirror = await staging(says({}))
    const cut = exchange({ session: 'sid=1', request: message(['GET /a HTTP/1.1', 'Host: a'], '', { cut: 'gap' }) })
    const comparison = await found(
      mirror,
      answered('GET /a', '{"a":1}', { session: 'sid=1' }),
      cut,
      answered('GET /a', '{"a":1}', { session: 'sid=1' }),
      answered('GET /a', '{"a":1}', { session: 'sid=2' }),
    )
    expect(comparison).toMatchObject({ afterDrop: 1, diverging: 2 })
  })

  describe('with writes on a live base', () => {
    const exchanges = [
      answered('GET /orders/1', '{"n":1}', { requestFirstNs: 0 }),
      answered('POST /carts/7/items', '{"id":1}', { requestFirstNs: 1e9 }),
      answered('GET /carts/7', '{"n":1}', { requestFirstNs: 2e9 }),
      answered('GET /carts/8', '{"n":1}', { requestFirstNs: 2e9 }),
    ]

    it('counts replies to writes and to later reads of what they touched as moved base', async () => {
      const comparison = await found(await staging(says({}), { allowWrites: true }, 3e9), ...exchanges)
      expect(comparison).toMatchObject({ baseMoved: 2, diverging: 2 })
      expect(comparison.groups.map(({ route }) => route)).toEqual(['GET /carts/:id', 'GET /orders/:id'])
    })

    it('compares everything where the base stands still', async () => {
      const comparison = await found(await staging(says({}), { allowWrites: true, base: 'still' }, 3e9), ...exchanges)
      expect(comparison).toMatchObject({ baseMoved: 0, diverging: 4 })
    })
  })

  it('counts a read as moved base that a held write of the same moment touched, known before it or after', async () => {
    const mirror = await staging(says({}), {}, 1.5e9)
    const write = answered('PUT /carts/7', '{}', {
      requestFirstNs: 1e9,
      response: response(['HTTP/1.1 200 OK'], '{}', { firstNs: 1.1e9, lastNs: 1.2e9 }),
    })
    mirror.offer(answered('GET /carts/7', '{"n":1}', { requestFirstNs: 0.9e9 }))
    const comparison = await found(mirror, write, answered('GET /carts/8', '{"n":1}', { requestFirstNs: 0.9e9 }))
    expect(comparison).toMatchObject({ baseMoved: 1, diverging: 1 })
  })

  it('counts every answered copy in exactly one place', async () => {
    const mirror = await staging(says({ '/same': '{"a":1}' }))
    const comparison = await found(
      mirror,
      answered('GET /same', '{"a":1}'),
      answered('GET /x', '{"a":1}'),
      answered('GET /late', '', { response: 'late' }),
    )
    expect(comparison).toMatchObject({ same: 1, diverging: 1, notCompared: { 'production-late': 1 }, open: 0 })
    expect(mirror.report().counts.answered).toBe(3)
  })
})
