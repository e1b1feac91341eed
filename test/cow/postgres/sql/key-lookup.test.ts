import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'

import { isMerged } from '../../../../src/cow/postgres/catalog.ts'
import { fixedConstants, type KeyLookup, keyLookupOf } from '../../../../src/cow/postgres/sql/key-lookup.ts'
import type { LaneFacts } from '../../../../src/cow/postgres/sql/lane.ts'
import { laneOf } from '../../../../src/cow/postgres/sql/lanes.ts'
import { loadParser, parseSql } from '../../../../src/cow/postgres/sql/parser.ts'
import { type Template, templateOf } from '../../../../src/cow/postgres/sql/template.ts'
import { resolve, statementsOf } from './shop.ts'

beforeAll(loadParser)

const FACTS: LaneFacts = {
  relation: (name) => {
    const table = resolve(name)
    return isMerged(table) ? { kind: 'merged', table, dirty: true } : { kind: 'other' }
  },
  inTransaction: false,
  repeatable: false,
  sharedSnapshot: false,
  shadowed: () => false,
  comparable: () => true,
  textKeysExact: () => true,
  parameterTypes: [],
}

/** The lookup that a text is one of. */
function lookupOf(text: string): { readonly lookup: KeyLookup; readonly template: Template } | undefined {
  const template = templateOf(text)
  if (template === undefined || parseSql(text).failure) return undefined
  const [statement, ...more] = statementsOf(text)
  if (statement === undefined || more.length > 0) return undefined
  const lane = laneOf(statement, FACTS)
  const lookup = lane.lane === 'TK' ? keyLookupOf(text, template, lane.key) : undefined
  return lookup === undefined ? undefined : { lookup, template }
}

const PLACES = /location|^rexpr_list_/

/** The tree without places; the constants that stand at these offsets, and parameters, are all alike. */
function treeOf(text: string, offsets: readonly number[]): unknown {
  const parsed = parseSql(text)
  if (parsed.failure) throw new Error(`${parsed.message} in ${text}`)
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== 'object' || value === null) return value
    const fields = Object.entries(value)
    const [type, node] = fields[0] ?? []
    if (type === 'ParamRef') return 'value'
    const location = (node as { location?: number } | undefined)?.location ?? -1
    if (type === 'A_Const' && offsets.includes(parsed.offsetOf(location))) return 'value'
    return Object.fromEntries(fields.filter(([key]) => !PLACES.test(key)).map(([key, each]) => [key, plain(each)]))
  }
  return parsed.statements.map(({ type, tree }) => [type, plain(tree)])
}

function keyOffsets({ constants }: Template, { places }: KeyLookup): readonly number[] {
  return places.map((place) => constants[place]?.start ?? -1)
}

/** The text with other values for its key. */
function withOthers(text: string, template: Template, lookup: KeyLookup, values: readonly string[]): string {
  let other = ''
  let copied = 0
  for (const [index, place] of lookup.places.entries()) {
    const { kind, start, end } = template.constants[place] ?? { kind: 'string', start: 0, end: 0 }
    other +=
      text.slice(copied, start) + (kind === 'integer' ? String(values[index]?.length ?? 0) : `'${values[index]}'`)
    copied = end
  }
  return other + text.slice(copied)
}

const UUID = '0b3a6c1e-8f3d-4a52-9d1f-7c6b5a493827'
const SELECTED = [
  'id',
  'created',
  '1',
  "'x'",
  '2 * 3',
  "state || 'it''s'",
  "E'a\\'b'",
  '$$q$$',
  '.5',
  '1e5',
  '"id"',
  "X'1F'",
  '1.5::float8',
]
const WHERE = [
  'id = 5',
  '5 = id',
  'id=12',
  'id = -5',
  'id = 5 - 3',
  'id = 1234567890',
  'id = 5::int4',
  "id = '5'",
  'id = 1.0',
  "id = int4 '5'",
  'id = 5 AND id = 6',
  'id IN (5)',
  'id = 5 OR id = 6',
  '(id = 5)',
  'id > 3',
  "state = 'x'",
  "created > now() - interval '1 day'",
  'id = 0x1F',
  'id = 1_000',
]
const TAILS = ['', ';', ' LIMIT 1', ' ORDER BY 1', ' /* c */', ' -- c', ' ORDER BY id LIMIT 3 OFFSET 2', ' GROUP BY 1']

