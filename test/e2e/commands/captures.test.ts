import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { Exchange, Response } from '../../../src/core/exchange.ts'
import { hasResponse } from '../../../src/core/exchange.ts'
import { headerValue, parseHead } from '../../../src/core/head.ts'
import { CAPTURES_ABSENT, capturePath } from '../../support/captures.ts'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import type { Recorded } from '../../support/recorded.ts'
import { pathOf, readRecording, requestWords, statusOf } from '../../support/recorded.ts'

/** Captures with HTTP/1 in them, the exchanges that each really holds, and how many of these have their response. */
const PCAPS: readonly (readonly [file: string, exchanges: number, responses: number])[] = [
  ['akita/simple_http.pcap', 1, 1],
  ['akita/simple_http_two.pcap', 2, 2],
  ['akita/simple_http_two_with_noise.pcap', 2, 2],
  ['arkime/http-content-gzip.pcap', 1, 1],
  ['arkime/http-tcp-seq-issue.pcap', 1, 1],
  ['arkime/http-wrapped-header.pcap', 1, 1],
  ['arkime/v6-http.pcap', 1, 1],
  ['gopacket/test_loopback.pcap', 3, 3],
  ['suricata/http2-range.pcap', 5, 5],
  ['zeek/100-continue.pcap', 1, 1],
  ['zeek/1000-requests-one-dropped-response.pcap.gz', 1000, 999],
  ['zeek/206_example_c.pcap', 34, 34],
  ['zeek/docker-http-upgrade.pcap', 6, 6],
  ['zeek/get_nosyn.pcap', 1, 1],
  ['zeek/http-post-large.pcap', 2, 2],
  ['zeek/http-vlan-0.pcap', 1, 1],
  ['zeek/methods.pcap', 9, 9],
  ['zeek/pipelined-requests.pcap', 5, 5],
  ['zeek/smuggle-http-request.pcap', 2, 2],
]

/** Captures without an exchange that could be trusted: no HTTP/1, HTTP/2 in clear, or framing that contradicts itself. */
const WITHOUT_EXCHANGES = [
  'gopacket/le/test001.pcapng',
  'arkime/http2-nghttp2.pcap',
  'zeek/variant-04-te_cl_desync.pcap',
]

/** HAR files, with the entries in each and those of them that have a response. */
const HARS: readonly (readonly [file: string, entries: number, responses: number])[] = [
  ['mitmproxy/chrome.har', 3, 2],
  ['mitmproxy/event_stream.har', 2, 2],
  ['mitmproxy/postdata.har', 1, 1],
  ['mitmproxy/successful_log.har', 2, 2],
  ['mitmproxy/with-bom.har', 1, 1],
  ['perfcascade/firefox_www.nghttp2.org.har', 10, 9],
]

const folder = temporaryFolder()
const fileOf = (capture: string): string => folder.path(`${capture.replaceAll('/', '-')}.mcap`)

afterAll(() => folder.remove())

/** Reads a capture the way a user does. */
async function recorded(verb: 'pcap' | 'import', capture: string): Promise<Recorded> {
  const { code, stderr } = await runMesh('capture', verb, capturePath(capture), '-o', fileOf(capture))
  expect(stderr).toContain('the ledger balances')
  expect(code).toBe(0)
  return readRecording(fileOf(capture))
}

function withResponses(exchanges: readonly Exchange[]): (Exchange & { readonly response: Response })[] {
  return exchanges.filter(hasResponse)
}

describe.skipIf(CAPTURES_ABSENT)('real captures', () => {
  it.each(PCAPS)('%s gives %i exchanges, %i of them with a response', async (file, count, responses) => {
    const { exchanges, imbalance, ledger } = await recorded('pcap', file)
    expect(exchanges).toHaveLength(count)
    expect(withResponses(exchanges)).toHaveLength(responses)
    expect(imbalance).toEqual(new Map())
    expect([ledger.connections, ledger.requests, ledger.responses, ledger.bytes].map(({ pending }) => pending)).toEqual(
      [0, 0, 0, 0],
    )
  })

  it.each(WITHOUT_EXCHANGES)('%s gives none, and a ledger that says why', async (file) => {
    const { exchanges, ledger } = await recorded('pcap', file)
    expect(exchanges).toEqual([])
    expect(ledger.requests.whole + ledger.responses.whole).toBe(0)
    expect([...ledger.reasons.keys()].join(' ')).toMatch(/opaque|undecodable|packets/)
  })

  it.each(HARS)('%s gives %i exchanges, %i of them with a response', async (file, entries, responses) => {
    const { exchanges, imbalance } = await recorded('import', file)
    expect(exchanges).toHaveLength(entries)
    expect(withResponses(exchanges)).toHaveLength(responses)
    expect(imbalance).toEqual(new Map())
  })

  it('give recordings that inspect --verify finds whole, all of them in one go', async () => {
    const files = [...PCAPS.map(([file]) => file), ...WITHOUT_EXCHANGES, ...HARS.map(([file]) => file)].map(fileOf)
    const { code, stdout, stderr } = await runMesh('inspect', '--verify', '--json', ...files)
    expect(code).toBe(0)
    expect(stderr.match(/the ledger balances/g)).toHaveLength(files.length)
    const { recordings } = JSON.parse(stdout) as { recordings: { ending: string }[] }
    expect(recordings.map(({ ending }) => ending)).toEqual(files.map(() => 'closed'))
  })
})

