import { beforeAll, describe, expect, it } from 'vitest'
import { judgeFdwStatement } from '../../../../src/cow/postgres/gate/fdw-statement.ts'
import type { Shippable } from '../../../../src/cow/postgres/gate/shippable.ts'
import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'

const SHIPPABLE: Shippable = {
  functions: new Set(['lower', 'count', 'sum', 'date_trunc', 'public.similarity']),
  operators: new Set(['public.%', ...['=', '>', '<', '+', '/'].map((name) => `pg_catalog.${name}`)]),
  types: new Set([
    'public.status',
    ...['int4', 'int8', 'text', 'float4', 'regclass', 'bool', 'timestamptz'].map((name) => `pg_catalog.${name}`),
  ]),
  extensions: new Set(),
}

describe('judgeFdwStatement()', () => {
  beforeAll(() => loadParser())

  it.each([
    ['a scan', 'SELECT id, name FROM public.customer WHERE ((id = 7))'],
    ['a lookup by parameter', 'SELECT name FROM public.customer WHERE ((id = $1::integer))'],
    ['the stand-in for a parameter', 'SELECT name FROM public.c WHERE ((id = ((SELECT null::integer)::integer)))'],
    [
      'a join',
      'SELECT r1.a, r2.b FROM (public.t r1 INNER JOIN public.u r2 ON (((r1.a = r2.b)))) ORDER BY r1.a ASC NULLS LAST LIMIT 5::bigint',
    ],
    ['a semi-join', 'SELECT r1.a FROM public.t r1 WHERE EXISTS (SELECT NULL FROM public.u r2 WHERE ((r1.a = r2.b)))'],
    ['aggregates', 'SELECT count(*), sum(a) FILTER (WHERE b), a FROM public.t GROUP BY 3 HAVING ((count(*) > 1))'],
    ['a whole row', 'SELECT CASE WHEN (r1.*)::text IS NOT NULL THEN ROW(r1.id, r1.name) END FROM public.c r1'],
    ['an enum', "SELECT id FROM public.o WHERE ((st = 'paid'::public.status))"],
    ['a list', "SELECT id FROM public.o WHERE ((id = ANY ('{1,2}'::integer[])))"],
    [
      'an extension',
      "SELECT id FROM public.o WHERE ((name OPERATOR(public.%) 'x'::text)) AND ((public.similarity(name, 'x'::text) > 0.5::real))",
    ],
    ['a sample', 'SELECT id FROM public.o TABLESAMPLE SYSTEM(10.0)'],
    [
      'the size for ANALYZE',
      "SELECT pg_catalog.pg_relation_size('public.o'::pg_catalog.regclass) / current_setting('block_size')::int",
    ],
  ])('lets through %s', (_what, text) => {
    expect(judgeFdwStatement(text, SHIPPABLE)).toEqual({ kind: 'read', text })
  })

  it.each([
    ['SELECT id FROM public.o FOR UPDATE', 'SELECT id FROM public.o'],
    [
      'SELECT r1.id FROM (public.o r1 INNER JOIN public.p r2 ON (TRUE)) FOR UPDATE OF r1 FOR SHARE OF r2',
      'SELECT r1.id FROM (public.o r1 INNER JOIN public.p r2 ON (TRUE))',
    ],
    ['SELECT id FROM public.o LIMIT 1::bigint FOR KEY SHARE', 'SELECT id FROM public.o LIMIT 1::bigint'],
  ])('cuts the row locks off %s', (text, read) => {
    expect(judgeFdwStatement(text, SHIPPABLE)).toEqual({ kind: 'read', text: read })
  })

  const named = (what: unknown): string => `"mesh:${JSON.stringify(what).replaceAll('"', '""')}"`
  const seven = named({ value: '7', type: 'integer' })
  const wider = named({ column: 'id', type: 'bigint', ordered: true })

  it.each([
    [
      'a value',
      `SELECT id, ${seven} FROM public.o WHERE ((${seven} > 3)) ORDER BY ${seven} ASC NULLS LAST`,
      `SELECT id, ('7'::integer) FROM public.o WHERE ((('7'::integer) > 3)) ORDER BY ('7'::integer) ASC NULLS LAST`,
    ],
    ['nothing', `SELECT ${named({ value: null, type: 'text' })} FROM public.o`, 'SELECT (NULL::text) FROM public.o'],
    [
      'a value with quotes and backslashes',
      `SELECT ${named({ value: `it's \\ "so"`, type: 'text' })} FROM public.o`,
      `SELECT ( E'it''s \\\\ "so"'::text) FROM public.o`,
    ],
    [
      'a value beside an outer join, whose rows may be made up',
      `SELECT r2.${seven} FROM (public.u r1 LEFT JOIN public.o r2 ON (((r1.id = r2.u))))`,
      `SELECT (CASE WHEN (r2.*)::text IS NOT NULL THEN ('7'::integer) END) FROM (public.u r1 LEFT JOIN public.o r2 ON (((r1.id = r2.u))))`,
    ],
    [
      'a wider type, but for comparisons and order, which indexes serve',
      `SELECT r1.${wider} FROM public.o r1 WHERE ((r1.${wider} = $1::bigint)) AND (((r1.${wider} + 1) < 9)) ORDER BY r1.${wider} DESC NULLS FIRST`,
      'SELECT (r1."id"::bigint) FROM public.o r1 WHERE ((r1."id" = $1::bigint)) AND ((((r1."id"::bigint) + 1) < 9)) ORDER BY r1."id" DESC NULLS FIRST',
    ],
    [
      'a time zone',
      `SELECT ${named({ column: 'at', type: 'timestamp with time zone', zone: 'UTC' })} FROM public.o`,
      `SELECT ("at" AT TIME ZONE 'UTC') FROM public.o`,
    ],
  ])('supplies %s', (_what, text, read) => {
    expect(judgeFdwStatement(text, { ...SHIPPABLE, functions: new Set(['timezone']) })).toEqual({
      kind: 'read',
      text: read,
    })
  })

  it('takes no name in a constant for a column, and lets nothing through that is supplied', () => {
    const text = `SELECT id FROM public.o WHERE ((name = '${seven}'::text))`
    expect(judgeFdwStatement(text, SHIPPABLE)).toEqual({ kind: 'read', text })
    const evil = named({ value: '1', type: 'integer), pg_notify($1, $2' })
    expect(judgeFdwStatement(`SELECT ${evil} FROM public.o`, SHIPPABLE)).toMatchObject({ kind: 'refused' })
  })

  it.each([
    ['a function that is not listed', 'SELECT pg_notify($1, $2)', /pg_notify/],
    ['a function of another schema with a listed name', 'SELECT public.lower(a) FROM public.t', /public\.lower/],
    ['an operator of another schema', 'SELECT a OPERATOR(public.=) b FROM public.t', /operator public\.=/],
    ['a sort by an operator of another schema', 'SELECT a FROM public.t ORDER BY a USING OPERATOR(evil.<)', /evil/],
    ['a type of another schema', "SELECT 'x'::public.checked", /public\.checked/],
    ['a relation without schema', 'SELECT a FROM t', /without its schema/],
    ['a temporary relation', 'SELECT a FROM pg_temp.t', /without its schema/],
    ['a function as a table', 'SELECT * FROM lower($1) f', /RangeFunction/],
    ['a common table', 'WITH w AS (SELECT 1) SELECT * FROM public.t', /withClause/],
    ['a lock inside', 'SELECT * FROM (SELECT a FROM public.t FOR UPDATE) s', /lockingClause/],
    ['a lock hidden in a string', "SELECT 'x FOR UPDATE", /does not parse/],
    ['nothing', '', /not a SELECT/],
  ])('refuses %s', (_what, text, reason) => {
    const verdict = judgeFdwStatement(text, SHIPPABLE)
    expect(verdict.kind === 'refused' ? verdict.reason : verdict.text).toMatch(reason)
  })
})
