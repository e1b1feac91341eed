import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes } from '../../src/core/bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Direction, Segment } from '../../src/core/segment.ts'
import { http1 } from '../../src/wire/http1/protocol.ts'
import { captureBench, hungUp, ms, opened, type CaptureBench } from '../support/capture-bench.ts'

const lines = (...each: string[]): string => each.map((line) => `${line}\r\n`).join('')
const GET = lines('GET /cart HTTP/1.1', 'Host: shop', '')
const OK = `${lines('HTTP/1.1 200 OK', 'Content-Length: 2', '')}ok`

/** A connection that is captured: keeps count of what each end has received. */
class Wire {
  readonly bench: CaptureBench = captureBench({ protocol: http1 })
  readonly #sent: Record<Direction, number> = { request: 0, response: 0 }
  #atMs = 0

  constructor() {
    this.bench.pipeline.feed([opened()])
  }

  /** The client sends this, 1 ms after what was before. */
  asks(text: string, knowing?: number): this {
    return this.#sends('request', text, knowing)
  }

  answers(text: string): this {
    return this.#sends('response', text)
  }

  /** So many bytes are lost. */
  loses(direction: Direction, length: number): this {
    this.#sent[direction] += length
    return this.#feed({ kind: 'gap', connection: 0, direction, atNs: this.#nextNs(), length, reason: 'missing' })
  }

  hangsUp(): this {
    this.bench.pipeline.feed(hungUp(++this.#atMs))
    return this
  }

  get recorded(): string[] {
    return this.bench.writer.exchanges.map(brief)
  }

  #sends(direction: Direction, text: string, knowing?: number): this {
    const acknowledged = knowing ?? this.#sent[direction === 'request' ? 'response' : 'request']
    this.#sent[direction] += text.length
    const bytes = latin1Bytes(text)
    return this.#feed({ kind: 'data', connection: 0, direction, atNs: this.#nextNs(), bytes, acknowledged })
  }

  #feed(segment: Segment): this {
    this.bench.pipeline.feed([segment])
    return this
  }

  #nextNs(): number {
    return ms(++this.#atMs)
  }
}

/** `GET /cart HTTP/1.1 -> HTTP/1.1 200 OK|ok`. */
function brief(exchange: Exchange): string {
  const first = (head: Uint8Array): string => latin1(head).split('\r\n', 1)[0] ?? ''
  const body = exchange.request.bodySize === 0 ? '' : `|${latin1(exchange.request.body)}`
  const request = `${first(exchange.request.head)}${body}`
  const { response } = exchange
  if (typeof response === 'string') return `${request} -> ${response}`
  const { head, body: answer, cut } = response
  return `${request} -> ${first(head)}|${latin1(answer)}${cut === undefined ? '' : `!${cut}`}`
}