const anyText = fc
  .tuple(
    fc.array(fc.constantFrom(...SELECTED), { minLength: 1, maxLength: 3 }),
    fc.array(fc.constantFrom(...WHERE), { minLength: 1, maxLength: 3 }),
    fc.constantFrom(...TAILS),
  )
  .map(([selected, where, tail]) => `SELECT ${selected.join(', ')} FROM jobs WHERE ${where.join(' AND ')}${tail}`)

describe('a lookup by key', () => {
  it.each([
    ['SELECT id FROM jobs WHERE id = 5', 'SELECT id FROM jobs WHERE id = $1', [23]],
    ['SELECT id FROM jobs WHERE id=5 LIMIT 1;', 'SELECT id FROM jobs WHERE id=$1 LIMIT 1;', [23]],
    [
      'SELECT sku FROM lines WHERE line = 2 AND order_id = 7',
      'SELECT sku FROM lines WHERE line = $1 AND order_id = $2',
      [23, 23],
    ],
    [
      `SELECT name FROM "Users" WHERE id = '${UUID}' AND seen = 3`,
      'SELECT name FROM "Users" WHERE id = $1 AND seen = 3',
      [0],
    ],
    [
      `SELECT name FROM "Users" WHERE "Users"."id" = '${UUID}'::uuid`,
      'SELECT name FROM "Users" WHERE "Users"."id" = $1::uuid',
      [0],
    ],
    ["SELECT value FROM settings WHERE key = 'a b'", 'SELECT value FROM settings WHERE key = $1', [0]],
  ])('has its key as parameters: %s', (text, expected, types) => {
    expect(lookupOf(text)?.lookup).toMatchObject({ text: expected, types })
  })

  it.each([
    "SELECT id FROM jobs WHERE id = '5'",
    'SELECT id FROM jobs WHERE id = 12345678901',
    'SELECT id FROM jobs WHERE id = 5 -- and no more',
    "SELECT value FROM settings WHERE key = E'a'",
    "SELECT value FROM settings WHERE key = 'it''s'",
    "SELECT value FROM settings WHERE key = 'a'\n'b'",
    'SELECT value FROM settings WHERE key = $$a$$',
    'SELECT id FROM jobs WHERE state = 5::text',
  ])('is none where a value may mean more, or its place is not sure: %s', (text) => {
    expect(lookupOf(text)).toBeUndefined()
  })

  it('has one tree with all that share its template and its other constants, and with its text with parameters', () => {
    let lookups = 0
    fc.assert(
      fc.property(
        anyText,
        fc.array(fc.stringMatching(/^[ -&(-[\]-~é]{0,30}$/), { minLength: 2, maxLength: 2 }),
        (text, values) => {
          const found = lookupOf(text)
          if (found === undefined) return
          lookups++
          const { lookup, template } = found
          const other = withOthers(text, template, lookup, values)
          const otherTemplate = templateOf(other)
          expect(otherTemplate?.text).toBe(template.text)
          if (otherTemplate === undefined) return
          expect(fixedConstants(other, otherTemplate, lookup.places)).toBe(
            fixedConstants(text, template, lookup.places),
          )
          const tree = treeOf(text, keyOffsets(template, lookup))
          expect(treeOf(other, keyOffsets(otherTemplate, lookup))).toEqual(tree)
          expect(treeOf(lookup.text, [])).toEqual(tree)
        },
      ),
      { numRuns: 1000 },
    )
    expect(lookups).toBeGreaterThan(50)
  })
})
