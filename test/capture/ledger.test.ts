import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasResponse } from '../../src/core/exchange.ts'
import { addLedger, emptyLedger, ledgerImbalance, LEDGER_FATES, LEDGER_UNITS } from '../../src/core/ledger.ts'
import type { Segment } from '../../src/core/segment.ts'
import type { Stages } from '../../src/capture/stages.ts'
import { http1 } from '../../src/wire/http1/protocol.ts'
import type { Protocol } from '../../src/wire/protocol.ts'
import { captureBench } from '../support/capture-bench.ts'
import { lineProtocol } from '../support/line-protocol.ts'
import { segmentStreams, streamBytes, type Conversation } from '../support/segment-streams.ts'

const lineBody = fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[^a-z]/g, 'x'))

/** Numbered lines both ways, with interim responses and now and then another protocol at the end. */
const lineConversation: fc.Arbitrary<Conversation> = fc
  .tuple(
    fc.array(fc.tuple(lineBody, lineBody, fc.boolean()), { minLength: 1, maxLength: 12 }),
    fc.constantFrom('', '', '@'),
  )
  .map(([messages, after]) => ({
    request: messages.map(([asked], index) => `${index} get:${asked}\n`).join('') + after,
    response:
      messages
        .map(([, answered, interim], index) => `${interim ? `${index} wait!:` : ''}${index} ok:${answered}\n`)
        .join('') + after,
  }))

const stages: fc.Arbitrary<Stages> = fc.constantFrom<Stages>(
  {},
  { matches: ({ position }) => position % 2 === 0 },
  { session: ({ connection }) => String(connection), keeps: (session) => session !== '1' },
  {
    mask(exchange) {
      if (exchange.position === 1) throw new Error('cannot be masked')
      return exchange
    },
  },
)

const crlf = (...lines: string[]): string => lines.map((line) => `${line}\r\n`).join('')

/** A request and its response, as nginx and curl would write them, with the framings that HTTP/1.1 knows. */
const httpExchange = fc
  .tuple(fc.nat(6), fc.string({ unit: fc.constantFrom('a', 'b', '\r', '\n', ' '), maxLength: 30 }))
  .map(([kind, body]): Conversation => {
    const size = body.length
    const counted = crlf('HTTP/1.1 200 OK', `Content-Length: ${size}`, '') + body
    const chunk = size === 0 ? '' : `${size.toString(16)};e=1\r\n${body}\r\n`
    const chunked = `${crlf('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '')}${chunk}${crlf('0', 'T: 1', '')}`
    const get = crlf('GET /a HTTP/1.1', 'Host: a', '')
    switch (kind) {
      case 0:
        return { request: get, response: counted }
      case 1:
        return { request: crlf('POST / HTTP/1.1', 'Host: a', `Content-Length: ${size}`, '') + body, response: chunked }
      case 2:
        return {
          request: crlf('HEAD / HTTP/1.1', 'Host: a', ''),
          response: crlf('HTTP/1.1 200 OK', 'Content-Length: 9', ''),
        }
      case 3:
        return { request: get, response: crlf('HTTP/1.1 103 Early Hints', '') + crlf('HTTP/1.1 204 No Content', '') }
      case 4:
        return {
          request: `${crlf('PUT / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', '')}${chunk}${crlf('0', '')}`,
          response: counted,
        }
      case 5:
        return {
          request: crlf('GET / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Content-Length: 2', ''),
          response: counted,
        }
      default:
        return { request: get, response: crlf('HTTP/1.1 304 Not Modified', '') }
    }
  })

const httpConversation: fc.Arbitrary<Conversation> = fc
  .tuple(fc.array(httpExchange, { minLength: 1, maxLength: 8 }), fc.nat(19))
  .map(([exchanges, last]) => {
    const request = exchanges.map((exchange) => exchange.request).join('')
    const response = exchanges.map((exchange) => exchange.response).join('')
    if (last > 1) return { request, response }
    const upgrade = crlf('GET / HTTP/1.1', 'Host: a', 'Connection: upgrade', 'Upgrade: websocket', '')
    const agreed = crlf('HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket', '')
    return { request: `${request}${upgrade}frames`, response: `${response}${agreed}more frames` }
  })

const cases: readonly [string, Protocol, fc.Arbitrary<Conversation>][] = [
  ['a line protocol', lineProtocol, lineConversation],
  ['HTTP/1', http1, httpConversation],
]

/** Reasons for what a decoder that keeps its promises never does; the line protocol's takes responses before requests. */
const DECODER_FAULTS = /\.(unaccounted|without-head|repeated-head|decoder-failed)$/

/** Feeds the segments one by one and checks what must hold at any moment; gives what is left to say at the end. */
function record(segments: readonly Segment[], protocol: Protocol, chosen: Stages, maxHeldBytes: number): void {
  const { pipeline, writer, ledger } = captureBench({ protocol, stages: chosen, maxHeldBytes, maxBodyBytes: 20 })
  const sum = emptyLedger()
  const violations: string[] = []
  const holds = (fact: string, truth: boolean): void => {
    if (!truth) violations.push(fact)
  }
  const check = (): void => {
    addLedger(sum, ledger.takeDelta())
    holds('every unit balances', ledgerImbalance(sum).size === 0)
    for (const unit of LEDGER_UNITS)
      for (const fate of LEDGER_FATES) holds(`${unit}.${fate} >= 0`, sum[unit][fate] >= 0)
    holds('requests are in the recording', sum.requests.whole + sum.requests.cut === writer.exchanges.length)
    const responses = writer.exchanges.filter(hasResponse).length + writer.late.length
    holds('responses are in the recording', sum.responses.whole + sum.responses.cut === responses)
  }
  for (const segment of segments) {
    pipeline.feed([segment])
    check()
  }
  pipeline.end()
  check()
  expect(violations).toEqual([])
  expect(sum).toEqual(ledger.total())
  expect(LEDGER_UNITS.map((unit) => sum[unit].pending)).toEqual([0, 0, 0, 0])
  expect(sum.bytes.seen).toBe(streamBytes(segments))
  expect(sum.connections.seen).toBe(3)
  expect(pipeline.heldBytes).toBe(0)
  const faults = [...sum.reasons.keys()].filter((reason) => DECODER_FAULTS.test(reason))
  expect(protocol === http1 ? faults : []).toEqual([])
  const ids = writer.exchanges.map(({ id }) => id)
  expect(ids).toEqual(ids.map((_, index) => index))
}

describe.each(cases)('the ledger of %s', (_, protocol, conversation) => {
  it('balances at any moment, has nothing pending at the end, and has seen every byte that was fed', () => {
    const bounds = fc.constantFrom(64 * 1024 * 1024, 3000)
    fc.assert(
      fc.property(segmentStreams(conversation), stages, bounds, (segments, chosen, maxHeldBytes) => {
        record(segments, protocol, chosen, maxHeldBytes)
      }),
      { numRuns: 200 },
    )
  })
})
