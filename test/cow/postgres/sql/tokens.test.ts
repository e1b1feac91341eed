import fc from 'fast-check'
import { loadModule, scanSync } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'

import { utf8Offsets } from '../../../../src/cow/postgres/sql/offsets.ts'
import { Tokens } from '../../../../src/cow/postgres/sql/tokens.ts'
import { WRITES } from './texts.ts'

beforeAll(loadModule)

function ours(text: string): readonly string[] {
  const tokens = new Tokens(text)
  return Array.from({ length: tokens.count }, (_, index) => tokens.at(index))
}

/** PostgreSQL's tokens, comments left out; undefined where its scanner gives an error. */
function theirs(text: string): readonly string[] | undefined {
  try {
    const at = utf8Offsets(text)
    const tokens = scanSync(text).tokens.filter(({ tokenName }) => !tokenName.endsWith('_COMMENT'))
    return tokens.map(({ start, end }) => text.slice(at(start), at(end)))
  } catch {
    return undefined
  }
}

/** Pieces of which hard texts are made. */
const PIECES = [
  'select',
  'a',
  '"b ""c"',
  "'it''s'",
  "E'a\\'b'",
  "b'01'",
  "U&'\\0041'",
  'U&"x"',
  '$1',
  '$$ x $$',
  '$t$ $$ $t$',
  '1',
  '1.5e-3',
  '.5',
  '0x1F',
  '1_000',
  '1..2',
  '(',
  ')',
  '[',
  ']',
  ',',
  ';',
  '.',
  ':',
  '::',
  ':=',
  '=>',
  '<>',
  '!=',
  '->>',
  '@-',
  '*-',
  '+-',
  '/*c*/',
  '/* a /* b */ c */',
  '-- c\n',
  "'a'\n'b'",
  'é',
  'ñ$1',
  '"é"',
  '😀',
  ' ',
  '\n',
  '\t',
  'CASE',
  'end',
  '?|',
  '||',
  '|/',
]

describe('the tokens of a text', () => {
  it.each(WRITES.map(({ text }) => text))('are those of PostgreSQL: %s', (text) => {
    expect(ours(text)).toStrictEqual(theirs(text))
  })

  it('are those of PostgreSQL for any mixture of strings, comments, numbers and operators', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        // A comment between the parts of one string is PostgreSQL's, but not libpg-query's.
        const isJoined = new Tokens(text).joints.some(
          (offset, place) => place % 2 === 0 && text.startsWith('--', offset),
        )
        const expected = isJoined ? undefined : theirs(text)
        if (expected !== undefined) expect(ours(text)).toStrictEqual(expected)
      }),
      { numRuns: 3000 },
    )
  })

  it('count CASE and brackets as depth, so that an END or AND inside is no clause of the level', () => {
    const tokens = new Tokens('a case when b and c then d end and e[1 + (2)]')
    expect(tokens.findWord(['and'], 0, tokens.count, 0)).toBe(9)
    expect(tokens.depth(4)).toBe(1)
  })

  it('take no keyword for one where it is a label', () => {
    const tokens = new Tokens('t.where, x AS from where')
    expect(tokens.at(tokens.findWord(['where', 'from'], 0, tokens.count, 0) - 1)).toBe('from')
  })
})
