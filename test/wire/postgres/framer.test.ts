import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../../src/core/bytes.ts'
import { BACKEND, commandComplete, dataRow, readyForQuery } from '../../../src/wire/postgres/backend.ts'
import { MessageFramer } from '../../../src/wire/postgres/framer.ts'
import type { FramerOptions, PgFrame } from '../../../src/wire/postgres/framer.ts'
import { cancelRequest, gssRequest, query, sslRequest, startupMessage } from '../../../src/wire/postgres/frontend.ts'
import { thrownBy } from '../../support/errors.ts'

/** A header with this type and length, and nothing behind it. */
function header(type: string, length: number): Uint8Array {
  const bytes = Buffer.alloc(5)
  bytes.write(type, 0, 'latin1')
  bytes.writeInt32BE(length, 1)
  return bytes
}

/** Frames of a stream that is cut at these places, copied. */
function framesOf(stream: Uint8Array, cuts: readonly number[], options: FramerOptions = {}): PgFrame[] {
  const framer = new MessageFramer(options)
  const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)).toSorted((a, b) => a - b), stream.length]
  const frames: PgFrame[] = []
  for (const [index, place] of places.slice(1).entries()) {
    // A chunk of its own, as from a socket.
    framer.push(Uint8Array.from(stream.subarray(places[index], place)))
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      frames.push(
        frame.piece === undefined
          ? { type: frame.type, bytes: Uint8Array.from(frame.bytes), payload: Uint8Array.from(frame.payload) }
          : { ...frame, piece: Uint8Array.from(frame.piece) },
      )
    }
  }
  expect(framer.heldBytes).toBe(0)
  return frames
}

const bytesOf = (frame: PgFrame): Uint8Array => frame.piece ?? frame.bytes
const joined = (frames: readonly PgFrame[]): Uint8Array => concatBytes(frames.map((frame) => bytesOf(frame)))

/** Rows of all sizes, and what stands between them. */
const messages = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.option(fc.string({ maxLength: 40 }))).map((values) => dataRow(values)) },
    { weight: 1, arbitrary: fc.string({ maxLength: 20 }).map((tag) => commandComplete(tag.replaceAll('\0', ''))) },
    { weight: 1, arbitrary: fc.constant(readyForQuery('I')) },
  ),
  { maxLength: 30 },
)
const cuts = fc.array(fc.nat(2000), { maxLength: 20 })

describe('the framer', () => {
  it('gives the same messages however the stream is cut', () => {
    fc.assert(
      fc.property(messages, cuts, (sent, places) => {
        const frames = framesOf(concatBytes(sent), places)
        expect(frames.map((frame) => Buffer.from(bytesOf(frame)))).toEqual(sent.map((bytes) => Buffer.from(bytes)))
        for (const frame of frames) expect(frame.piece).toBeUndefined()
      }),
    )
  })

  it('gives long messages as pieces that make up the message, however the stream is cut', () => {
    fc.assert(
      fc.property(messages, cuts, fc.integer({ min: 5, max: 60 }), (sent, places, maxHeldBytes) => {
        const frames = framesOf(concatBytes(sent), places, { maxHeldBytes })
        expect(Buffer.from(joined(frames))).toEqual(Buffer.from(concatBytes(sent)))
        let within = false
        let whole = 0
        for (const frame of frames) {
          if (frame.piece === undefined) {
            expect(within).toBe(false)
            expect(frame.bytes.length).toBeLessThanOrEqual(maxHeldBytes)
            whole++
            continue
          }
          expect(frame.first).toBe(!within)
          within = !frame.last
          whole += frame.messages
        }
        expect(whole).toBe(sent.length)
      }),
    )
  })

  it('gives consecutive messages of a type as runs, and all others one by one', () => {
    fc.assert(
      fc.property(messages, cuts, (sent, places) => {
        const frames = framesOf(concatBytes(sent), places, { runTypes: [BACKEND.dataRow] })
        expect(Buffer.from(joined(frames))).toEqual(Buffer.from(concatBytes(sent)))
        for (const frame of frames) expect(frame.piece !== undefined).toBe(frame.type === BACKEND.dataRow)
        const count = frames.reduce((sum, frame) => sum + (frame.piece === undefined ? 1 : frame.messages), 0)
        expect(count).toBe(sent.length)
      }),
    )
  })

  it('gives rows that come in one chunk as one run', () => {
    const stream = concatBytes([dataRow(['1']), dataRow(['2']), dataRow([null]), commandComplete('SELECT 3')])
    const frames = framesOf(stream, [], { runTypes: [BACKEND.dataRow] })
    expect(frames.map((frame) => frame.piece !== undefined && frame.messages)).toEqual([3, false])
  })

  it('reads untyped messages until the startup message, then typed ones', () => {
    const stream = concatBytes([sslRequest(), gssRequest(), startupMessage({ user: 'ann' }), query('select 1')])
    fc.assert(
      fc.property(cuts, (places) => {
        const types = framesOf(stream, places, { startup: true }).map((frame) => frame.type)
        expect(types).toEqual([0, 0, 0, 0x51])
      }),
    )
  })

  it('takes a cancel request for the whole conversation', () => {
    const stream = cancelRequest({ processId: 7, secretKey: Uint8Array.of(1, 2, 3, 4) })
    expect(framesOf(stream, [3], { startup: true }).map((frame) => bytesOf(frame))).toEqual([Uint8Array.from(stream)])
  })

  it('says how many bytes follow an SSLRequest: they would be unencrypted', () => {
    const framer = new MessageFramer({ startup: true })
    framer.push(concatBytes([sslRequest(), startupMessage({ user: 'mallory' })]))
    framer.next()
    expect(framer.heldBytes).toBeGreaterThan(0)
  })

  it.each([
    ['shorter than itself', header('Q', 3), /length of 4 to \d+, found 3/],
    ['negative', header('Q', -1), /found -1/],
    ['more than 1 GiB', header('Q', 0x40000000), /found 1073741824/],
    ['of HTTP', Buffer.from('HTTP/1.1 400 Bad Request'), /type "H".*found 1414811695/],
  ])('refuses a length that is %s', (_, bytes, message) => {
    const framer = new MessageFramer()
    framer.push(bytes)
    const error = thrownBy(() => framer.next())
    expect(error.code).toBe('MESH_ERR_POSTGRES')
    expect(error.message).toMatch(message)
  })

  it.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['too short for a code', Buffer.from([0, 0, 0, 7, 0, 0, 0, 0])],
    ['TLS without an SSLRequest', Buffer.from([0x16, 3, 1, 2])],
  ])('refuses a startup message that is %s', (_, bytes) => {
    const framer = new MessageFramer({ startup: true })
    framer.push(bytes)
    expect(thrownBy(() => framer.next()).message).toMatch(/expected a startup message to have a length of 8 to 10000/)
  })

  it('never throws anything but its own error, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, startup) => {
        const framer = new MessageFramer({ startup, maxHeldBytes: 50 })
        framer.push(bytes)
        try {
          while (framer.next() !== undefined);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'MESH_ERR_POSTGRES' })
        }
      }),
    )
  })
})
