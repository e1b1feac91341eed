import { beforeAll, describe, expect, it } from 'vitest'

import { isMerged } from '../../../../src/cow/postgres/catalog.ts'
import type { Lane, LaneFacts } from '../../../../src/cow/postgres/sql/lane.ts'
import { laneOf } from '../../../../src/cow/postgres/sql/lanes.ts'
import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import { jobs, resolve, settings, statementOf } from './shop.ts'

beforeAll(loadParser)

/** Everything is clean but `jobs`, `lines`, `settings` and `Users`; enums may be compared. */
const FACTS: LaneFacts = {
  relation: (name) => {
    const table = resolve(name)
    if (name.name === 'open_orders') return { kind: 'view', tables: [jobs], columns: jobs.columns, dirty: false }
    return isMerged(table)
      ? { kind: 'merged', table, dirty: ['jobs', 'lines', 'Users', 'settings'].includes(table.name) }
      : { kind: 'other' }
  },
  inTransaction: false,
  repeatable: false,
  sharedSnapshot: false,
  shadowed: (_kind, name) => name === 'lower',
  comparable: (type) => type === 'public.status',
  textKeysExact: () => true,
  parameterTypes: [],
}

function lane(text: string, more: Partial<LaneFacts> = {}): Lane {
  return laneOf(statementOf(text), { ...FACTS, ...more })
}

describe('T0', () => {
  it.each([
    ['select id, total from orders where id = $1', 'a point lookup'],
    [
      'select count(*), sum(total) from orders o where o.created > $1 group by user_id having count(*) > 1 order by 2',
      'aggregates',
    ],
    [`select id from orders where status = 'paid'`, 'an enum, compared only'],
    ["select id from orders where created > now() - interval '1 day'", 'now() outside of a transaction block'],
    [
      'select coalesce(total, 0)::int8, total between 1 and 2, id in (1, 2), case when id > 1 then 2 end from orders',
      'expressions',
    ],
    ['with o as (select id from orders) select o.id from o join events e on e.what = o.id::text', 'CTEs and joins'],
    ['select * from events', 'a star over builtin types'],
    ['select id from open_orders', 'a view that production has'],
    ['select pg_catalog.upper(what) from events', 'a function by its full name'],
  ])('takes %s: %s', (text) => {
    expect(lane(text)).toMatchObject({ lane: 'T0' })
  })
})

describe('T2', () => {
  it.each(
    [
      ['select * from jobs', 'a dirty table'],
      ['select * from orders', 'a star over a column whose type has another OID there'],
      ['select status from orders', 'an enum given out'],
      ['select id from orders for update', 'locks'],
      ['select id into x from orders', 'SELECT INTO'],
      ['with d as (delete from orders returning id) select id from d', 'a CTE that writes'],
      ['select txid_current() from orders', 'STABLE, and takes a transaction id'],
      [`select table_to_xml('orders', true, true, '') from orders`, 'a relation in a string'],
      [`select nextval('s') from orders`, 'a sequence'],
      [`select pg_sleep(1), id from orders`, 'not on the list'],
      [`select set_config('role', 'x', false) from orders`, 'a setting'],
      ['select own_function(id) from orders', 'a function of a user'],
      ['select public.upper(what) from events', 'a function of a user under a builtin name'],
      ['select lower(what) from events', 'a builtin name that is shadowed'],
      ['select id from orders where id operator(public.=) 1', 'an operator of a user'],
      [`select 'orders'::regclass from orders`, 'a type whose values are OIDs'],
      [`select id from orders where total = '1'::public.money2`, 'a type of a user'],
      ['select current_user, id from orders', 'differs by side'],
      ['select ctid from orders', 'a system column'],
      ['select tableoid from events', 'a system column'],
      ['select o from orders o', 'a whole row'],
      ['select o.computed from orders o', 'a function in the shape of a column'],
      ['select (e).what from events e', 'a function in the shape of a field'],
      ['select relname from pg_class', 'a catalogue'],
      ['select a from scratch', 'a temporary table'],
      ['select 1', 'no table'],
      ['select age(created) from orders', 'allowed'],
      ['explain select id from orders', 'no SELECT'],
      ['select what collate "de" from events', 'a collation'],
    ].filter(([, because]) => because !== 'allowed'),
  )('takes %s: %s', (text) => {
    expect(lane(text ?? '')).toMatchObject({ lane: 'T2' })
  })

  it('takes clocks in a transaction block, and everything in a repeatable snapshot that is not shared', () => {
    for (const text of [
      'select now() from events',
      'select current_timestamp from events',
      'select age(at) from events',
    ]) {
      expect(lane(text)).toMatchObject({ lane: 'T0' })
      expect(lane(text, { inTransaction: true })).toMatchObject({ lane: 'T2' })
    }
    expect(lane('select what from events', { repeatable: true })).toMatchObject({ lane: 'T2' })
    expect(lane('select what from events', { repeatable: true, sharedSnapshot: true })).toMatchObject({ lane: 'T0' })
  })

  it('takes parameters that the client declared with a type of a user, or with an OID of a thing', () => {
    expect(lane('select id from orders where id = $1', { parameterTypes: [20] })).toMatchObject({ lane: 'T0' })
    for (const type of [16_999, 2205]) {
      expect(lane('select id from orders where id = $1', { parameterTypes: [type] })).toMatchObject({ lane: 'T2' })
    }
  })
})