describe.skipIf(CAPTURES_ABSENT)('1000 requests on one connection, of whose responses one was dropped', () => {
  const file = 'zeek/1000-requests-one-dropped-response.pcap.gz'

  it('are each given their own response: it begins after its request, and ends before the next one', async () => {
    const { exchanges } = await readRecording(fileOf(file))
    expect(exchanges.map(({ position }) => position)).toEqual(Array.from({ length: 1000 }, (_, position) => position))
    expect(statusOf(exchanges[0] ?? fail('no first exchange'))).toBe('gap')
    const [, ...others] = exchanges
    const misplaced = withResponses(others).filter(({ position, requestLastNs, response }) => {
      const next = exchanges[position + 1]
      return response.firstNs <= requestLastNs || (next !== undefined && response.lastNs >= next.requestFirstNs)
    })
    expect(misplaced).toEqual([])
    // nginx closes a connection at its 1000th request, and says so in that reply alone.
    const closing = withResponses(others).filter(
      ({ response }) => headerValue(parseHead(response.head), 'connection') === 'close',
    )
    expect(closing.map(({ position }) => position)).toEqual([999])
  })

  it('count the dropped response as missing bytes, and as nothing else', async () => {
    const { ledger } = await readRecording(fileOf(file))
    expect(ledger.requests).toMatchObject({ seen: 1000, whole: 1000 })
    expect(ledger.responses).toMatchObject({ seen: 999, whole: 999 })
    expect(ledger.bytes.gap).toBeGreaterThan(0)
  })
})

describe.skipIf(CAPTURES_ABSENT)('captures whose contents are documented', () => {
  it('have the bodies that nginx sent, byte for byte', async () => {
    for (const file of ['akita/simple_http_two.pcap', 'akita/simple_http_two_with_noise.pcap']) {
      const { exchanges } = await readRecording(fileOf(file))
      expect(exchanges.map((exchange) => `${requestWords(exchange)} ${statusOf(exchange)}`)).toEqual([
        'GET / 200',
        'GET /favicon.ico 404',
      ])
      const bodies = withResponses(exchanges).map(({ response }) => decoded(response))
      const expected = [1, 2].map((number) => readFileSync(capturePath(`akita/simple_http_response_body_${number}`)))
      expect(bodies.map((body) => body.equals(expected[bodies.indexOf(body)] ?? Buffer.alloc(0)))).toEqual([true, true])
    }
  })

  it('have the replies to pipelined requests in the order of the requests', async () => {
    const { exchanges } = await readRecording(fileOf('zeek/pipelined-requests.pcap'))
    expect(new Set(exchanges.map(({ connection }) => connection)).size).toBe(1)
    expect(exchanges.map(({ position }) => position)).toEqual([0, 1, 2, 3, 4])
    expect(new Set(exchanges.map(pathOf)).size).toBe(5)
  })

  it('have the body that came after 100 Continue as part of its request', async () => {
    const { exchanges } = await readRecording(fileOf('zeek/100-continue.pcap'))
    const [exchange] = withResponses(exchanges)
    expect(exchange?.request.cut).toBeUndefined()
    expect(exchange?.request.bodySize).toBeGreaterThan(0)
    expect(statusOf(exchange ?? fail('no exchange'))).not.toBe('100')
  })
})

/** The body without its content coding. */
function decoded({ head, body }: Response): Buffer {
  return headerValue(parseHead(head), 'content-encoding') === 'gzip' ? gunzipSync(body) : Buffer.from(body)
}

function fail(what: string): never {
  throw new Error(what)
}
