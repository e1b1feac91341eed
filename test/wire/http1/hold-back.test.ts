import { describe, expect, it } from 'vitest'
import { latin1Bytes } from '../../../src/core/bytes.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import type { Permissions } from '../../../src/wire/http1/hold-back.ts'
import { judgeRequest, recordedStatus } from '../../../src/wire/http1/hold-back.ts'
import { RequestHeadReader } from '../../../src/wire/http1/request-head.ts'
import { exchange, message, response } from '../../support/exchanges.ts'

function judge(one: Exchange, changes: Partial<Permissions> = {}): unknown {
  const head = new RequestHeadReader().read(one.request.head)
  return judgeRequest(one, head, { allowWrites: false, keepReplayed: false, ...changes })
}

function requesting(lines: readonly string[], changes: Partial<Exchange> = {}): Exchange {
  return exchange({ request: message(lines), ...changes })
}

describe('judgeRequest', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE'])('sends %s, which is safe', (method) => {
    expect(judge(requesting([`${method} / HTTP/1.1`, 'Host: a']))).toEqual({ fate: 'send' })
  })

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'PROPPATCH', 'get', 'X'])(
    'holds %s back unless writes are allowed',
    (method) => {
      const one = requesting([`${method} / HTTP/1.1`, 'Host: a'])
      expect(judge(one)).toEqual({ fate: 'held', method })
      expect(judge(one, { allowWrites: true })).toEqual({ fate: 'send' })
    },
  )

  it.each(['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override'])(
    'holds back a write that hides behind %s',
    (name) => {
      expect(judge(requesting(['GET /a HTTP/1.1', `${name}: delete`]))).toEqual({ fate: 'held', method: 'DELETE' })
    },
  )

  it.each([
    ['CONNECT', ['CONNECT shop:443 HTTP/1.1'], 'connect'],
    ['a websocket', ['GET / HTTP/1.1', 'Upgrade: websocket', 'Connection: Upgrade'], 'upgrade'],
    ['a coding that was not undone', ['POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked'], 'transfer-coding'],
    ['a start line without a version', ['GET /'], 'malformed'],
    ['a header without a name', ['GET / HTTP/1.1', ': x'], 'malformed'],
    ['a blank before a colon', ['GET / HTTP/1.1', 'Content-Length : 5'], 'malformed'],
    ['a line without a colon', ['GET / HTTP/1.1', 'nonsense'], 'malformed'],
    ['an HTTP/2 head without a path', [':method: GET', ':authority: a'], 'malformed'],
  ])('cannot replay %s', (_, lines, reason) => {
    expect(judge(requesting(lines), { allowWrites: true })).toEqual({ fate: 'unplayable', reason })
  })

  it.each(['limit', 'gap', 'close', 'end', 'undecodable'] as const)(
    'cannot replay a request that was cut by %s',
    (cut) => {
      expect(judge(exchange({ request: message(['GET / HTTP/1.1'], '', { cut }) }))).toEqual({
        fate: 'unplayable',
        reason: cut,
      })
    },
  )

  it('replays a body that masking made longer or shorter, and no other protocol', () => {
    const masked = exchange({ request: message(['GET / HTTP/1.1'], 'abc', { bodySize: 9 }) })
    expect(judge(masked)).toEqual({ fate: 'send' })
    expect(judge(exchange({ protocol: 'redis' }))).toEqual({ fate: 'unplayable', reason: 'protocol' })
  })

  it.each([
    [['GET /a?_method=DELETE HTTP/1.1']],
    [['GET / HTTP/1.1', 'X_HTTP_METHOD_OVERRIDE: DELETE']],
    [['GET / HTTP/1.1', 'X-HTTP-Method-Override: DELETE']],
  ])('holds %j back, which some frameworks take for a DELETE', (lines) => {
    expect(judge(requesting(lines))).toEqual({ fate: 'held', method: 'DELETE' })
  })

  it('replays an offer of h2c that was not taken, and not one that was', () => {
    const lines = ['GET / HTTP/1.1', 'Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings']
    expect(judge(requesting(lines))).toEqual({ fate: 'send' })
    const taken = requesting(lines, { response: response(['HTTP/1.1 101 Switching Protocols']) })
    expect(judge(taken)).toEqual({ fate: 'unplayable', reason: 'upgrade' })
  })

  it.each([
    ['the header', 'X-Mesh-Replay: r'],
    ['the member of baggage', 'baggage: a=b, mesh-replay=r;x=y'],
  ])('leaves out a replay’s own requests, known by %s, unless asked', (_, line) => {
    const one = requesting(['POST / HTTP/1.1', line])
    expect(judge(one)).toEqual({ fate: 'replayed' })
    expect(judge(one, { allowWrites: true, keepReplayed: true })).toEqual({ fate: 'send' })
  })

  it('takes baggage of others for what it is', () => {
    expect(judge(requesting(['GET / HTTP/1.1', 'baggage: mesh-replayed=r,x=mesh-replay']))).toEqual({ fate: 'send' })
  })
})

describe('recordedStatus', () => {
  it.each([
    ['HTTP/1.1 204 No Content', 204],
    ['HTTP/1.1 200', 200],
    [':status: 404', 404],
    ['HTTP/1.1 2x0 OK', 0],
    ['nonsense', 0],
  ])('reads "%s" as %i', (line, status) => {
    expect(recordedStatus(exchange({ response: response([line]) }))).toBe(status)
  })

  it('is 0 without a response', () => {
    expect(recordedStatus(exchange({ response: 'gap' }))).toBe(0)
    expect(recordedStatus(exchange({ response: { ...response([]), head: latin1Bytes('') } }))).toBe(0)
  })
})
