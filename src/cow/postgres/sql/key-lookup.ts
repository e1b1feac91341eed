/** Lookups by key whose values are written into their texts: what they have in common, and how they are run with parameters. */
import type { KeyValue } from './lane.ts'
import type { Template } from './template.ts'

/** All lookups that differ in the values of their key alone. */
export interface KeyLookup {
  /** With `$n` in place of the key's values. */
  readonly text: string
  /** Of the parameters: int4 for a number, 0 (to be inferred) for a string, as the parser has constants. */
  readonly types: readonly number[]
  /** Which of the template's constants they are, in the order of the parameters. */
  readonly places: readonly number[]
}

const INTEGERS: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint'])
const INT4 = 23
const INFERRED = 0

/** The lookup that a text is one of; undefined where a value of its key is not a constant of its template. */
export function keyLookupOf(text: string, { constants }: Template, key: readonly KeyValue[]): KeyLookup | undefined {
  const places = new Set<number>()
  for (const part of key) {
    const place = part.from === 'literal' ? constants.findIndex(({ start }) => start === part.position) : -1
    // A number in quotes may be out of its range, which is told with its place in the text.
    const isQuotedNumber = constants[place]?.kind === 'string' && INTEGERS.has(part.type)
    if (place < 0 || isQuotedNumber) return undefined
    places.add(place)
  }
  const ordered = [...places].sort((one, other) => one - other)
  let replaced = ''
  let copied = 0
  const types: number[] = []
  for (const place of ordered) {
    const constant = constants[place]
    if (constant === undefined) return undefined
    types.push(constant.kind === 'integer' ? INT4 : INFERRED)
    replaced += `${text.slice(copied, constant.start)}$${types.length}`
    copied = constant.end
  }
  return { text: replaced + text.slice(copied), types, places: ordered }
}

/** The constants that are not values of the key: with others it is another lookup. */
export function fixedConstants(text: string, { constants }: Template, places: readonly number[]): string {
  if (places.length === constants.length) return ''
  let fixed = ''
  for (const [place, { start, end }] of constants.entries()) {
    if (!places.includes(place)) fixed += `\u0001${text.slice(start, end)}`
  }
  return fixed
}
