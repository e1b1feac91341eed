import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'

import { analyse } from '../../../../src/cow/postgres/sql/analysis.ts'
import { characterAt, offsetOfCharacter, utf8Offsets } from '../../../../src/cow/postgres/sql/offsets.ts'
import { loadParser, parseSql } from '../../../../src/cow/postgres/sql/parser.ts'
import { TextCache } from '../../../../src/cow/postgres/sql/text-cache.ts'
import { statementOf } from './shop.ts'

beforeAll(loadParser)

describe('parseSql', () => {
  it('gives the same tree for the same text without parsing again', () => {
    expect(parseSql('select 1 as cached')).toBe(parseSql('select 1 as cached'))
    expect(analyse('select 1 as cached')).toBe(analyse('select 1 as cached'))
  })

  it('says what PostgreSQL says of a syntax error, with its position in characters', () => {
    const failure = parseSql('select "é😀", x frm t where')
    expect(failure).toStrictEqual({
      failure: true,
      code: '42601',
      message: 'syntax error at or near "t"',
      position: 20,
    })
    expect(parseSql('frm')).toMatchObject({ code: '42601', message: 'syntax error at or near "frm"', position: 1 })
  })

  it.each(['', '  \n', '-- nothing', '/* nothing */ '])('finds no statement in %j', (text) => {
    expect(parseSql(text)).toMatchObject({ failure: false, statements: [] })
  })

  it('refuses a text with a NUL, of which PostgreSQL would read a part only', () => {
    expect(parseSql('select 1\0; drop table orders')).toMatchObject({ failure: true, code: '22021' })
  })

  it('fails cleanly on 20,000-deep nesting, as PostgreSQL does', () => {
    const failure = parseSql(`select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`)
    expect(failure).toMatchObject({ failure: true, code: '42601', message: 'memory exhausted at or near "("' })
  })

  it('survives fifty texts that overflow its stack, after 35 of which one instance is broken', async () => {
    const chain = `select ${'1+'.repeat(20_000)}1`
    for (let time = 0; time < 50; time++) {
      expect(parseSql(chain)).toMatchObject({ failure: true, code: '54001' })
      // Lets the next instance of the parser load.
      if (time % 5 === 4) while (parseSql(`select ${time}, '${Math.random()}'`).failure) await new Promise(setImmediate)
    }
    expect(parseSql('select 1 as alive').failure).toBe(false)
  })

  it('walks a chain of 4,000 operators without recursion', () => {
    expect(statementOf(`select ${'a+'.repeat(4000)}a from orders`).operators).toHaveLength(4000)
  })

  it('parses an INSERT of 10 MB of constants, and sees what stands after them', () => {
    const rows = Array.from({ length: 300_000 }, (_, row) => `(${row}, 'it''s é ${row}', null, $1)`)
    const text = `insert into jobs values ${rows.join(', ')} returning now(), "é" -- end`
    expect(Buffer.byteLength(text)).toBeGreaterThan(10e6)
    const statement = statementOf(text)
    expect(statement).toMatchObject({ kind: 'insert', parameters: [1], end: text.length - 7 })
    expect(text.slice(statement.functions[0]?.position).startsWith('now()')).toBe(true)
  })

  it('parses a string in parts with comments between them, as PostgreSQL does', () => {
    const statement = statementOf(`select E'a' -- é'\n  -- more\n '\\'b', 'é', now() from orders`)
    expect(statement.text.slice(statement.functions[0]?.position).startsWith('now()')).toBe(true)
  })

  it('parses a string of 10 MB', () => {
    expect(statementOf(`select '${'x'.repeat(10 << 20)}' from orders`).relations[0]?.name).toBe('orders')
  })

  it('leaves no call out of a long list', () => {
    const list = Array.from({ length: 3000 }, (_, at) => (at === 2000 ? 'random()' : `'value ${at}'`))
    expect(statementOf(`select * from orders where status in (${list.join(',')}) and id = 1`).functions).toHaveLength(1)
  })

  it('refuses a text that would take seconds to parse', () => {
    const text = `insert into jobs values ${Array.from({ length: 80_000 }, () => '(now(), 1 + 1)').join(',')}`
    expect(parseSql(text)).toMatchObject({ failure: true, code: '54000' })
  })
})

describe('offsets', () => {
  it('agree with the encoder at every character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), fc.nat(), (text, at) => {
        const characters = [...text]
        const before = characters.slice(0, at % (characters.length + 1)).join('')
        expect(utf8Offsets(text)(Buffer.byteLength(before))).toBe(before.length)
        expect(characterAt(text, before.length)).toBe([...before].length + 1)
        expect(offsetOfCharacter(text, [...before].length + 1)).toBe(before.length)
      }),
    )
  })
})

describe('a text cache', () => {
  it('drops what was not used for longest, and never keeps an entry that is too big', () => {
    const cache = new TextCache<number>({ maxBytes: 10, maxEntryBytes: 6 })
    cache.set('a', 1, 5)
    cache.set('b', 2, 5)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3, 5)
    cache.set('big', 4, 7)
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.get('big')]).toStrictEqual([
      1,
      undefined,
      3,
      undefined,
    ])
    expect(cache.bytes).toBe(10)
  })
})
