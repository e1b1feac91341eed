import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maskedSql } from '../../../../src/cow/postgres/gate/masked-sql.ts'

describe('maskedSql()', () => {
  it.each([
    ["SELECT 'a', 'it''s' FROM t", 'SELECT $1, $2 FROM t'],
    ["SELECT E'a\\'b' || $2", 'SELECT $3 || $2'],
    ['SELECT 1, -2.5e10, .5, 0x1F, 1_000 FROM r1', 'SELECT $1, -$2, $3, $4, $5 FROM r1'],
    ["SELECT $$a$$, $x$ $$ 'b' $x$", 'SELECT $1, $2'],
    ["SELECT \"a'b\" /* 'secret' /* nested */ 12 */ -- 'more'\nFROM t", 'SELECT "a\'b"    \nFROM t'],
    ["SELECT B'01', x'ff', U&'d\\0061t'", 'SELECT $1, $2, $3'],
    ["SELECT 'open", 'SELECT $1'],
    ['SELECT 1 /* open 2', 'SELECT $1  '],
    ["SELECT E'open\\", 'SELECT $1'],
    ['SELECT c1.a1 FROM "T2" AS c1 LIMIT 10', 'SELECT c1.a1 FROM "T2" AS c1 LIMIT $1'],
  ])('leaves the values out of %s', (text, masked) => {
    expect(maskedSql(text)).toBe(masked)
  })

  it('shows no literal, whatever stands in it', () => {
    const secret = fc.string({ minLength: 1, maxLength: 20 }).map((text) => `QQ${text}QQ`)
    fc.assert(
      fc.property(fc.array(secret, { minLength: 1, maxLength: 5 }), (values) => {
        const literals = values.map((value) => `'${value.replaceAll("'", "''")}'`)
        expect(maskedSql(`SELECT ${literals.join(', ')} FROM t`)).not.toContain('QQ')
      }),
    )
  })

  it('takes a text of megabytes', () => {
    expect(maskedSql(`SELECT '${"''x".repeat(1_000_000)}'`)).toBe('SELECT $1')
  })
})
