import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { visible, visibleLines } from '../../src/core/visible.ts'

describe('visible', () => {
  it.each([
    ['\u001b[2J', String.raw`\x1b[2J`, 'a control'],
    ['a\r\nb\tc\u0000', String.raw`a\x0d\x0ab\x09c\x00`, 'the end of a line, which a name has none of'],
    ['\u007f\u009b31m', String.raw`\x7f\x9b31m`, 'DEL and C1'],
    ['\u202etxt.exe', String.raw`\u202etxt.exe`, 'what turns the direction of writing'],
    ['a\u200bb\ufeff\u2028', String.raw`a\u200bb\ufeff\u2028`, 'what has no width, and separators'],
    ['\ud800', String.raw`\ud800`, 'half of a pair'],
    ['\u{e0041}', String.raw`\u{e0041}`, 'a tag'],
  ])('shows %j as %s: %s', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  it('leaves text of all languages as it is', () => {
    const text = String.raw`GET /straße?q=日本語&x=\x1b 🐵 שלום`
    expect(visible(text)).toBe(text)
  })

  it('leaves nothing that a terminal would obey, and is the same when done twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
        expect(visible(visible(text))).toBe(visible(text))
      }),
    )
  })

  it('keeps lines where there may be several', () => {
    expect(visibleLines('a\u0007\nb')).toBe(`${String.raw`a\x07`}\nb`)
  })
})
