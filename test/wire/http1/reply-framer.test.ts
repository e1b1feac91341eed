import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { latin1, latin1Bytes } from '../../../src/core/bytes.ts'
import { ReplyFramer } from '../../../src/wire/http1/reply-framer.ts'

interface Reading {
  readonly how: 'whole' | 'bad' | 'open'
  readonly reason: string | undefined
  readonly status: number
  readonly reusable: boolean
  /** Bytes that belong to the reply. */
  readonly used: number
}

/** What a framer makes of these pieces, and then, where it is asked, of the connection's end. */
function frame(pieces: readonly Uint8Array[], { head = false, end = false } = {}): Reading {
  const framer = new ReplyFramer()
  framer.begin(head)
  let used = 0
  for (const piece of pieces) {
    if (framer.done || framer.badReason !== undefined) break
    // Off the start of a larger buffer, as a socket's reads are.
    const buffer = new Uint8Array(piece.length + 7)
    buffer.set(piece, 3)
    used += framer.push(buffer, 3, 3 + piece.length) - 3
  }
  if (end) framer.finish()
  const { done, badReason, status, reusable } = framer
  return { how: done ? 'whole' : badReason === undefined ? 'open' : 'bad', reason: badReason, status, reusable, used }
}

const text = (reply: string): Uint8Array => latin1Bytes(reply)
const lines = (...parts: string[]): string => `${parts.join('\r\n')}\r\n\r\n`

