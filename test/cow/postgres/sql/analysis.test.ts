import { beforeAll, describe, expect, it } from 'vitest'

import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import { statementOf, statementsOf } from './shop.ts'

beforeAll(loadParser)

describe('the kind and detail of a statement', () => {
  it.each([
    [
      'begin isolation level repeatable read, read only',
      { kind: 'transaction', transaction: { verb: 'begin', isolation: 'repeatable read', readOnly: true } },
    ],
    ['rollback to savepoint a', { kind: 'transaction', transaction: { verb: 'rollback-to', name: 'a' } }],
    ['commit and chain', { kind: 'transaction', transaction: { verb: 'commit', chain: true } }],
    [`prepare transaction 'x'`, { kind: 'transaction', transaction: { verb: 'prepare-transaction', name: 'x' } }],
    [
      `set local search_path = a, "B"`,
      { kind: 'set', setting: { action: 'set', name: 'search_path', values: ['a', 'B'], local: true } },
    ],
    [`set time zone 'UTC'`, { kind: 'set', setting: { name: 'timezone', values: ['UTC'] } }],
    [
      'set session characteristics as transaction read write',
      { kind: 'set', setting: { action: 'set-characteristics', readOnly: false } },
    ],
    ['set role none', { kind: 'set', setting: { name: 'role', values: ['none'] } }],
    ['reset all', { kind: 'set', setting: { action: 'reset-all', name: '' } }],
    ['show search_path', { kind: 'show', name: 'search_path' }],
    ['discard all', { kind: 'discard', what: 'all' }],
    ['deallocate all', { kind: 'deallocate', name: undefined }],
    ['close all', { kind: 'close', cursor: undefined }],
    ['move 5 in c', { kind: 'fetch', cursor: 'c', move: true }],
    ['declare c cursor with hold for select 1', { kind: 'declare', cursor: 'c', hold: true }],
    ['unlisten *', { kind: 'listen', channel: undefined, stop: true }],
    ['explain analyze select 1', { kind: 'explain', analyze: true, of: 'select' }],
    ['explain (analyze false) delete from orders', { kind: 'explain', analyze: false, of: 'delete' }],
    [`copy orders from program 'cat'`, { kind: 'copy', copy: { direction: 'from', program: true, file: 'cat' } }],
    [`do language plpgsql 'begin end'`, { kind: 'do', language: 'plpgsql' }],
    [
      'create temp table x (a int)',
      { kind: 'ddl', ddl: { action: 'create', object: 'table', names: [{ name: 'x' }], temporary: true } },
    ],
    [
      'create unique index concurrently i on orders (id)',
      { kind: 'ddl', ddl: { object: 'index', names: [{ name: 'orders' }], newName: 'i', concurrently: true } },
    ],
    [
      'drop table if exists a.b, c cascade',
      {
        kind: 'ddl',
        ddl: {
          action: 'drop',
          object: 'table',
          names: [{ schema: 'a', name: 'b' }, { name: 'c' }],
          ifExists: true,
          cascade: true,
        },
      },
    ],
    [
      'alter table orders rename column a to b',
      { kind: 'ddl', ddl: { action: 'rename', object: 'column', names: [{ name: 'orders' }], newName: 'b' } },
    ],
    ['alter table orders set schema x', { kind: 'ddl', ddl: { action: 'move', newSchema: 'x' } }],
    [
      'refresh materialized view totals',
      { kind: 'ddl', ddl: { action: 'refresh', object: 'matview', names: [{ name: 'totals' }] } },
    ],
    [
      'create table t2 as select * from orders',
      { kind: 'ddl', ddl: { action: 'create', object: 'table', names: [{ name: 't2' }] } },
    ],
    ['create database d', { kind: 'ddl', ddl: { action: 'create', object: 'database', names: [{ name: 'd' }] } }],
    [
      'create extension if not exists citext',
      { kind: 'ddl', ddl: { object: 'extension', names: [{ name: 'citext' }], ifExists: true } },
    ],
    [
      `create type s.mood as enum ('a')`,
      { kind: 'ddl', ddl: { object: 'type', names: [{ schema: 's', name: 'mood' }] } },
    ],
  ])('of %s', (text, detail) => {
    expect(statementOf(text).detail).toMatchObject(detail)
  })

  it('gives the parts of PREPARE and EXECUTE', () => {
    const prepare = statementOf('prepare "P" (int, text) as select $1, $2')
    const { detail, text } = prepare
    if (detail.kind !== 'prepare') throw new Error(detail.kind)
    expect(
      [detail.name, detail.types, detail.body].map((part) =>
        typeof part === 'object' ? text.slice(part.start, part.end) : part,
      ),
    ).toStrictEqual(['P', 'int, text', 'select $1, $2'])
    const execute = statementOf(`execute p(1, 'a)')`)
    const { detail: run } = execute
    if (run.kind !== 'execute') throw new Error(run.kind)
    expect(execute.text.slice(run.values?.start, run.values?.end)).toBe(`1, 'a)'`)
  })
})

