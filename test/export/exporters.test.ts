import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { GorPairing } from '../../src/capture/gor/pair.ts'
import { GorRecordParser } from '../../src/capture/gor/record-parser.ts'
import { HarSource } from '../../src/capture/har/source.ts'
import type { ExchangeDraft } from '../../src/capture/intake.ts'
import { asBuffer, latin1, latin1Bytes, utf8, utf8Bytes } from '../../src/core/bytes.ts'
import type { Exchange, Message } from '../../src/core/exchange.ts'
import { hasResponse } from '../../src/core/exchange.ts'
import type { RecordingInfo } from '../../src/core/recording.ts'
import type { ExportFormat } from '../../src/export/index.ts'
import { EXPORTERS } from '../../src/export/index.ts'
import { exchange, message, response } from '../support/exchanges.ts'

const INFO: RecordingInfo = {
  recordingId: 'r',
  part: 0,
  host: 'host-a',
  service: 'http',
  source: 'test',
  originUnixNs: 1_700_000_000_123_456_789n,
  match: '',
  sessionBy: '',
  sample: 1,
  secrets: 'masked',
  maskKeyId: '',
  maxBodyBytes: 1024,
  version: '0',
}

function written(format: ExportFormat, exchanges: readonly Exchange[]): Uint8Array {
  const exporter = EXPORTERS[format]('0.1.0')
  const pieces = [exporter.start(), ...exchanges.map((one) => exporter.exchange(one, INFO)), exporter.end()]
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

function gorDrafts(bytes: Uint8Array): ExchangeDraft[] {
  const parser = new GorRecordParser()
  const pairing = new GorPairing(1024 * 1024)
  return [...[...parser.push(bytes), ...parser.end()].flatMap((record) => pairing.take(record)), ...pairing.end()]
}

/** What a message says, for comparing. */
function content(sent: Message): object {
  return { head: latin1(sent.head), body: latin1(sent.body), trailers: latin1(sent.trailers), cut: sent.cut }
}

const CHUNKED = ['POST /upload HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Trailer: X-Sum']

describe('the gor exporter', () => {
  it('writes what the importer reads back: messages, times, addresses, chunks and trailers', () => {
    const before = [
      exchange({ id: 1 }),
      exchange({
        id: 2,
        position: 1,
        requestFirstNs: 7e6,
        request: message(CHUNKED, 'abc', { trailers: utf8Bytes('X-Sum: 9\r\n') }),
        response: response(['HTTP/1.1 204 No Content'], '', { firstNs: 9e6, lastNs: 9e6 }),
      }),
      exchange({ id: 3, position: 2, requestFirstNs: 8e6, response: 'close' }),
    ]
    const after = gorDrafts(written('gor', before))
    expect(after).toHaveLength(3)
    for (const [index, one] of before.entries()) {
      const back = after[index]
      expect(back && content(back.request)).toEqual(content(one.request))
      expect(back).toMatchObject({
        client: one.client,
        connection: 0,
        position: one.position,
        requestFirstNs: one.requestFirstNs,
      })
      if (back !== undefined && hasResponse(one)) expect(back.response).toMatchObject({ firstNs: one.response.firstNs })
    }
    expect(after[2]?.response).toBe('absent')
  })

  it('sets the length of a body that masking changed, and keeps the length of one that was cut', () => {
    const lines = ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 3']
    const [masked, cut] = gorDrafts(
      written('gor', [
        exchange({ id: 1, request: message(lines, 'longer than three'), response: 'absent' }),
        exchange({ id: 2, request: message(lines, 'ab', { bodySize: 3, cut: 'limit' }), response: 'absent' }),
      ]),
    )
    expect(latin1(masked?.request.head ?? utf8Bytes(''))).toContain('Content-Length: 17\r\n')
    expect(cut?.request).toMatchObject({ cut: 'close' })
  })

  it('keeps the head of a reply to HEAD, whose length speaks of a body that is not there', () => {
    const request = message(['HEAD / HTTP/1.1', 'Host: a'])
    const [back] = gorDrafts(
      written('gor', [exchange({ request, response: response(['HTTP/1.1 200 OK', 'Content-Length: 500']) })]),
    )
    expect(back).toMatchObject({ response: { bodySize: 0, cut: undefined } })
  })
})

describe('the HAR exporter', () => {
  it('writes valid HAR that the importer reads back', async () => {
    const posted = message(
      ['POST /a?b=1&c HTTP/1.1', 'Host: shop.example', 'Content-Type: text/plain', 'Content-Length: 2'],
      'hé',
    )
    const bytes = Buffer.from([0xff, 0x00, 0x01])
    const binary = {
      ...response(['HTTP/1.1 201 Created', 'Content-Type: image/png', 'Content-Length: 3']),
      body: bytes,
      bodySize: 3,
    }
    const har = written('har', [
      exchange({ request: posted, response: binary }),
      exchange({ response: 'close', requestFirstNs: 6e6 }),
    ])
    expect(JSON.parse(utf8(har))).toMatchObject({
      log: {
        version: '1.2',
        entries: [
          {
            startedDateTime: '2023-11-14T22:13:20.123456789Z',
            request: {
              url: 'http://shop.example/a?b=1&c',
              queryString: [
                { name: 'b', value: '1' },
                { name: 'c', value: '' },
              ],
            },
            response: { status: 201, content: { encoding: 'base64', text: '/wAB' } },
          },
          { response: { status: 0 } },
        ],
      },
    })
    const drafts: ExchangeDraft[] = []
    for await (const draft of new HarSource(har, 'x.har', 1024).exchanges(new AbortController().signal))
      drafts.push(draft)
    expect(drafts.map(({ request }) => [latin1(request.head).split('\r\n')[0], utf8(request.body)])).toEqual([
      ['POST /a?b=1&c HTTP/1.1', 'hé'],
      ['GET /cart?id=3 HTTP/1.1', ''],
    ])
    expect(drafts[0]).toMatchObject({ response: { firstNs: 5e6, lastNs: 5.1e6 } })
    expect(drafts[1]?.response).toBe('absent')
  })

  it('is valid with no exchange at all', () => {
    expect(JSON.parse(utf8(written('har', [])))).toMatchObject({ log: { entries: [] } })
  })
})

describe('the NDJSON exporter', () => {
  it('writes one object a line, with units in the names', () => {
    const lines = utf8(written('ndjson', [exchange(), exchange({ response: 'gap' })]))
      .trim()
      .split('\n')
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      {
        host: 'host-a',
        method: 'GET',
        target: '/cart?id=3',
        status: 200,
        duration_ns: 5.1e6,
        unix_ns: '1700000000123456789',
        response: { body: 'hello' },
      },
      { response_missing: 'gap' },
    ])
  })
})

