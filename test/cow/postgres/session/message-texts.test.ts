import { isAscii } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasPlainTexts, textsOf } from '../../../../src/cow/postgres/session/message-texts.ts'
import type { PgMessage } from '../../../../src/wire/postgres/framer.ts'
import { bind, close, FRONTEND, parse, query, sync } from '../../../../src/wire/postgres/frontend.ts'

function messageOf(type: number, payload: Uint8Array): PgMessage {
  return { type, payload, bytes: Buffer.concat([Buffer.alloc(5), payload]) }
}

const read = (bytes: Uint8Array): PgMessage => messageOf(bytes[0] ?? 0, bytes.subarray(5))

/** Zero bytes, backslashes and what is no ASCII are as frequent as letters. */
const byte = fc.oneof(fc.constantFrom(0, 0x5c, 0x80, 0xff), fc.integer({ min: 0, max: 0x7f }))
const payload = fc.oneof(
  fc.array(byte, { maxLength: 20 }),
  fc.array(fc.constantFrom(0, 0x61), { maxLength: 6 }),
  // Longer than what is looked at byte by byte, with something at its end.
  fc
    .tuple(fc.integer({ min: 505, max: 520 }), fc.array(byte, { maxLength: 12 }))
    .map(([length, end]) => [...Array.from({ length }, () => 0x61), ...end]),
)
const type = fc.constantFrom(...Object.values(FRONTEND))

describe('the texts of a message', () => {
  it('are plain only where there are none, or all are ASCII without a backslash', () => {
    fc.assert(
      fc.property(type, payload, (of, bytes) => {
        const message = messageOf(of, Uint8Array.from(bytes))
        const texts = textsOf(message)
        const isPlain = texts === undefined || (isAscii(texts) && !texts.includes(0x5c))
        if (hasPlainTexts(message)) expect(isPlain).toBe(true)
        else if (isPlain && texts !== undefined) expect(texts.length).toBeGreaterThan(500)
      }),
      { numRuns: 2000 },
    )
  })

  it('are those in front of a message, whatever its values are', () => {
    const bound = read(bind({ portal: 'p', statement: 's', formats: [], values: ['\\é'], resultFormats: [] }))
    expect(hasPlainTexts(bound)).toBe(true)
    expect(Buffer.from(textsOf(bound) ?? []).toString()).toBe('p\0s\0')
    expect(hasPlainTexts(read(query("SELECT 'a'")))).toBe(true)
    expect(hasPlainTexts(read(query("SELECT 'é'")))).toBe(false)
    expect(hasPlainTexts(read(query("SELECT E'\\n'")))).toBe(false)
    expect(hasPlainTexts(read(parse({ name: 'é', text: 'SELECT 1', parameterTypes: [] })))).toBe(false)
    expect(hasPlainTexts(read(close({ kind: 'statement', name: '\\' })))).toBe(false)
    expect(hasPlainTexts(read(sync()))).toBe(true)
  })
})
