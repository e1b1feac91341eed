import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resultFormatsOf } from '../../../../src/cow/postgres/gate/upstream-statement.ts'
import { BoundValues } from '../../../../src/cow/postgres/session/bound-values.ts'
import { bind, type PgBindBytes, readBind } from '../../../../src/wire/postgres/frontend.ts'

/** What a Bind of the unnamed portal and statement has behind their names. */
const tailOf = (message: Parameters<typeof bind>[0]): Uint8Array => bind(message).subarray(7)

/** Undefined where it cannot be read to its end. */
function read(tail: Uint8Array): PgBindBytes | undefined {
  try {
    return readBind(Buffer.concat([Buffer.alloc(2), tail]))
  } catch {
    return undefined
  }
}

const value = fc.option(fc.uint8Array({ maxLength: 20 }))
const formats = fc.array(fc.constantFrom(0, 1), { maxLength: 4 })
const message = fc.record({
  portal: fc.constant(''),
  statement: fc.constant(''),
  formats,
  values: fc.array(value, { maxLength: 6 }),
  resultFormats: formats,
})

describe('what a Bind has behind its names', () => {
  it('is counted and told as a reader of the message reads it', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const tail = tailOf(sent)
        const values = new BoundValues(tail)
        expect(values.isWhole).toBe(true)
        expect(values.count).toBe(sent.values.length)
        expect(resultFormatsOf(tail)).toBe(sent.resultFormats.join(','))
        const texts = sent.values.map((each) => (each === null ? undefined : Buffer.from(each).toString()))
        expect(sent.values.map((_, place) => values.keyText(place + 1, 'text'))).toEqual(texts)
        expect(values.keyText(texts.length + 1, 'text')).toBeUndefined()
      }),
    )
  })

  it('is whole just where a reader can read it to its end', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 16 }),
      fc.array(fc.constantFrom(0, 0, 0, 1, 2, 0xff), { maxLength: 24 }).map((each) => Uint8Array.from(each)),
      fc.tuple(message, fc.nat(200)).map(([sent, length]) => tailOf(sent).subarray(0, length)),
    )
    fc.assert(
      fc.property(bytes, (tail) => {
        expect(new BoundValues(tail).isWhole).toBe(read(tail) !== undefined)
        // The formats are told apart, be they such as nobody has: without their sign.
        const formats = read(tail)?.resultFormats.map((each) => each & 0xffff)
        expect(resultFormatsOf(tail)).toEqual(formats?.join() ?? expect.any(String))
      }),
      { numRuns: 2000 },
    )
    // Two values, of which one is there: the formats of the result are not the other's length.
    expect(new BoundValues(Uint8Array.of(0, 0, 0, 2, 255, 255, 255, 255, 0, 0)).isWhole).toBe(false)
  })

  it('has a key in text or in binary, as it says for all of them or for each', () => {
    const [text, binary] = [Buffer.from('7'), Buffer.from([0, 0, 0, 7])]
    const keysOf = (formats: readonly number[], values: readonly Uint8Array[]): readonly (string | undefined)[] => {
      const all = new BoundValues(tailOf({ portal: '', statement: '', formats, values, resultFormats: [1] }))
      return values.map((_, place) => all.keyText(place + 1, 'integer'))
    }
    expect(keysOf([], [text, text])).toEqual(['7', '7'])
    expect(keysOf([0], [text, text])).toEqual(['7', '7'])
    expect(keysOf([1], [binary, binary])).toEqual(['7', '7'])
    expect(keysOf([0, 1], [text, binary])).toEqual(['7', '7'])
    expect(keysOf([1, 0], [binary, text])).toEqual(['7', '7'])
    expect(keysOf([1, 1], [text, binary])).toEqual([undefined, '7'])
  })

  it('has one spelling of an integer, however it is written', () => {
    const digits = fc.stringMatching(/^-?[0-9]{1,19}$/)
    fc.assert(
      fc.property(digits, (text) => {
        expect(BoundValues.ofTexts([text]).keyText(1, 'bigint')).toBe(String(BigInt(text)))
      }),
    )
    expect(BoundValues.ofTexts(['-0']).keyText(1, 'integer')).toBe('0')
    expect(BoundValues.ofTexts(['007']).keyText(1, 'integer')).toBe('7')
    for (const text of ['', '-', ' 7', '7 ', '+7', '7.0', '1e3', '0x7', '7\n', '12345678901234567890']) {
      expect(BoundValues.ofTexts([text]).keyText(1, 'integer')).toBeUndefined()
    }
  })
})
