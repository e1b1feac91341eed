import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1Bytes } from '../../src/core/bytes.ts'
import { NameMemo } from '../../src/core/name-memo.ts'

describe('NameMemo', () => {
  it('gives each name its own verdict, however many there are and in whatever order', () => {
    const memo = new NameMemo((name) => `<${name}>`)
    const names = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 80 }), { maxLength: 50 })
    fc.assert(
      fc.property(names, (all) => {
        const bytes = latin1Bytes(all.join(''))
        let start = 0
        for (const name of all) {
          expect(memo.of(bytes, start, start + name.length)).toBe(`<${name}>`)
          start += name.length
        }
      }),
    )
  })

  it('judges a name once, and a long one each time', () => {
    const judged: string[] = []
    const memo = new NameMemo((name) => judged.push(name))
    const long = 'x'.repeat(100)
    for (const name of ['host', 'host', 'Host', long, long]) memo.of(latin1Bytes(name), 0, name.length)
    expect(judged).toEqual(['host', 'Host', long, long])
  })

  it('stays right where more names come than it has room for', () => {
    const memo = new NameMemo((name) => name.length + Number(name.slice(1)))
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 5000; index++) {
        const name = `n${index}`
        expect(memo.of(latin1Bytes(name), 0, name.length)).toBe(name.length + index)
      }
    }
  })

  it('does not see a change of the bytes that a name was in', () => {
    const memo = new NameMemo((name) => name)
    const bytes = latin1Bytes('abc')
    expect(memo.of(bytes, 0, 3)).toBe('abc')
    bytes[1] = 0x78
    expect(memo.of(bytes, 0, 3)).toBe('axc')
    expect(memo.of(latin1Bytes('abc'), 0, 3)).toBe('abc')
  })
})
