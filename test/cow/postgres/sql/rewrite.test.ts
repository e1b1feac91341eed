import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'

import { isMerged } from '../../../../src/cow/postgres/catalog.ts'
import { analyse } from '../../../../src/cow/postgres/sql/analysis.ts'
import { nameOf } from '../../../../src/cow/postgres/sql/lock-probe.ts'
import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import { rewrite } from '../../../../src/cow/postgres/sql/rewrite.ts'
import { events, jobs, orders, resolve, rewritten, shop, statementOf } from './shop.ts'
import { WRITES } from './texts.ts'

beforeAll(loadParser)

/** Probes with their line breaks folded. */
function probesOf(text: string): readonly string[] {
  return rewritten(text).probes.map((probe) => probe.text.replaceAll(/\s*\n\s*/g, ' '))
}

const BASE_ORDERS = `"orders".tableoid = 'mesh_base.b1'::pg_catalog.regclass`

describe('rewrite of a write', () => {
  it.each(WRITES)('keeps the text parseable and makes every target ONLY: $because', ({ text }) => {
    const { text: changed, refusal, probes } = rewritten(text)
    expect(refusal).toBeUndefined()
    for (const write of statementOf(changed).writes) {
      if (isMerged(resolve(nameOf(write.target))) && write.operation !== 'insert') expect(write.target.only).toBe(true)
    }
    for (const probe of probes)
      expect(analyse(probe.text)).toMatchObject({ statements: [{ kind: 'select', writes: [] }] })
  })

  it('makes targets ONLY whatever stands around them', () => {
    const blank = fc.constantFrom(' ', '\n', '/* from */', '-- where\n', ' /* é😀 */ ')
    const target = fc.constantFrom('orders', 'public.orders', '"orders"', 'ORDERS', 'public."orders"')
    const alias = fc.constantFrom('', 'o', 'as o', 'AS "from"', 'as "ö"')
    const value = fc.constantFrom(
      "'where'",
      '$$ from $$',
      'case when true and false then 1 end',
      '(select 1 from jobs limit 1)',
      "E'\\''",
    )
    fc.assert(
      fc.property(blank, target, alias, value, fc.constantFrom('update', 'delete'), (gap, name, as, sql, verb) => {
        const head =
          verb === 'update'
            ? `update${gap} ${name} ${as}${gap} set status =${gap}${sql}`
            : `delete${gap} from ${name} ${as}`
        const { text, probes } = rewritten(`${head} where${gap} total = ${sql}${gap} and id > 1${gap}`)
        expect(statementOf(text).writes[0]?.target).toMatchObject({ name: 'orders', only: true })
        expect(analyse(probes.at(-1)?.text ?? '').failure).toBe(false)
        expect(probes.at(-1)?.text).toContain(sql)
      }),
    )
  })

  it('reads a long text once, not once for each of its tables', () => {
    const lookups = Array.from(
      { length: 5000 },
      (_, place) => `c${place} AS (SELECT total FROM orders WHERE id = ${place})`,
    )
    const text = `/* ${' '.repeat(3_000_000)} */ WITH ${lookups.join(', ')} SELECT 1`
    expect(rewritten(text)).toMatchObject({ changed: false, probes: [] })
  })

  it.each([
    'SELECT DISTINCT user_id AS id FROM orders ORDER BY 1',
    'SELECT max(id) AS id FROM orders GROUP BY user_id',
  ])('goes on reading all rows in a limited sub-select whose rows are none of the table: %s', (inner) => {
    const select = `SELECT id FROM (${inner} LIMIT 2) q LIMIT 5`
    expect(rewritten(`delete from orders where id in (${select})`).text).toBe(
      `delete from ONLY orders where id in (${select})`,
    )
  })

  it('asks for base rows by the whole condition, with the same parameters', () => {
    expect(probesOf('update orders set total = $2 where id = $1 and user_id = $3')).toStrictEqual([
      `SELECT "orders"."id" FROM "public"."orders" WHERE (id = $1 ) AND (user_id = $3 ) AND ${BASE_ORDERS}`,
    ])
  })

  it.each([
    ['random() < 0.1 and id = 1', '(id = 1 ) AND ', 'a volatile conjunct'],
    ['own_function(id) and id = 1', '(id = 1 ) AND ', 'a function of a user that nothing is known of'],
    ['random() < 0.1 or id = 1', '', 'an OR with something volatile'],
    ['created < clock_timestamp()', '(created < clock_timestamp() ) AND ', 'nothing: a clock a moment earlier'],
    ['total between 1 and 2 and id = 1', '(total between 1 and 2 ) AND (id = 1 ) AND ', 'nothing: the AND of BETWEEN'],
    ['(id = 1 and random() > 2)', '(id = 1 ) AND ', 'a conjunct in parentheses'],
  ])('drops from %s what cannot be asked twice: leaves %j (%s)', (condition, kept) => {
    expect(probesOf(`delete from orders where ${condition}`)[0]).toBe(
      `SELECT "orders"."id" FROM "public"."orders" WHERE ${kept}${BASE_ORDERS}`,
    )
  })

  it('keeps a condition by a function that is known not to be volatile', () => {
    const { probes } = rewritten('delete from orders where own_function(id)', { volatility: () => 's' })
    expect(probes[0]?.text).toContain('own_function(id)')
  })

  it('asks for no more than the target where a data-modifying CTE is joined', () => {
    const probes = probesOf(
      'with gone as (delete from jobs returning id) update orders set total = 1 from gone where gone.id = orders.id and total > 5',
    )
    expect(probes[1]).toBe(`SELECT "orders"."id" FROM "public"."orders" WHERE (total > 5 ) AND ${BASE_ORDERS}`)
  })

  it('takes one probe for a queue worker, with its order, more than its limit, and no lock', () => {
    const { text, probes } = rewritten(
      `update jobs set state = 'r' where id = (select id from jobs where state = 'q' order by created limit 1 for update skip locked)`,
    )
    expect(text).toBe(
      `update ONLY jobs set state = 'r' where id = (select id from ONLY jobs where state = 'q' order by created limit 1 for update skip locked)`,
    )
    expect(probes).toHaveLength(1)
    expect(probes[0]).toMatchObject({ table: jobs, reason: 'lock', skipLocked: true })
    expect(probes[0]?.text.replaceAll(/\s+/g, ' ')).toContain(
      `ORDER BY created LIMIT (1 )::pg_catalog.int8 + 8) AS mesh_q`,
    )
    expect(probes[0]?.text).not.toContain('skip')
  })

  it('reads merged rows in a sub-select whose LIMIT depends on the row outside', () => {
    const { text } = rewritten(
      'update jobs set state = (select state from jobs k where k.id = jobs.id + 1 order by 1 limit 1) where id = 3',
    )
    expect(text).toContain('from jobs k')
  })

  it('asks for all base rows where MERGE acts on rows without a match', () => {
    expect(
      probesOf('merge into orders o using jobs j on o.id = j.id when not matched by source then delete')[0],
    ).not.toContain('jobs')
  })

  it('hydrates a table that has no key', () => {
    expect(rewritten('delete from events')).toMatchObject({
      hydrate: [events],
      probes: [],
      text: 'delete from ONLY events',
    })
  })

  it('leaves temporary tables, unknown tables and plain reads alone, and names views that are written', () => {
    for (const text of [
      'update scratch set a = 1',
      'delete from nowhere',
      'select * from orders',
      'with orders as (select 1) select * from orders',
    ]) {
      expect(rewritten(text)).toMatchObject({ text, changed: false, probes: [] })
    }
    expect(rewritten('update open_orders set total = 1').views).toMatchObject([{ name: 'open_orders' }])
  })
})

