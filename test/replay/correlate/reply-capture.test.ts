import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1Bytes, utf8Bytes } from '../../../src/core/bytes.ts'
import { walkJson } from '../../../src/replay/correlate/json-leaves.ts'
import { CaptureBudget, ReplyCapture } from '../../../src/replay/correlate/reply-capture.ts'

/** The values found at the places, by place, of a reply that comes in the given pieces. */
function valuesAt(places: readonly string[], pieces: readonly Uint8Array[]): Record<string, string | undefined> {
  const budget = new CaptureBudget()
  const capture = new ReplyCapture(
    places.map((place, slot) => ({ slot, place })),
    budget,
  )
  for (const piece of pieces) capture.push(piece, piece.length)
  const found: Record<string, string | undefined> = {}
  capture.read((slot, value) => {
    found[places[slot] ?? ''] = value
  })
  expect(budget.heldBytes).toBe(0)
  return found
}

function reply(lines: readonly string[], body: Uint8Array | string = ''): Uint8Array {
  const bytes = typeof body === 'string' ? utf8Bytes(body) : body
  return Buffer.concat([latin1Bytes(`HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`), bytes])
}

const CODINGS = {
  '': (body: Uint8Array) => body,
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
} as const

describe('a reply', () => {
  it('gives any value of its JSON, in any coding, chunked or not, in pieces of any size', () => {
    const coding = fc.constantFrom<keyof typeof CODINGS>('', 'gzip', 'deflate', 'br')
    const text = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(
        text,
        text,
        coding,
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        (name, value, code, chunked, size) => {
          const json = JSON.stringify({ before: [1, { x: 'y' }], [`n${name}`]: [{ id: 1 }, { id: value }] }, null, 1)
          const body = CODINGS[code](utf8Bytes(json))
          const lines = [
            'Content-Type: application/problem+json',
            ...(code === '' ? [] : [`Content-Encoding: ${code}`]),
          ]
          const head = reply([...lines, chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`])
          const sent: Uint8Array[] = [head]
          if (chunked) {
            for (let at = 0; at < body.length; at += size) {
              const chunk = body.subarray(at, at + size)
              sent.push(latin1Bytes(`${chunk.length.toString(16)};x=1\r\n`), chunk, latin1Bytes('\r\n'))
            }
            sent.push(latin1Bytes('0\r\nx-trailer: 1\r\n\r\n'))
          } else sent.push(body)
          const whole = Buffer.concat(sent)
          const pieces: Uint8Array[] = []
          for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size))
          const key = /^[\w$-]+$/.test(`n${name}`) ? `.n${name}` : `[${JSON.stringify(`n${name}`)}]`
          const place = `json ${key}[1].id`
          expect(valuesAt([place, 'json .absent'], pieces)).toEqual({ [place]: value })
        },
      ),
    )
  })

  it('gives numbers as they are written', () => {
    const bytes = reply(['Content-Type: application/json'], '{"id":12345678901234567890,"rate":1.50}')
    expect(valuesAt(['json .id', 'json .rate'], [bytes])).toEqual({
      'json .id': '12345678901234567890',
      'json .rate': '1.50',
    })
  })

  it('gives hidden fields and meta elements of a page, whatever the order and quotes of their attributes', () => {
    const html = `<meta content='m"1' name=csrf-token><input name="user" value="x"><INPUT VALUE="a&amp;&quot;b&#39;" type=hidden name='tok>en'>
      <input type="hidden" name="bare" value=v1><input type="hidden" name="open" value="`
    const places = ['html csrf-token', 'html tok>en', 'html bare', 'html user', 'html open']
    expect(valuesAt(places, [reply(['content-type: text/html'], html)])).toEqual({
      'html csrf-token': 'm"1',
      'html tok>en': `a&"b'`,
      'html bare': 'v1',
    })
  })

  it('gives cookies, headers and the parts of Location, behind interim heads', () => {
    const interim = latin1Bytes('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nETag: "no"\r\n\r\n')
    const bytes = reply([
      'Set-Cookie: sid=a=b; Path=/; HttpOnly',
      'set-cookie: XSRF-TOKEN=a%3Db',
      'ETag: W/"7"',
      'X-Token: Bearer abc',
      'Location: https://other:1/a%20b/7?code=x%2By+z&state=#f',
    ])
    expect(
      valuesAt(
        [
          'cookie sid',
          'cookie-text XSRF-TOKEN',
          'header etag',
          'header x-token',
          'location path 1',
          'location query code',
        ],
        [interim, bytes],
      ),
    ).toEqual({
      'cookie sid': 'a=b',
      'cookie-text XSRF-TOKEN': 'a=b',
      'header etag': 'W/"7"',
      'header x-token': 'abc',
      'location path 1': 'a b',
      'location query code': 'x+y z',
    })
  })

  it.each(['Max-Age=0', 'max-age=-1', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT'])(
    'takes a cookie back with %s',
    (attribute) => {
      const found = valuesAt(['cookie sid'], [reply([`Set-Cookie: sid=gone; Path=/; ${attribute}`])])
      expect(found).toEqual({ 'cookie sid': undefined })
      expect(found).toHaveProperty(['cookie sid'])
    },
  )

  it.each([
    [['sid=gone; Max-Age=0; Path=/old', 'sid=new; Path=/'], 'new'],
    [['sid=new; Path=/', 'sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], undefined],
  ])('counts the last it says of a cookie: %j', (lines, value) => {
    const found = valuesAt(['cookie sid'], [reply(lines.map((line) => `Set-Cookie: ${line}`))])
    expect(found).toEqual({ 'cookie sid': value })
  })

  it('gives nothing where there was no room for a piece in its middle', () => {
    const budget = new CaptureBudget()
    const capture = new ReplyCapture([{ slot: 1, place: 'json .b' }], budget)
    const push = (text: string): void => capture.push(utf8Bytes(text), text.length)
    push('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a":"')
    budget.heldBytes += 64 * 1024 * 1024
    push('1","c":{"a":"')
    budget.heldBytes -= 64 * 1024 * 1024
    push('2","b":"of c"}}')
    const found: (string | undefined)[] = []
    capture.read((_, value) => found.push(value))
    expect(found).toEqual([])
    expect(budget.heldBytes).toBe(0)
  })

  it('loses a value that no request could be sent with', () => {
    const bytes = reply([`Set-Cookie: sid=${'x'.repeat(20_000)}`, `Set-Cookie: a=${'x'.repeat(4_000)}`])
    const found = valuesAt(['cookie sid', 'cookie a'], [bytes])
    expect(found['cookie sid']).toBeUndefined()
    expect(found['cookie a']).toHaveLength(4_000)
  })

  it('tells only of the beginning of long names in JSON, so that deep values cost no more than others', () => {
    const longest: number[] = []
    const name = 'n'.repeat(30_000)
    walkJson(`${`{"${name}":`.repeat(30)}{"a":1,"b":"x"}${'}'.repeat(30)}`, (path) => longest.push(path.length) > 0)
    expect(longest).toEqual([30 * 257 + 2, 30 * 257 + 2])
  })

  it.each([
    ['tags that never end', '<input '.repeat(140_000)],
    ['a long name without a value', `<input ${'a'.repeat(4_000)}>`.repeat(260)],
  ])('of a page of %s is read without reading it again and again', (_, noise) => {
    const page = reply(['content-type: text/html'], `<input type=hidden name=first value=1>${noise}`)
    const before = process.cpuUsage()
    expect(valuesAt(['html first'], [page])).toEqual({ 'html first': '1' })
    const { user } = process.cpuUsage(before)
    // Microseconds of CPU: work without a bound was 10 s and more.
    expect(user).toBeLessThan(3e6)
  })

  it('of any bytes gives nothing and fails not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...Object.keys(CODINGS)), (noise, coding) => {
        const head = reply([
          'Content-Type: application/json',
          `Content-Encoding: ${coding}`,
          'Transfer-Encoding: chunked',
        ])
        expect(valuesAt(['json .id', 'cookie sid'], [head, noise])).not.toHaveProperty(['cookie sid'])
        expect(valuesAt(['html x'], [noise])).toEqual({})
      }),
    )
  })
})
