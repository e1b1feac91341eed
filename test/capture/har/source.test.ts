import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { HarSource } from '../../../src/capture/har/source.ts'
import type { ExchangeDraft } from '../../../src/capture/intake.ts'
import { latin1, utf8, utf8Bytes } from '../../../src/core/bytes.ts'
import { hasResponse } from '../../../src/core/exchange.ts'
import { capturePath, CAPTURES_ABSENT } from '../../support/captures.ts'
import { rejectionOf } from '../../support/errors.ts'

/** An entry as Chrome writes it, with the changes of a test. */
function entry(changes: object = {}): object {
  return {
    startedDateTime: '2026-01-31T10:00:00.123456Z',
    time: 12,
    request: {
      method: 'GET',
      url: 'https://shop.example/a?b=1',
      httpVersion: 'h2',
      headers: [
        { name: ':authority', value: 'shop.example' },
        { name: 'Accept', value: '*/*' },
      ],
      bodySize: 0,
    },
    response: {
      status: 200,
      statusText: '',
      httpVersion: 'h2',
      headers: [
        { name: 'content-encoding', value: 'gzip' },
        { name: 'X-A', value: '1' },
      ],
      content: { size: 5, text: 'hello' },
    },
    timings: { blocked: 1, dns: -1, connect: 2, send: 1, wait: 5, receive: 3 },
    ...changes,
  }
}

async function read(bytes: Uint8Array): Promise<{ drafts: ExchangeDraft[]; source: HarSource }> {
  const source = new HarSource(bytes, 'test.har', 1024 * 1024)
  const drafts: ExchangeDraft[] = []
  for await (const draft of source.exchanges(new AbortController().signal)) drafts.push(draft)
  return { drafts, source }
}

const har = (...entries: object[]): Uint8Array => utf8Bytes(JSON.stringify({ log: { version: '1.2', entries } }))

describe('HarSource', () => {
  it('makes HTTP/1.1 messages of an HTTP/2 entry, with its times to the microsecond', async () => {
    const { drafts, source } = await read(har(entry()))
    const [draft] = drafts
    expect(latin1(draft?.request.head ?? utf8Bytes(''))).toBe(
      'GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n',
    )
    expect(draft).toMatchObject({
      secure: true,
      requestFirstNs: 0,
      requestLastNs: 1e6,
      response: { firstNs: 6e6, lastNs: 9e6 },
    })
    expect(source.originUnixNs).toBe(
      BigInt(Date.parse('2026-01-31T10:00:00Z')) * 1_000_000n + 123_456_000n + 3_000_000n,
    )
  })

  it('drops the coding that the body in the file no longer has, and sets its length', async () => {
    const { drafts } = await read(har(entry()))
    const [response] = drafts.filter(hasResponse).map((draft) => draft.response)
    expect(latin1(response?.head ?? utf8Bytes(''))).toBe('HTTP/1.1 200\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n')
    expect(utf8(response?.body ?? utf8Bytes(''))).toBe('hello')
  })

  it('sorts entries by time, tolerates a byte order mark and leaves out what is not HTTP', async () => {
    const later = entry({ startedDateTime: '2026-01-31T10:00:02Z' })
    const data = entry({ request: { method: 'GET', url: 'data:text/plain,x', headers: [] } })
    const { drafts, source } = await read(
      Buffer.concat([utf8Bytes('\uFEFF'), har(later, entry(), data, { nonsense: true })]),
    )
    expect(drafts).toHaveLength(2)
    expect(drafts[0]?.requestFirstNs).toBe(0)
    expect(drafts[1]?.requestFirstNs).toBeGreaterThan(1e9)
    expect(Object.fromEntries(source.counts)).toEqual({ 'entries.not-http': 1, 'entries.malformed': 1 })
  })

  it('takes posted text and parameters as the body, and says where a body is missing', async () => {
    const post = (postData: object, bodySize = 3): object =>
      entry({ request: { method: 'POST', url: 'http://a/', headers: [], bodySize, ...postData } })
    const { drafts } = await read(
      har(post({ postData: { text: 'a=1' } }), post({ postData: { params: [{ name: 'b', value: 'c d' }] } }), post({})),
    )
    expect(drafts.map(({ request }) => [utf8(request.body), request.cut])).toEqual([
      ['a=1', undefined],
      ['b=c%20d', undefined],
      ['', 'limit'],
    ])
  })

  it.each([
    ['0001-01-01T00:00:00Z', {}],
    ['1969-12-31T23:59:59.999Z', {}],
    ['2262-04-11T00:00:00Z', {}],
    ['2400-01-01T00:00:00Z', {}],
    ['9999-12-31T23:59:59Z', {}],
    ['2026-01-31T10:00:00Z', { timings: { wait: 1e308 } }],
    ['2026-01-31T10:00:00Z', { timings: { blocked: 1e15 } }],
  ])(
    'leaves an entry of %s with %o out as one of bad time, and begins at a good one',
    async (startedDateTime, changes) => {
      const { drafts, source } = await read(har(entry({ startedDateTime, ...changes }), entry()))
      expect(drafts.map(({ requestFirstNs }) => requestFirstNs)).toEqual([0])
      expect(Object.fromEntries(source.counts)).toEqual({ 'entries.bad-time': 1 })
      expect(source.originUnixNs).toBeGreaterThan(1_700_000_000_000_000_000n)
      expect(source.originUnixNs).toBeLessThan(1_800_000_000_000_000_000n)
    },
  )

  it.each(['1970-01-01T00:00:00Z', '2262-04-10T23:59:58Z'])('keeps an entry of %s', async (startedDateTime) => {
    expect((await read(har(entry({ startedDateTime })))).drafts).toHaveLength(1)
  })

  it('has no response for an entry that was blocked', async () => {
    const { drafts } = await read(har(entry({ response: { status: 0, headers: [] } })))
    expect(drafts[0]?.response).toBe('absent')
  })

  it.each([
    ['{"log":', 'MESH_ERR_FILE_CORRUPT'],
    ['{"entries":[]}', 'MESH_ERR_FILE_KIND'],
    ['[]', 'MESH_ERR_FILE_KIND'],
  ])('refuses %s with %s and the file', async (text, code) => {
    const error = await rejectionOf(read(utf8Bytes(text)))
    expect(error).toMatchObject({ code, where: 'test.har' })
  })
})

describe.skipIf(CAPTURES_ABSENT)('real HAR files', () => {
  it.each([
    ['mitmproxy/chrome.har', 12],
    ['mitmproxy/event_stream.har', 1],
    ['mitmproxy/postdata.har', 2],
    ['mitmproxy/successful_log.har', 11],
    ['mitmproxy/with-bom.har', 1],
    ['perfcascade/firefox_www.nghttp2.org.har', 10],
  ])('%s holds its exchanges', async (name, least) => {
    const bytes = readFileSync(capturePath(name))
    const { drafts } = await read(bytes)
    const entries = JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')).log.entries.length
    expect(drafts.length).toBe(entries)
    expect(drafts.length).toBeGreaterThanOrEqual(Math.min(least, entries))
  })
})