describe('rewrite of INSERT .. ON CONFLICT', () => {
  it('asks by the arbiter, each value cast to its column, so that parameters keep their types', () => {
    expect(
      probesOf(`insert into "Users" (email, seen) values ($1, 3) on conflict (email) do update set seen = 4`),
    ).toStrictEqual([
      `SELECT "mesh_t"."id" FROM "public"."Users" AS "mesh_t", (VALUES (CAST($1 AS text), CAST(3 AS integer))) AS mesh_s(c0, c1) WHERE mesh_t."email" = mesh_s.c0 AND "mesh_t".tableoid = 'mesh_base.b2'::pg_catalog.regclass`,
    ])
  })

  it('asks nothing for DO NOTHING, and nothing where the key is new', () => {
    expect(probesOf(`insert into "Users" (email) values ('a') on conflict do nothing`)).toStrictEqual([])
    expect(probesOf(`insert into orders (total) values (1) on conflict (id) do update set total = 2`)).toStrictEqual([])
  })

  it('asks by every unique where a named constraint is not known', () => {
    expect(
      probesOf(`insert into "Users" values ($1, 'e', 'n', 1) on conflict on constraint other do update set seen = 2`),
    ).toHaveLength(3)
  })

  it('turns an arbiter over an expression into a comparison of both sides', () => {
    expect(
      probesOf(`insert into "Users" (email) values ($1) on conflict (lower(email)) do update set seen = 2`)[0],
    ).toContain(`(lower(mesh_t."email") ) = (lower(mesh_s.c0) )`)
  })

  it('refuses values that only a volatile function of a user knows', () => {
    const { refusal } = rewritten(
      `insert into "Users" (email) values (own_function()) on conflict (email) do update set seen = 2`,
    )
    expect(refusal?.code).toBe('0A000')
  })
})