describe('ReplyFramer', () => {
  const whole: readonly (readonly [why: string, reply: string, status: number, reusable: boolean])[] = [
    ['a length', `${lines('HTTP/1.1 200 OK', 'Content-Length: 2')}ok`, 200, true],
    ['a length of nothing', lines('HTTP/1.1 404 Not Found', 'content-length: 0'), 404, true],
    ['the same length twice', `${lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Content-Length: 2')}ok`, 200, true],
    ['no reason phrase', lines('HTTP/1.1 204'), 204, true],
    ['bare line feeds in the head', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 200, true],
    ['chunks', `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`, 200, true],
    [
      'chunks with extensions and trailers',
      `${lines('HTTP/1.1 200 OK', 'transfer-encoding: gzip, Chunked')}A;name=v\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n`,
      200,
      true,
    ],
    ['an interim reply before it', lines('HTTP/1.1 100 Continue') + lines('HTTP/1.1 204 No Content'), 204, true],
    [
      'early hints with headers that are not its own',
      lines('HTTP/1.1 103 Early Hints', 'Content-Length: 99', 'Connection: close') +
        lines('HTTP/1.1 200 OK', 'Content-Length: 0'),
      200,
      true,
    ],
    ['304 with a length', lines('HTTP/1.1 304 Not Modified', 'Content-Length: 500'), 304, true],
    ['Connection: close', lines('HTTP/1.1 200 OK', 'Connection: foo, Close', 'Content-Length: 0'), 200, false],
    ['HTTP/1.0', lines('HTTP/1.0 200 OK', 'Content-Length: 0'), 200, false],
    ['HTTP/1.0 kept alive', lines('HTTP/1.0 200 OK', 'Connection: Keep-Alive', 'Content-Length: 0'), 200, true],
    ['another protocol', lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket'), 101, false],
    [
      'headers that begin like those that matter',
      lines(
        'HTTP/1.1 200 OK',
        'Content-Lengths: 7',
        'Content: 5',
        'Connectio: close',
        'Trailer: x',
        'Content-Length: 0',
      ),
      200,
      true,
    ],
    ['blanks around values', lines('HTTP/1.1 200 OK', 'Content-Length:\t 0 \t', 'Connection:close '), 200, false],
  ]
  it.each(whole)('finds the end of a reply with %s', (_, reply, status, reusable) => {
    const bytes = text(reply)
    const following = text('HTTP/1.1 500 the next')
    expect(frame([bytes])).toEqual({ how: 'whole', reason: undefined, status, reusable, used: bytes.length })
    expect(frame([Buffer.concat([bytes, following])]).used).toBe(bytes.length)
    for (let cut = 0; cut < bytes.length; cut++) expect(frame([bytes.subarray(0, cut)]).how).toBe('open')
  })

  it('skips the body that a reply to HEAD announces and does not have', () => {
    const reply = lines('HTTP/1.1 200 OK', 'Content-Length: 5000')
    expect(frame([text(reply)], { head: true })).toMatchObject({ how: 'whole', reusable: true })
    const chunked = lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')
    expect(frame([text(chunked)], { head: true })).toMatchObject({ how: 'whole', reusable: true })
  })

  it('takes a reply without length or chunks to last until the connection ends, and not to leave it usable', () => {
    const reply = text(`${lines('HTTP/1.1 200 OK', 'Server: x')}some bytes`)
    expect(frame([reply]).how).toBe('open')
    expect(frame([reply], { end: true })).toMatchObject({ how: 'whole', status: 200, reusable: false })
    const coded = text(`${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip')}...`)
    expect(frame([coded], { end: true })).toMatchObject({ how: 'whole', reusable: false })
  })

  it('does not take the end of the connection for the end of a reply that has one', () => {
    expect(frame([text(`${lines('HTTP/1.1 200 OK', 'Content-Length: 3')}ab`)], { end: true }).how).toBe('open')
    expect(frame([text('HTTP/1.1 200 OK\r\n')], { end: true }).how).toBe('open')
  })

  const bad: readonly (readonly [why: string, reply: string, reason: string])[] = [
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'not-http1'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n', 'not-http1'],
    ['HTTP/0.9, which has no head', '<html>', 'not-http1'],
    ['an empty line before the head', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'not-http1'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'bad-status'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'bad-status'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n', 'bad-status'],
    ['two lengths', lines('HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 6'), 'two-lengths'],
    ['a list of lengths', lines('HTTP/1.1 200 OK', 'Content-Length: 5, 5'), 'bad-length'],
    ['a negative length', lines('HTTP/1.1 200 OK', 'Content-Length: -1'), 'bad-length'],
    ['an empty length', lines('HTTP/1.1 200 OK', 'Content-Length: '), 'bad-length'],
    ['two numbers as a length', lines('HTTP/1.1 200 OK', 'Content-Length: 1 2'), 'bad-length'],
    ['a length beyond counting', lines('HTTP/1.1 200 OK', `Content-Length: ${'9'.repeat(30)}`), 'bad-length'],
    [
      'a length and chunks',
      lines('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      'length-and-chunked',
    ],
    ['chunked twice', lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, chunked'), 'bad-transfer-encoding'],
    ['chunked before the last', lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, gzip'), 'bad-transfer-encoding'],
    ['a blank before the colon', lines('HTTP/1.1 200 OK', 'Content-Length : 5'), 'bad-header'],
    ['a header without a name', lines('HTTP/1.1 200 OK', ': 5'), 'bad-header'],
    ['a NUL in the head', lines('HTTP/1.1 200 OK', 'X: a\0b'), 'bad-header'],
    ['a bare CR after a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\rX: y\r\n\r\n', 'bad-header'],
    ['a chunk size that is none', `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}xyz\r\n`, 'bad-chunk-size'],
    ['a chunk without a size', `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}\r\n`, 'bad-chunk-size'],
    ['a chunk size in 0x', `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}0x5\r\n`, 'bad-chunk-size'],
    [
      'a chunk size beyond counting',
      `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}${'f'.repeat(20)}\r\n`,
      'bad-chunk-size',
    ],
    [
      'a chunk line without end',
      `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}5;${'x'.repeat(20_000)}`,
      'bad-chunk-size',
    ],
    [
      'a chunk that is longer than its size',
      `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}2\r\nabc\r\n`,
      'bad-chunk-end',
    ],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(300_000)}`, 'head-too-large'],
    ['interim replies without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20_000), 'head-too-large'],
    [
      'trailers without end',
      `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}0\r\n${'X: y\r\n'.repeat(100_000)}`,
      'head-too-large',
    ],
  ]
  it.each(bad)('distrusts a reply with %s', (_, reply, reason) => {
    const bytes = text(reply)
    expect(frame([bytes])).toMatchObject({ how: 'bad', reason, reusable: false })
    if (bytes.length < 1_000) {
      const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
      expect(frame(single)).toMatchObject({ how: 'bad', reason })
    }
  })

  it('serves one reply after another', () => {
    const framer = new ReplyFramer()
    for (const [reply, status] of [
      [lines('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 0'), 200],
      ['nonsense', 0],
      [lines('HTTP/1.1 201 Created', 'Content-Length: 0'), 201],
    ] as const) {
      framer.begin(false)
      framer.push(text(reply), 0, reply.length)
      expect(framer.status).toBe(status)
    }
    expect(framer).toMatchObject({ done: true, reusable: true, badReason: undefined })
  })

  it('reads any reply alike however it is cut, and as a simple reading of the whole does', () => {
    fc.assert(
      fc.property(replies(), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (made, sizes) => {
        const bytes = text(made.wire)
        const pieces: Uint8Array[] = []
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value ?? 1
          pieces.push(bytes.subarray(at, at + size))
          at += size
        }
        const options = { head: made.head, end: true }
        const reading = frame(pieces, options)
        expect(reading).toEqual(frame([bytes], options))
        expect(reading).toMatchObject(simpleReading(made.wire, made.head))
      }),
      { numRuns: 500 },
    )
  })

  it('never throws on noise, and reads it alike however it is cut', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc
        .array(fc.constantFrom('HTTP/1.1 200 OK', '\r\n', '\n', 'Content-Length: 5', ':', '0', ' ', 'chunked', ','), {
          maxLength: 30,
        })
        .map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(noise, fc.boolean(), (reply, head) => {
        const bytes = Buffer.from(reply, 'latin1')
        const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
        expect(frame(single, { head })).toEqual(frame([bytes], { head }))
      }),
    )
  })
})

interface MadeReply {
  readonly wire: string
  readonly head: boolean
}

/** Well-formed replies of every framing, with what may stand around it. */
function replies(): fc.Arbitrary<MadeReply> {
  const name = fc.constantFrom('Server', 'Date', 'Content-Type', 'X-Connection', 'Cookie', 'Te', 'Connectionless')
  const value = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', ' ', ',', ';', ':', 'chunked', 'close'),
    maxLength: 12,
  })
  const fields = fc.array(fc.tuple(name, value), { maxLength: 6 })
  const body = fc.string({ unit: fc.constantFrom('x', '\r\n', '0', '\r\n\r\n', 'HTTP/1.1 '), maxLength: 40 })
  return fc
    .record({
      minor: fc.constantFrom(0, 1),
      status: fc.constantFrom(200, 204, 304, 404, 500),
      interims: fc.integer({ min: 0, max: 2 }),
      framing: fc.constantFrom('length', 'chunked', 'close'),
      connection: fc.constantFrom(undefined, 'close', 'keep-alive', 'Keep-Alive, Upgrade'),
      fields,
      body,
      head: fc.boolean(),
      upper: fc.boolean(),
    })
    .map((made) => ({ wire: wireOf(made), head: made.head }))
}

function wireOf(made: {
  readonly minor: number
  readonly status: number
  readonly interims: number
  readonly framing: string
  readonly connection: string | undefined
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  readonly head: boolean
  readonly upper: boolean
}): string {
  const { framing, body } = made
  const named = (name: string): string => (made.upper ? name.toUpperCase() : name)
  const headers = made.fields.map(([name, value]) => `${named(name)}: ${value}`)
  if (made.connection !== undefined) headers.push(`${named('connection')}: ${made.connection}`)
  if (framing === 'length') headers.push(`${named('Content-Length')}: ${body.length}`)
  if (framing === 'chunked') headers.push(`${named('Transfer-Encoding')}: chunked`)
  const interim = lines('HTTP/1.1 100 Continue').repeat(made.interims)
  const head = interim + lines(`HTTP/1.${made.minor} ${made.status} Reason`, ...headers)
  if (made.head || made.status === 204 || made.status === 304) return head
  if (framing !== 'chunked') return head + body
  const half = Math.floor(body.length / 2)
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== '')
  return `${head}${chunks.map((chunk) => `${chunk.length.toString(16)};a=b\r\n${chunk}\r\n`).join('')}0\r\nT: 1\r\n\r\n`
}

/** What the reply is, found with regular expressions on the whole of it. */
function simpleReading(wire: string, headRequest: boolean): Partial<Reading> {
  const final = wire.replace(/^(HTTP\/1\.1 100 Continue\r\n\r\n)*/, '')
  const head = final.slice(0, final.indexOf('\r\n\r\n'))
  const status = Number(/^HTTP\/1\.\d (\d+)/.exec(head)?.[1])
  const connection = /^connection: (.*)$/im.exec(head)?.[1]?.toLowerCase() ?? ''
  const keeps = head.startsWith('HTTP/1.1') ? connection !== 'close' : connection.includes('keep-alive')
  const framed = /^(content-length|transfer-encoding):/im.test(head)
  const bodiless = headRequest || status === 204 || status === 304
  return { how: 'whole', status, used: latin1(text(wire)).length, reusable: keeps && (framed || bodiless) }
}