describe('the curl exporter', () => {
  it('quotes for a shell, leaves out what curl writes itself, and sends bytes through base64', () => {
    const odd = message(["POST /it's HTTP/1.1", 'Host: a', 'X-Q: "$(rm)"', 'X-Empty:', 'Content-Length: 4'], "o'ne")
    const binary = { ...message(['PUT /b HTTP/1.1', 'Host: a']), body: Buffer.from([0, 1]), bodySize: 2 }
    const lines = utf8(written('curl', [exchange({ request: odd }), exchange({ request: binary })]))
      .trim()
      .split('\n')
    expect(lines).toEqual([
      String.raw`curl -sS -g -X 'POST' -H 'X-Q: "$(rm)"' -H 'X-Empty;' --data-raw 'o'\''ne' 'http://a/it'\''s'`,
      "echo AAE= | base64 -d | curl -sS -g -X 'PUT' --data-binary @- 'http://a/b'",
    ])
  })

  it('escapes what a terminal would obey, and keeps text readable and every byte as it was', () => {
    const fields = [
      'X-A: \u001b[2J\u007f',
      `X-B: ${latin1(utf8Bytes('schön \u202e'))}`,
      "X-C: it's \\ \u0001",
      'X-D: \u009b1m',
    ]
    const request = {
      ...message(['GET / HTTP/1.1']),
      head: latin1Bytes(['GET /a\u009b2J HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n')),
    }
    const command = utf8(written('curl', [exchange({ request })]))
    expect(command.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(command).toContain(String.raw`$'X-A: \033[2J\177'`)
    expect(command).toContain(String.raw`$'X-B: schön \342\200\256'`)
    // A shell makes the very bytes of it again, here with printf in the place of curl.
    const said = execFileSync('bash', ['-c', command.replace(/^curl -sS -g/, "printf '%s\\0'")])
    const words = latin1(said).split('\0')
    expect(words).toEqual(expect.arrayContaining(fields))
    expect(words).toContain('http://a/a\u009b2J')
  })

  it('leaves the lines of a body as they are, and sends what a terminal would obey through base64', () => {
    const posted = (body: string): string =>
      utf8(written('curl', [exchange({ request: message(['POST /a HTTP/1.1', 'Host: a'], body) })]))
    expect(posted('{\n\t"é": 1\n}')).toBe(`curl -sS -g -X 'POST' --data-raw '{\n\t"é": 1\n}' 'http://a/a'\n`)
    for (const body of ['\u001b[2J', 'a\rb', '\u0085', '\u202e'])
      expect(posted(body)).toBe(
        `echo ${Buffer.from(body).toString('base64')} | base64 -d | curl -sS -g -X 'POST' --data-binary @- 'http://a/a'\n`,
      )
  })

  it('makes a comment of a request with a NUL in its head, which no command can hold', () => {
    const request = message(['GET /a\u0000b HTTP/1.1', 'Host: a'])
    expect(utf8(written('curl', [exchange({ request })]))).toBe('# GET /a?b: a NUL in it, which no command can hold\n')
  })

  it('makes a comment of a request that is not whole, and lets nothing of it out of the line', () => {
    const cut = message(['GET /a\u0007\nrm HTTP/1.1', 'Host: a'], '', { cut: 'gap' })
    expect(asBuffer(written('curl', [exchange({ request: cut })])).toString()).toBe('# GET /a?: not whole (gap)\n')
  })
})
