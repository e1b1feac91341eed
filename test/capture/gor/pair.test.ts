import { describe, expect, it } from 'vitest'
import type { ExchangeDraft } from '../../../src/capture/intake.ts'
import { GorPairing } from '../../../src/capture/gor/pair.ts'
import type { GorKind, GorRecord } from '../../../src/capture/gor/record-parser.ts'
import { utf8, utf8Bytes } from '../../../src/core/bytes.ts'
import { hasResponse } from '../../../src/core/exchange.ts'

/** Client port 0x9c40, server port 0x1f90, client 10.1.2.3, then what tells the request. */
const STREAM = '9c401f900a010203'
const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'

function record(kind: GorKind, id: string, atMs: number, payload: string): GorRecord {
  return {
    kind,
    id,
    unixNs: 1_700_000_000_000_000_000n + BigInt(atMs) * 1_000_000n,
    payload: utf8Bytes(payload),
    offset: 0,
  }
}

function pairAll(records: readonly GorRecord[]): { drafts: ExchangeDraft[]; counts: Record<string, number> } {
  const pairing = new GorPairing(1024)
  const drafts = [...records.flatMap((entry) => pairing.take(entry)), ...pairing.end()]
  return { drafts, counts: Object.fromEntries(pairing.counts) }
}

describe('GorPairing', () => {
  it('joins a request and its response by id, with addresses and times', () => {
    const { drafts } = pairAll([
      record('request', `${STREAM}00000001`, 0, GET),
      record('response', `${STREAM}00000001`, 5, OK),
      record('request', `${STREAM}00000002`, 9, GET),
    ])
    expect(drafts).toHaveLength(2)
    expect(drafts[0]).toMatchObject({
      connection: 0,
      position: 0,
      client: { address: '10.1.2.3', port: 40_000 },
      server: { port: 8080 },
      requestFirstNs: 0,
      response: { firstNs: 5e6, bodySize: 2 },
    })
    expect(drafts[1]).toMatchObject({ connection: 0, position: 1, requestFirstNs: 9e6, response: 'absent' })
  })

  it('leaves a record of an impossible time out, counted, and begins at the next', () => {
    const pairing = new GorPairing(1024)
    const absurd = { ...record('request', 'a', 0, GET), unixNs: 9_999_999_999_999_999_999n }
    expect(pairing.take(absurd)).toEqual([])
    pairing.take(record('request', 'b', 7, GET))
    expect(pairing.end()).toMatchObject([{ requestFirstNs: 0 }])
    expect(pairing.originUnixNs).toBe(1_700_000_000_007_000_000n)
    expect(Object.fromEntries(pairing.counts)).toEqual({ 'records.bad-time': 1 })
  })

  it('joins a response that came before its request, as GoReplay sends over ten connections', () => {
    const { drafts, counts } = pairAll([record('response', 'x1', 5, OK), record('request', 'x1', 0, GET)])
    expect(drafts).toHaveLength(1)
    expect(drafts.filter(hasResponse)).toHaveLength(1)
    expect(counts).toEqual({})
  })

  it('gives up waiting after ten seconds of record time', () => {
    const pairing = new GorPairing(1024)
    pairing.take(record('request', 'a', 0, GET))
    expect(pairing.take(record('request', 'b', 9_999, GET))).toHaveLength(0)
    expect(pairing.take(record('request', 'c', 10_000, GET))).toMatchObject([{ response: 'absent' }])
  })

  it('leaves responses of replays out, and counts them and what has no request', () => {
    const { drafts, counts } = pairAll([record('replayed', 'r', 0, OK), record('response', 's', 0, OK)])
    expect(drafts).toHaveLength(0)
    expect(counts).toEqual({ 'records.replayed': 1, 'responses.without-request': 1 })
  })

  it('refuses a request with ambiguous framing, with the reason', () => {
    const smuggled = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    const { drafts, counts } = pairAll([record('request', 'a', 0, smuggled)])
    expect(drafts.filter((draft) => draft.request.cut === undefined)).toHaveLength(0)
    expect(Object.keys(counts)).toEqual([expect.stringContaining('length-and-chunked')])
  })

  it('takes chunked bodies apart and says when a body was cut', () => {
    const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    const short = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc'
    const { drafts } = pairAll([record('request', 'a', 0, chunked), record('request', 'b', 1, short)])
    expect(drafts.map(({ request }) => [utf8(request.body), request.cut])).toEqual([
      ['abc', undefined],
      ['abc', 'close'],
    ])
  })
})