describe('what a statement uses', () => {
  it('leaves CTEs out by their scope', () => {
    const text = `with a as (select * from a), b as (select * from a) select * from b, public.a, (with c as (select 1) select * from c) x, c`
    const { relations, cteUses } = statementOf(text)
    expect(relations.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`))).toStrictEqual([
      'a',
      'public.a',
      'c',
    ])
    expect(cteUses.map(({ cte }) => cte.name).sort()).toStrictEqual(['a', 'b', 'c'])
  })

  it('takes the target of a write for a table even under a CTE of its name', () => {
    expect(statementOf('with t as (select 1) delete from t using t x').relations).toMatchObject([
      { name: 't', role: 'target' },
    ])
  })

  it('gives positions in UTF-16 in every statement of a text', () => {
    const text = `select 'é😀' from "ö" ü; /* ü */ update public."Ü" as x set a = now() where $2 = x.b;`
    const [first, second] = statementsOf(text)
    expect(first?.relations).toMatchObject([{ name: 'ö', alias: 'ü', position: text.indexOf('"ö"') }])
    expect(second).toMatchObject({
      kind: 'update',
      start: text.indexOf('update'),
      end: text.length - 1,
      parameters: [2],
    })
    expect(second?.relations).toMatchObject([
      { schema: 'public', name: 'Ü', alias: 'x', position: text.indexOf('public') },
    ])
    expect(second?.functions).toMatchObject([{ name: 'now', position: text.indexOf('now') }])
  })

  it('finds functions, operators, types and value functions wherever they hide', () => {
    const statement = statementOf(
      `select sum(a) filter (where b ~~ 'x') over (partition by f(c)), d::s.t[], extract(day from current_date) from orders order by lower(e) using operator(s.<)`,
    )
    expect(statement.functions.map(({ name }) => name).sort()).toStrictEqual(['extract', 'f', 'lower', 'sum'])
    expect(statement.operators.map(({ schema, name }) => `${schema ?? ''}.${name}`).sort()).toStrictEqual([
      '.~~',
      's.<',
    ])
    expect(statement.types).toMatchObject([{ schema: 's', name: 't', cast: true }])
    expect(statement.valueFunctions).toMatchObject([{ name: 'SVFOP_CURRENT_DATE' }])
  })

  it('finds writes and locks at every depth', () => {
    const statement = statementOf(
      `with a as (insert into t values (1) returning *), b as (select * from u for key share) select * from b where x in (select y from v for update of v nowait)`,
    )
    expect(statement.writes).toMatchObject([{ operation: 'insert', target: { name: 't' } }])
    expect(statement.lockedSelects.map(({ locks }) => locks[0])).toMatchObject([
      { strength: 'LCS_FORKEYSHARE', wait: 'block', of: [] },
      { strength: 'LCS_FORUPDATE', wait: 'nowait', of: ['v'] },
    ])
  })
})
