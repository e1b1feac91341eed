import { afterEach, describe, expect, it } from 'vitest'
import { ExchangeIntake } from '../../src/capture/intake.ts'
import { assembleMirror } from '../../src/cli/mirror/mirror-assembly.ts'
import { latin1Bytes } from '../../src/core/bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { LedgerKeeper } from '../../src/core/ledger.ts'
import type { MirrorCounts } from '../../src/mirror/counts.ts'
import { sumOf } from '../../src/mirror/counts.ts'
import { MirrorWriter } from '../../src/mirror/mirror-writer.ts'
import { exchange, message } from '../support/exchanges.ts'
import type { HttpTarget } from '../support/targets.ts'
import { answerAtOnce, closedPort, startHttpTarget, startTcpTarget } from '../support/targets.ts'
import { answered, mirrorSettings, mirrorTo } from './mirrors.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function target(...words: Parameters<typeof startHttpTarget>): Promise<HttpTarget> {
  const started = await startHttpTarget(...words)
  closers.push(started.close)
  return started
}

async function tcpTarget(take: Parameters<typeof startTcpTarget>[0]): Promise<number> {
  const started = await startTcpTarget(take)
  closers.push(started.close)
  return started.port
}

function requesting(lines: readonly string[], body = '', changes: Partial<Exchange> = {}): Exchange {
  return exchange({ request: message(lines, body), ...changes })
}

function expectBalance(counts: MirrorCounts): void {
  const { taken, held, unsendable, dropped, sent, answered, unanswered, waiting, flying } = counts
  expect(sumOf(held) + sumOf(unsendable) + sumOf(dropped) + sent + waiting).toBe(taken)
  expect(answered + sumOf(unanswered) + flying).toBe(sent)
}

describe('a copy', () => {
  it('is the request as production got it, but for Host, the hop and the marks', async () => {
    const staging = await target()
    const mirror = mirrorTo(staging.port, { allowWrites: true, headers: [{ name: 'X-Env', value: 'staging' }] })
    const lines = [
      'POST /orders?q=%20a&b=1 HTTP/1.1',
      'Host: shop.example',
      'X-Twice: 1',
      'x-twice: 2',
      'Accept: */*; café',
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'baggage: user=7',
      'x-env: production',
      'Content-Length: 11',
    ]
    const one = requesting([], 'hello w\u00f6rld')
    const request = { ...one.request, head: latin1Bytes(`${lines.join('\r\n')}\r\n\r\n`) }
    mirror.offer({ ...one, request })
    await mirror.close()
    expect(staging.seen).toHaveLength(1)
    const [seen] = staging.seen
    expect({ method: seen?.method, path: seen?.path, body: seen?.body.toString() }).toEqual({
      method: 'POST',
      path: '/orders?q=%20a&b=1',
      body: 'hello w\u00f6rld',
    })
    expect(seen?.rawHeaders).toEqual([
      ...['Host', `127.0.0.1:${staging.port}`, 'X-Twice', '1', 'x-twice', '2', 'Accept', '*/*; café'],
      ...['baggage', 'user=7,mesh-replay=run-1', 'X-Env', 'staging', 'Content-Length', '12'],
      ...['x-mesh-replay', 'run-1', 'Connection', 'keep-alive'],
    ])
  })

  it('has the whole body, of a megabyte and of one that came in chunks with trailers', async () => {
    const staging = await target()
    const mirror = mirrorTo(staging.port, { allowWrites: true })
    const large = 'x'.repeat(1024 * 1024)
    mirror.offer(requesting(['PUT /large HTTP/1.1', 'Host: a', 'Content-Length: 1048576'], large))
    const chunked = requesting(
      ['POST /chunked HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Trailer: X-Sum'],
      'abc',
    )
    mirror.offer({ ...chunked, request: { ...chunked.request, trailers: latin1Bytes('X-Sum: 3\r\n') } })
    mirror.offer(requesting(['POST /plain HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'], 'abc'))
    await mirror.close()
    expect(staging.seen.map(({ path, body }) => [path, body.length])).toEqual([
      ['/large', 1048576],
      ['/chunked', 3],
      ['/plain', 3],
    ])
    expect(staging.seen[0]?.body.equals(Buffer.from(large))).toBe(true)
    expect(staging.seen[1]?.headers).toMatchObject({ 'transfer-encoding': 'chunked', trailer: 'X-Sum' })
    expect(staging.seen[2]?.headers).toMatchObject({ 'content-length': '3' })
  })

  it('keeps Host where it is told to', async () => {
    const staging = await target()
    const mirror = mirrorTo(staging.port, { keepHost: true })
    mirror.offer(requesting(['GET / HTTP/1.1', 'Host: shop.example']))
    await mirror.close()
    expect(staging.seen[0]?.headers.host).toBe('shop.example')
  })

  it('is sent after the reply to the one before it on its connection, beside those of other connections', async () => {
    const order: string[] = []
    const replies: (() => void)[] = []
    const staging = await target((response, { path }) => {
      order.push(path)
      replies.push(() => answerAtOnce(response, { path } as never))
    })
    const mirror = mirrorTo(staging.port)
    mirror.offer(requesting(['GET /a1 HTTP/1.1', 'Host: a'], '', { connection: 1 }))
    mirror.offer(requesting(['GET /a2 HTTP/1.1', 'Host: a'], '', { connection: 1 }))
    mirror.offer(requesting(['GET /b1 HTTP/1.1', 'Host: a'], '', { connection: 2 }))
    await staging.saw(2)
    expect([...order].sort()).toEqual(['/a1', '/b1'])
    for (const reply of replies.splice(0)) reply()
    await staging.saw(3)
    expect(order[2]).toBe('/a2')
    replies.pop()?.()
    await mirror.close()
  })
})

