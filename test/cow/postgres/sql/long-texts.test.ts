import { beforeAll, describe, expect, it } from 'vitest'

import { loadParser, parseSql } from '../../../../src/cow/postgres/sql/parser.ts'
import { Tokens } from '../../../../src/cow/postgres/sql/tokens.ts'
import { rewritten, statementOf } from './shop.ts'

beforeAll(loadParser)

const times = (count: number, piece: (place: number) => string, joint = ''): string =>
  Array.from({ length: count }, (_, place) => piece(place)).join(joint)

/** Each of these took minutes, or had no end, before its time grew with its length alone. */
describe('a long text is read in a time that grows with its length', () => {
  it('a constant before a line of dashes', () => {
    expect(statementOf(`select 'new' ${'-'.repeat(5000)}\nfrom orders`).relations).toHaveLength(1)
    expect(new Tokens(`select 'a' ${'-'.repeat(5000)}\n -- more\n'b'`).count).toBe(2)
  })

  it('comments inside comments, and comments between the parts of one string', () => {
    expect(parseSql(`select 1 ${'/*'.repeat(100_000)}${'*/'.repeat(100_000)}`)).toMatchObject({ failure: false })
    expect(parseSql(`select 1 /* é /* ${'/*'.repeat(100_000)}`)).toMatchObject({ code: '42601' })
    expect(statementOf(`select ${times(15_000, () => "'a' -- x\n'b'", ',')} from orders`).relations).toHaveLength(1)
  })

  it('signs in a row, which are refused where the parser would take as long', () => {
    expect(statementOf(`select 1 ${'+-'.repeat(400)}id from orders`).operators).toHaveLength(800)
    expect(parseSql(`select 1 ${'+-'.repeat(50_000)}1`)).toMatchObject({ failure: true, code: '54000' })
  })

  it('10,000 entries of WITH, each of which mentions the one before', () => {
    const entries = times(
      10_000,
      (place) => `c${place} AS (SELECT * FROM ${place === 0 ? 'jobs' : `c${place - 1}`})`,
      ', ',
    )
    const text = `WITH ${entries} UPDATE orders SET total = 1 FROM c9999 WHERE orders.id = c9999.id`
    const { probes, changed } = rewritten(text)
    expect({ count: probes.length, changed }).toStrictEqual({ count: 1, changed: true })
    expect(probes[0]?.text.split('\n, ')).toHaveLength(10_000)
  })

  it('sub-selects that are limited or locked, side by side and one in another', () => {
    const beside = times(4000, () => 'id = (SELECT id FROM orders LIMIT 1)', ' AND ')
    expect(rewritten(`DELETE FROM orders WHERE ${beside}`).probes).toHaveLength(4000)
    const within = (end: string): string => `${times(600, () => '(SELECT * FROM ')}orders${times(600, () => end)}`
    expect(rewritten(`DELETE FROM orders USING ${within(' LIMIT 1) q')}`).probes).toHaveLength(2)
    expect(rewritten(`SELECT * FROM ${within(' FOR UPDATE) q')} FOR UPDATE`).probes).toHaveLength(1)
  })
})
