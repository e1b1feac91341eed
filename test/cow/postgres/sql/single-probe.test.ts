import { beforeAll, describe, expect, it } from 'vitest'

import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import type { SingleProbe } from '../../../../src/cow/postgres/sql/rewriting.ts'
import { rewritten } from './shop.ts'

const UUID = "'00000000-0000-0000-0000-000000000001'"

describe('a probe for one row', () => {
  beforeAll(loadParser)

  const singleOf = (text: string, catalogFirst = true): SingleProbe | undefined =>
    rewritten(text, { catalogFirst }).probes[0]?.single

  it.each([
    ['UPDATE orders SET total = 1 WHERE id = 5', '(5)::bigint::pg_catalog.text'],
    ['DELETE FROM orders o WHERE o.id = 5', '(5)::bigint::pg_catalog.text'],
    ['UPDATE jobs SET state = $2 WHERE (id = $1)', '($1)::integer::pg_catalog.text'],
    [`DELETE FROM "Users" WHERE id = ${UUID} RETURNING *`, `(${UUID})::uuid::pg_catalog.text`],
    [`DELETE FROM settings WHERE key = 'it''s'`, `('it''s')::text::pg_catalog.text`],
    [
      'UPDATE lines SET sku = $3 WHERE line = $2 AND order_id = $1',
      '($1)::bigint::pg_catalog.text, ($2)::integer::pg_catalog.text',
    ],
  ])('asks for nothing but the row where the key says it all: %s', (text, values) => {
    expect(singleOf(text)?.text).toMatch(/^SELECT CASE WHEN EXISTS \(.*\) THEN 0 ELSE mesh\.bring\(/)
    expect(singleOf(text)?.text).toContain(`jsonb_build_array(${values})`)
  })

  it.each([
    `UPDATE jobs SET state = 'b' WHERE id = 5 AND state = 'a'`,
    'UPDATE jobs SET state = $1 WHERE id = 5 AND id = 6',
    'DELETE FROM jobs WHERE id = 5 AND random() < 0.5',
  ])('asks whether the statement wants the row where there are other conditions: %s', (text) => {
    expect(singleOf(text)?.text).toMatch(/mesh\.fault_in\(3, .* AND NOT EXISTS \(/s)
  })

  it.each([
    ['a comparison of another kind', 'DELETE FROM jobs WHERE id > 5'],
    ['one of several', 'DELETE FROM jobs WHERE id = 5 OR id = 6'],
    ['a list', 'DELETE FROM jobs WHERE id IN (5, 6)'],
    ['a number that may be too big for the type', 'DELETE FROM jobs WHERE id = 5000000000'],
    ['a number with a point', 'DELETE FROM jobs WHERE id = 5.0'],
    ['a number in quotes', `DELETE FROM jobs WHERE id = '5'`],
    ['a string with escapes of its own', String.raw`DELETE FROM settings WHERE key = E'\x41'`],
    ['an expression', 'DELETE FROM jobs WHERE id = 5 + $1'],
    ['a part of the key', 'DELETE FROM lines WHERE order_id = 5'],
    ['a column of another type', `DELETE FROM jobs WHERE state = 'a'`],
    ['a list of tables', 'UPDATE jobs SET state = o.id::text FROM orders o WHERE jobs.id = 5'],
  ])('is none for %s', (_, text) => {
    expect(singleOf(text)).toBeUndefined()
  })

  it('is none where a schema of the user may have an operator of its own', () => {
    expect(singleOf('DELETE FROM jobs WHERE id = 5', false)).toBeUndefined()
  })

  it('holds for parameters that have no value but of the type of the key', () => {
    expect(singleOf('DELETE FROM jobs WHERE id = $2')?.parameters).toEqual([{ number: 2, types: [21, 23] }])
    expect(singleOf('DELETE FROM orders WHERE id = $1')?.parameters).toEqual([{ number: 1, types: [21, 23, 20] }])
  })
})