describe('a mirror', () => {
  it('holds writes back, those in disguise too, and counts them by method', async () => {
    const staging = await target()
    const mirror = mirrorTo(staging.port)
    for (const line of ['POST /', 'DELETE /', 'GET /?_method=PUT', 'GET /', 'HEAD /', 'OPTIONS *'])
      mirror.offer(answered(line, ''))
    await mirror.close()
    const { counts } = mirror.report()
    expect(staging.seen.map(({ method }) => method).sort()).toEqual(['GET', 'HEAD', 'OPTIONS'])
    expect(counts).toMatchObject({ taken: 6, sent: 3, answered: 3, held: { POST: 1, DELETE: 1, PUT: 1 } })
    expectBalance(counts)
  })

  it('never sends what is cut, an upgrade, or a copy of its own', async () => {
    const staging = await target()
    const mirror = mirrorTo(staging.port)
    mirror.offer(exchange({ request: message(['GET / HTTP/1.1', 'Host: a'], 'x', { cut: 'limit' }) }))
    mirror.offer(requesting(['GET / HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Connection: upgrade']))
    mirror.offer(requesting(['GET / HTTP/1.1', 'Host: a', 'x-mesh-replay: run-0']))
    mirror.offer(requesting(['GET / HTTP/1.1', 'Host: a', 'baggage: mesh-replay=run-0']))
    await mirror.close()
    expect(staging.seen).toEqual([])
    expect(mirror.report().counts.unsendable).toEqual({ limit: 1, upgrade: 1, replayed: 2 })
  })

  it('drops what a staging that never answers leaves no room for, without waiting, and ends all the same', async () => {
    const port = await tcpTarget((socket) => socket.resume())
    const mirror = mirrorTo(port, { timeoutNs: 0.3e9, maxInFlight: 10 })
    for (let number = 0; number < 11_000; number++) {
      mirror.offer(requesting(['GET / HTTP/1.1', 'Host: a'], '', { connection: number }))
    }
    const during = mirror.report().counts
    expect(during).toMatchObject({
      taken: 11_000,
      sent: 10,
      flying: 10,
      waiting: 10_000,
      dropped: { 'queue-full': 990 },
    })
    expectBalance(during)
    await mirror.close()
    const { counts } = mirror.report()
    expectBalance(counts)
    expect(counts).toMatchObject({ answered: 0, waiting: 0, flying: 0, heldBytes: 0 })
    expect(counts.unanswered['timeout']).toBeGreaterThanOrEqual(10)
  })

  it('holds no more than its bound of bytes for a staging that never answers', async () => {
    const port = await tcpTarget(() => undefined)
    const mirror = mirrorTo(port, { allowWrites: true })
    const body = 'x'.repeat(1024 * 1024)
    for (let number = 0; number < 100; number++) {
      mirror.offer(requesting(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 1048576'], body, { connection: number }))
    }
    expect(mirror.report().counts.heldBytes).toBeLessThanOrEqual(64 * 1024 * 1024)
    expect(mirror.report().counts.dropped['queue-full']).toBeGreaterThan(30)
    mirror.destroy()
    await mirror.close()
    expectBalance(mirror.report().counts)
  })

  it.each([
    ['refused', async () => closedPort()],
    ['reset', async () => tcpTarget((socket) => socket.once('data', () => socket.resetAndDestroy()))],
    ['closed', async () => tcpTarget((socket) => socket.once('data', () => socket.end()))],
    [
      'closed',
      async () =>
        tcpTarget((socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx'))),
    ],
    ['bad-reply', async () => tcpTarget((socket) => socket.once('data', () => socket.end('nonsense\r\n\r\n')))],
    ['timeout', async () => tcpTarget((socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n')))],
  ])('counts a copy without a reply as %s', async (reason, start) => {
    const mirror = mirrorTo(await start(), { timeoutNs: reason === 'timeout' ? 0.3e9 : 60e9 })
    mirror.offer(answered('GET /', ''))
    await mirror.close()
    const { counts } = mirror.report()
    expect(counts).toMatchObject({ sent: 1, answered: 0, unanswered: { [reason]: 1 } })
    expectBalance(counts)
  })

  it('counts a certificate that nobody trusts as tls, without sending anything', async () => {
    const port = await tcpTarget((socket) => socket.once('data', () => socket.end('not TLS')))
    const mirror = mirrorTo(port, { target: { url: `https://127.0.0.1:${port}`, insecure: false, ca: undefined } })
    mirror.offer(answered('GET /', ''))
    await mirror.close()
    expect(mirror.report().counts.unanswered).toEqual({ tls: 1 })
  })

  it('drops a copy that has waited longer than the time-out', async () => {
    const port = await tcpTarget((socket) => socket.resume())
    const mirror = mirrorTo(port, { timeoutNs: 0.2e9, maxInFlight: 1 })
    for (let connection = 0; connection < 3; connection++) mirror.offer(answered('GET /', '', { connection }))
    await mirror.close()
    const { counts } = mirror.report()
    expect(counts.sent + sumOf(counts.dropped)).toBe(3)
    expect(sumOf(counts.dropped)).toBeGreaterThanOrEqual(1)
    expectBalance(counts)
  })

  it('mirrors a sample of sessions, each whole', async () => {
    const staging = await target()
    const { mirror, stages } = assembleMirror(mirrorSettings(staging.port, { sample: 0.5 }), () => 0, true)
    const intake = new ExchangeIntake({ writer: new MirrorWriter(mirror), ledger: new LedgerKeeper(), stages })
    for (const round of ['a', 'b']) {
      for (let user = 0; user < 40; user++)
        intake.offer(answered(`GET /${user}?${round}`, '', { session: `sid=${user}` }))
    }
    await mirror.close()
    const users = staging.seen.map(({ path }) => path.split('?')[0] ?? '')
    const whole = new Set(users)
    expect(users).toHaveLength(2 * whole.size)
    expect([whole.size > 5, whole.size < 35]).toEqual([true, true])
  })
})
