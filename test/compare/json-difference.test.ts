import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/compare/json-difference.ts'
import { jsonDifferences, MAX_DIFFERENCES } from '../../src/compare/json-difference.ts'

function fieldsOf(production: JsonValue = null, staging: JsonValue = null): string[] {
  return jsonDifferences(production, staging, 'body').map(({ field, kind }) => `${field} ${kind}`)
}

describe('jsonDifferences', () => {
  it('folds the places of a list into one field', () => {
    const production = { items: [{ price: 1 }, { price: 2 }, { price: 3 }] }
    const staging = { items: [{ price: 1 }, { price: 9 }, { price: 8 }] }
    expect(jsonDifferences(production, staging, 'body')).toEqual([
      { field: 'body.items[].price', kind: 'changed', production: '2', staging: '9' },
    ])
  })

  it.each<[string, JsonValue, JsonValue, string[]]>([
    ['a value', { a: 1 }, { a: 2 }, ['body.a changed']],
    ['a kind of value', { a: '1' }, { a: 1 }, ['body.a type']],
    ['null for a value', { a: null }, { a: {} }, ['body.a type']],
    ['a field that staging lacks', { a: 1, b: 2 }, { a: 1 }, ['body.b missing']],
    ['a field that only staging has', {}, { a: 1 }, ['body.a added']],
    ['a longer list, and nothing within it', [1, 2], [7, 8, 9], ['body length']],
    ['the same elements in another order', [{ a: 1, b: 2 }, { a: 2 }], [{ a: 2 }, { b: 2, a: 1 }], ['body order']],
    ['names that are ids as one', { '17': { n: 1 } }, { '17': { n: 2 } }, ['body.*.n changed']],
    ['a name with a dot in quotes', { 'a.b': 1 }, { 'a.b': 2 }, ['body."a.b" changed']],
    ['an own field called __proto__', JSON.parse('{"__proto__":1}'), {}, ['body.__proto__ missing']],
  ])('finds %s', (_, production, staging, expected) => {
    expect(fieldsOf(production, staging)).toEqual(expected)
  })

  it('finds nothing where only white space or the order of names differs', () => {
    expect(fieldsOf(JSON.parse('{"a":1,"b":[1, 2]}'), JSON.parse('{ "b":[1,2], "a":1 }'))).toEqual([])
  })

  it('finds a difference exactly where the values differ, whatever they are', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [one, other] = [JSON.stringify(a), JSON.stringify(b)].map((text) => JSON.parse(text) as JsonValue)
        expect(fieldsOf(one, one)).toEqual([])
        const sorted = (value: unknown): string =>
          JSON.stringify(value, (_, inner: unknown) =>
            typeof inner === 'object' && inner !== null && !Array.isArray(inner)
              ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
              : inner,
          )
        expect(fieldsOf(one, other).length === 0).toBe(sorted(one) === sorted(other))
      }),
    )
  })

  it('tells at most fifty fields apart, and survives 3,000 levels', () => {
    const wide = (value: number): JsonValue =>
      Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}x`, value]))
    expect(fieldsOf(wide(1), wide(2))).toHaveLength(MAX_DIFFERENCES)
    const deep = (inner: number): JsonValue =>
      JSON.parse(`${'['.repeat(3_000)}${inner}${']'.repeat(3_000)}`) as JsonValue
    expect(fieldsOf(deep(1), deep(2))).toHaveLength(1)
  })
})
