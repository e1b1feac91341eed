import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes } from '../../../src/core/bytes.ts'
import { HeldBytes } from '../../../src/capture/reassemble/held-bytes.ts'

function insert(held: HeldBytes, start: number, text: string): number {
  return held.insert({ start, end: start + text.length, bytes: latin1Bytes(text), atNs: 0, acknowledged: 0 })
}

/** The pieces in order, as `start:text`; empties it. */
function drain(held: HeldBytes): string[] {
  const pieces: string[] = []
  for (let piece = held.first; piece !== undefined; piece = held.first) {
    pieces.push(`${piece.start}:${piece.bytes === undefined ? '?' : latin1(piece.bytes)}`)
    held.shift()
  }
  return pieces
}

describe('HeldBytes', () => {
  it('adds only what it does not hold', () => {
    const held = new HeldBytes()
    insert(held, 10, 'abc')
    insert(held, 20, 'xyz')
    expect(insert(held, 8, '0123456789ABCDEFG')).toBe(11)
    expect(drain(held)).toEqual(['8:01', '10:abc', '13:56789AB', '20:xyz', '23:FG'])
    expect(held.costBytes).toBe(0)
  })

  it('copies what it keeps', () => {
    const held = new HeldBytes()
    const bytes = latin1Bytes('abc')
    held.insert({ start: 0, end: 3, bytes, atNs: 0, acknowledged: 0 })
    bytes.fill(0)
    expect(drain(held)).toEqual(['0:abc'])
  })

  it('holds the place of bytes that were not captured', () => {
    const held = new HeldBytes()
    held.insert({ start: 0, end: 5, bytes: undefined, atNs: 0, acknowledged: 0 })
    insert(held, 3, 'abc')
    expect(drain(held)).toEqual(['0:?', '5:c'])
  })

  it('is the same as writing each byte once, the first time that it comes', () => {
    const piece = fc.record({ start: fc.nat({ max: 200 }), length: fc.integer({ min: 1, max: 60 }) })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const held = new HeldBytes()
        const expected = new Map<number, string>()
        for (const [index, { start, length }] of pieces.entries()) {
          const letter = String.fromCharCode(65 + (index % 26))
          const before = expected.size
          for (let at = start; at < start + length; at++) if (!expected.has(at)) expected.set(at, letter)
          if (insert(held, start, letter.repeat(length)) !== expected.size - before) throw new Error('miscounted')
        }
        const found = new Map<number, string>()
        let last = -1
        for (let first = held.first; first !== undefined; first = held.first) {
          if (first.start < last || first.bytes === undefined) throw new Error('out of order')
          for (const [index, letter] of [...latin1(first.bytes)].entries()) found.set(first.start + index, letter)
          last = first.end
          held.shift()
        }
        expect(found).toEqual(new Map([...expected].sort(([one], [other]) => one - other)))
        expect(held.costBytes).toBe(0)
      }),
    )
  })
})
