import { createServer, type IncomingMessage } from 'node:http'
import { onTestFinished, describe, expect, it } from 'vitest'

import { secondOpinion } from '../../../src/replay/senders/autocannon.ts'
import type { Target } from '../../../src/replay/senders/target.ts'
import { portOf, targetAt } from './targets.ts'

interface Seen {
  readonly request: IncomingMessage
  readonly body: string
}

/** A server that remembers what it was asked and answers 200, or 404 to `/missing`. */
async function startServer(): Promise<{ readonly target: Target; readonly seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => {
      body += piece.toString('latin1')
    })
    request.on('end', () => {
      seen.push({ request, body })
      response.statusCode = request.url === '/missing' ? 404 : 200
      response.end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { target: targetAt(portOf(server)), seen }
}

const bytes = (...lines: string[]): Uint8Array => Buffer.from(lines.join('\r\n'), 'latin1')

describe('secondOpinion', () => {
  it('sends the prepared requests in turns until its signal aborts, and reports rate, latency and statuses in our units', async () => {
    const { target, seen } = await startServer()
    const requests = [
      bytes('GET /a?b=c HTTP/1.1', 'Host: shop', 'Cookie: a=1', 'Cookie: b=2', '', ''),
      bytes('POST /form HTTP/1.1', 'Host: shop', 'Content-Length: 5', 'Connection: keep-alive', '', 'hello'),
      bytes('GET /missing HTTP/1.1', 'Host: shop', '', ''),
      bytes('POST /chunks HTTP/1.1', 'Host: shop', 'Transfer-Encoding: chunked', '', '0', '', ''),
    ]
    const options = { target, requests, connections: 2, durationNs: 3600e9, timeoutNs: 60e9 }
    const controller = new AbortController()
    // Each has been answered by then.
    const watching = setInterval(() => seen.length > 10 * requests.length && controller.abort(), 10)
    const opinion = await secondOpinion(options, controller.signal)
    clearInterval(watching)
    expect(opinion.durationNs).toBeLessThan(3600e9)
    expect(opinion).toMatchObject({
      tool: 'autocannon',
      connections: 2,
      requests: 3,
      leftOut: 1,
      errors: 0,
      timeouts: 0,
    })
    expect(opinion.replies).toBeGreaterThan(0)
    expect(opinion.repliesPerSecond).toBeCloseTo((opinion.replies * 1e9) / opinion.durationNs)
    expect([...opinion.statuses.keys()].toSorted((a, b) => a - b)).toEqual([200, 404])
    expect(opinion.serviceNs.max).toBeGreaterThanOrEqual(opinion.serviceNs.p50)
    const get = seen.find(({ request }) => request.url === '/a?b=c')
    expect(get?.request.headers).toMatchObject({ host: 'shop', cookie: 'a=1; b=2' })
    const post = seen.find(({ request }) => request.method === 'POST')
    expect(post).toMatchObject({ body: 'hello', request: { headers: { 'content-length': '5' } } })
  })

  it('stops when its time is over, with what there is', async () => {
    const { target } = await startServer()
    const options = { target, requests: [bytes('GET / HTTP/1.1', 'Host: x', '', '')], connections: 1 }
    const never = new AbortController().signal
    const opinion = await secondOpinion({ ...options, durationNs: 1e9, timeoutNs: 60e9 }, never)
    expect(opinion).toMatchObject({ requests: 1, leftOut: 0, errors: 0, timeouts: 0 })
  })
})