describe('recording HTTP/1', () => {
  it('keeps heads as received, bodies without their framing, and trailers', () => {
    const chunked = lines('HTTP/1.1 200 OK', 'X-A:  1', 'x-a: 2', 'Transfer-Encoding: chunked', '')
    const wire = new Wire().asks(GET).answers(`${chunked}3;x=1\r\nabc\r\n2\r\nde\r\n`).answers('0\r\nT: v\r\n\r\n')
    const [exchange] = wire.bench.writer.exchanges
    expect(wire.recorded).toEqual(['GET /cart HTTP/1.1 -> HTTP/1.1 200 OK|abcde'])
    expect(exchange).toMatchObject({ protocol: 'http1', requestFirstNs: ms(1), requestLastNs: ms(1) })
    expect(exchange?.response).toMatchObject({ firstNs: ms(2), lastNs: ms(3), bodySize: 5, cut: undefined })
    expect(exchange?.response).toMatchObject({ head: latin1Bytes(chunked), trailers: latin1Bytes('T: v\r\n') })
    const { bytes } = wire.bench.ledger.total()
    expect(bytes.framing).toBe('3;x=1\r\n\r\n2\r\n\r\n0\r\n\r\n'.length)
    expect(bytes.whole + bytes.framing).toBe(bytes.seen)
  })

  it('takes times from where bytes arrived, however a head is split', () => {
    const wire = new Wire()
    for (const character of GET) wire.asks(character)
    wire.answers(OK.slice(0, 20)).answers(OK.slice(20))
    const [exchange] = wire.bench.writer.exchanges
    const end = GET.length
    expect(exchange).toMatchObject({ requestFirstNs: ms(1), requestLastNs: ms(end) })
    expect(exchange?.response).toMatchObject({ firstNs: ms(end + 1), lastNs: ms(end + 2) })
  })

  it('ends a response without a length with its connection', () => {
    const wire = new Wire()
      .asks(GET)
      .answers(`${lines('HTTP/1.0 200 OK', '')}until `)
      .answers('the end')
      .hangsUp()
    expect(wire.recorded).toEqual(['GET /cart HTTP/1.1 -> HTTP/1.0 200 OK|until the end'])
    expect(wire.bench.writer.exchanges[0]?.response).toMatchObject({ lastNs: ms(3) })
  })

  it('records the final response of an upload that waited to go on', () => {
    const wire = new Wire()
      .asks(lines('PUT /a HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 4', ''))
      .answers(lines('HTTP/1.1 100 Continue', ''))
      .asks('data')
      .answers(OK)
    expect(wire.recorded).toEqual(['PUT /a HTTP/1.1|data -> HTTP/1.1 200 OK|ok'])
    expect(wire.bench.ledger.total().reasons.get('responses.interim')).toBe(1)
  })

  it('gives each response to its own request where one was lost', () => {
    const wire = new Wire()
      .asks(GET)
      .answers(OK)
      .asks(lines('GET /lost HTTP/1.1', 'Host: a', ''))
    wire
      .loses('response', 400)
      .asks(lines('GET /next HTTP/1.1', 'Host: a', ''))
      .answers(OK)
      .hangsUp()
    expect(wire.recorded).toEqual([
      'GET /cart HTTP/1.1 -> HTTP/1.1 200 OK|ok',
      'GET /lost HTTP/1.1 -> gap',
      'GET /next HTTP/1.1 -> HTTP/1.1 200 OK|ok',
    ])
    const { requests, responses, bytes } = wire.bench.ledger.total()
    expect([requests.whole, responses.seen, responses.whole, bytes.gap]).toEqual([3, 2, 2, 400])
  })

  it('records the request that switches protocols, and counts what follows as opaque', () => {
    const wire = new Wire()
      .asks(lines('GET /ws HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket', ''))
      .answers(lines('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', ''))
      .asks('frames')
      .answers('frames back')
      .hangsUp()
    expect(wire.recorded).toEqual(['GET /ws HTTP/1.1 -> HTTP/1.1 101 Switching Protocols|'])
    const { connections, bytes, reasons } = wire.bench.ledger.total()
    expect([connections.opaque, bytes.opaque]).toEqual([1, 17])
    expect(reasons.get('connections.opaque.upgrade')).toBe(1)
  })

  it('never records a request whose framing is ambiguous', () => {
    const wire = new Wire()
      .asks(GET)
      .answers(OK)
      .asks(`${lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Transfer-Encoding: chunked', '')}0\r\n\r\n`)
      .answers(OK)
      .hangsUp()
    expect(wire.recorded).toEqual(['GET /cart HTTP/1.1 -> HTTP/1.1 200 OK|ok'])
    const { connections, requests, reasons } = wire.bench.ledger.total()
    expect([connections.undecodable, requests.seen, requests.undecodable]).toEqual([1, 2, 1])
    expect(reasons.get('requests.undecodable.length-and-chunked')).toBe(1)
  })

  it('counts TLS and HTTP/2 connections by name', () => {
    const hello = latin1Bytes('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + 'r'.repeat(40))
    const tls = new Wire().asks(latin1(hello)).answers('\x16\x03\x03more').hangsUp()
    const http2 = new Wire().asks('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').hangsUp()
    expect(tls.bench.ledger.total().reasons.get('connections.opaque.tls')).toBe(1)
    expect(http2.bench.ledger.total().reasons.get('connections.opaque.http2')).toBe(1)
    for (const { bench } of [tls, http2])
      expect(bench.ledger.total().bytes.opaque).toBe(bench.ledger.total().bytes.seen)
  })

  it('drops what a replay sent', () => {
    const wire = new Wire().asks(lines('GET /cart HTTP/1.1', 'Host: a', 'X-Mesh-Replay: run', '')).answers(OK)
    expect(wire.recorded).toEqual([])
    expect(wire.bench.ledger.total().reasons.get('requests.filtered.replayed')).toBe(1)
  })
})