describe('rewrite of other statements', () => {
  it('copies out of a query, generated columns left out, options kept', () => {
    expect(rewritten('COPY lines TO STDOUT (FORMAT csv, HEADER)').text).toBe(
      'COPY (SELECT "order_id", "line", "sku" FROM lines) TO STDOUT (FORMAT csv, HEADER)',
    )
    expect(rewritten('copy public.orders(id) to stdout').text).toBe('copy (SELECT "id" FROM public.orders) to stdout')
  })

  it('proposes another relation for COPY FROM', () => {
    const { copyIn } = rewritten(`copy public.lines from stdin with (format csv)`)
    expect(copyIn).toMatchObject({ columns: ['order_id', 'line', 'sku'], fromServer: false })
    expect(copyIn?.textFor('pg_temp.m')).toBe('copy pg_temp.m ("order_id", "line", "sku") from stdin with (format csv)')
  })

  it.each([
    ['select * from only orders', '0A000', 20],
    ['select 1; select * from orders tablesample system (1)', '0A000', 25],
    ['copy binary orders to stdout', '0A000', undefined],
    ['update orders set total = 1 where current of c', '0A000', 8],
    ['update totals set sum = 1', '42809', 8],
    ['create view v as select * from only orders', '0A000', 37],
  ])('refuses %s with %s at its place', (text, code, position) => {
    const refusals = text.split(';').length > 1 ? analyseAll(text) : [rewritten(text).refusal]
    expect(refusals.at(-1)).toMatchObject({ code, ...(position === undefined ? {} : { position }) })
  })

  it('lets DDL, LOCK and TRUNCATE say ONLY', () => {
    for (const text of ['alter table only orders add x int', 'lock table only orders', 'truncate only orders']) {
      expect(rewritten(text).refusal).toBeUndefined()
    }
  })

  it('rewrites EXPLAIN without probes, and EXPLAIN ANALYZE with them', () => {
    expect(rewritten('explain delete from orders')).toMatchObject({
      text: 'explain delete from ONLY orders',
      probes: [],
    })
    expect(rewritten('explain (analyze off) delete from orders').probes).toHaveLength(0)
    expect(rewritten('explain analyze delete from orders').probes).toHaveLength(1)
  })

  it('hands merged tables of TRUNCATE to the session, and keeps the others', () => {
    expect(rewritten('truncate orders, scratch restart identity')).toMatchObject({
      truncate: [orders],
      text: 'TRUNCATE "scratch" RESTART IDENTITY',
    })
  })

  it('pins the rows that CREATE TABLE AS locks, for it runs its query', () => {
    const text = 'create table copy as select * from orders for update'
    expect(rewritten(text)).toMatchObject({ text: text.replace('from', 'from ONLY'), probes: [{ reason: 'lock' }] })
  })

  it('touches nothing in the body of a view or a function', () => {
    const text = 'create function f() returns void begin atomic delete from orders; end'
    expect(rewritten(text)).toMatchObject({ text, probes: [] })
  })
})

describe('positions', () => {
  it('lead from the new text to the old one, in characters, also in the second statement', () => {
    const text = `select 'é😀'; update orders set total = 'ü', nope = 1`
    const [, second] = analyseStatements(text)
    const place = [...(second?.text ?? '')].join('').indexOf('nope')
    expect(second?.text).toBe(`update ONLY orders set total = 'ü', nope = 1`)
    expect([...text][(second?.positions([...second.text.slice(0, place)].length + 1) ?? 0) - 1]).toBe('n')
    expect(second?.positions(1)).toBe(14)
  })
})

function analyseStatements(text: string): ReturnType<typeof rewritten>[] {
  const parsed = analyse(text)
  if (parsed.failure) return []
  return parsed.statements.map((statement) => rewrite(statement, shop, resolve))
}

function analyseAll(text: string): unknown[] {
  return analyseStatements(text).map(({ refusal }) => refusal)
}