describe('TK', () => {
  it.each([
    ['select * from jobs where id = $2', [{ from: 'parameter', number: 2, type: 'integer' }]],
    [
      'select state from jobs j where 7 = j.id and state = $1 limit 1',
      [{ from: 'literal', text: '7', type: 'integer' }],
    ],
    [`select * from jobs where id = '007'::int`, [{ from: 'literal', text: '7', type: 'integer' }]],
    [
      `select name from "Users" where id = '00000000-0000-0000-0000-00000000000A'`,
      [{ from: 'literal', text: '00000000-0000-0000-0000-00000000000a', type: 'uuid' }],
    ],
    [
      `select sku from lines where line = $1 and order_id = 12345678901`,
      [
        { from: 'literal', text: '12345678901', type: 'bigint' },
        { from: 'parameter', number: 1, type: 'integer' },
      ],
    ],
    [`select value from settings where key = 'é'`, [{ from: 'literal', text: 'é', type: 'text' }]],
  ])('takes %s, with the values of its key', (text, key) => {
    expect(lane(text)).toMatchObject({ lane: 'TK', key })
  })

  it.each([
    ['select * from jobs where id = 1 or id = 2', 'no single key'],
    ['select * from jobs where id > 1', 'a range'],
    ['select * from jobs where id = 1.5', 'no integer'],
    ['select sku from lines where order_id = 1', 'half of a key'],
    ['select * from jobs where id = 1 union all select * from jobs', 'a set operation'],
    ['select * from jobs where id = (select 1)', 'a sub-select'],
    ['select * from jobs a, jobs b where a.id = 1', 'two tables'],
    ['select * from jobs where id = $1::numeric', 'another type of number'],
    ['select * from jobs where not id = 1', 'a negation'],
  ])('does not take %s: %s', (text) => {
    expect(lane(text)).toMatchObject({ lane: 'T2' })
  })

  it('does not take parameters declared with another family of types, text keys that may equal others, or repeatable snapshots', () => {
    expect(lane('select * from jobs where id = $1', { parameterTypes: [20] })).toMatchObject({
      key: [{ type: 'bigint' }],
    })
    expect(lane('select * from jobs where id = $1', { parameterTypes: [1700] })).toMatchObject({ lane: 'T2' })
    expect(
      lane(`select value from settings where key = 'a'`, { textKeysExact: (table) => table !== settings }),
    ).toMatchObject({ lane: 'T2' })
    expect(lane('select * from jobs where id = 1', { repeatable: true, sharedSnapshot: true })).toMatchObject({
      lane: 'T2',
    })
  })
})
