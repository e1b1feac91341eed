import type { Difference, DifferenceKind } from './difference.ts'
import { MAX_VALUE_CHARS, shownValue } from './difference.ts'

/** What `JSON.parse` gives. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** More fields of one reply are not told apart: it differs, and that is enough. */
export const MAX_DIFFERENCES = 50

/** What lies deeper is compared as a whole. */
const MAX_DEPTH = 64

/** A longer name, of a field or of a path, is cut: a reply must not make names of a megabyte. */
const MAX_NAME_CHARS = 60
const MAX_FIELD_CHARS = 200

/** Lists up to this length, and no deeper than this, are looked through for the same elements in another order. */
const MAX_SORTED = 1_000
const MAX_SORTED_DEPTH = 8

/** Whether two values that are not equal count as the same all the same. */
export type SameValue = (production: JsonValue, staging: JsonValue) => boolean

/** Where two JSON values differ. Lists are compared place by place; of lists of another length only that is said. */
export function jsonDifferences(
  production: JsonValue,
  staging: JsonValue,
  root: string,
  same: SameValue = differs,
): Difference[] {
  const found = new Found(same)
  walk(production, staging, root, 0, found)
  return [...found.values()]
}

function differs(): boolean {
  return false
}

/** What was found by field, and what counts as the same. */
class Found extends Map<string, Difference> {
  readonly same: SameValue

  constructor(same: SameValue) {
    super()
    this.same = same
  }
}

function walk(production: JsonValue, staging: JsonValue, field: string, depth: number, found: Found): void {
  if (production === staging || found.size >= MAX_DIFFERENCES || found.same(production, staging)) return
  const kind = kindOf(production)
  if (kind !== kindOf(staging)) add(found, field, 'type', production, staging)
  else if (depth >= MAX_DEPTH) compareWhole(production, staging, field, found)
  else if (isList(production) && isList(staging)) walkLists(production, staging, field, depth, found)
  else if (isObject(production) && isObject(staging)) walkObjects(production, staging, field, depth, found)
  else add(found, field, 'changed', production, staging)
}

function walkObjects(
  production: { readonly [name: string]: JsonValue },
  staging: { readonly [name: string]: JsonValue },
  field: string,
  depth: number,
  found: Found,
): void {
  for (const name of Object.keys(production)) {
    const [ours, theirs] = [own(production, name), own(staging, name)]
    if (theirs === undefined) add(found, inner(field, name), 'missing', ours, undefined)
    else if (ours !== undefined && ours !== theirs) walk(ours, theirs, inner(field, name), depth + 1, found)
  }
  for (const name of Object.keys(staging)) {
    if (own(production, name) === undefined) add(found, inner(field, name), 'added', undefined, own(staging, name))
  }
}

function walkLists(
  production: readonly JsonValue[],
  staging: readonly JsonValue[],
  field: string,
  depth: number,
  found: Found,
): void {
  if (production.length !== staging.length) {
    add(found, field, 'length', production.length, staging.length)
    return
  }
  const inside = new Found(found.same)
  for (const [index, ours] of production.entries()) {
    const theirs = staging[index]
    if (theirs !== undefined) walk(ours, theirs, `${field}[]`, depth + 1, inside)
  }
  if (inside.size === 0) return
  if (depth <= MAX_SORTED_DEPTH && sameElements(production, staging)) add(found, field, 'order', production, staging)
  else
    for (const [name, difference] of inside)
      if (found.size < MAX_DIFFERENCES && !found.has(name)) found.set(name, difference)
}

function sameElements(production: readonly JsonValue[], staging: readonly JsonValue[]): boolean {
  if (production.length < 2 || production.length > MAX_SORTED) return false
  const texts = (list: readonly JsonValue[]): string => list.map(canonical).sort().join('\n')
  try {
    return texts(production) === texts(staging)
  } catch {
    return false
  }
}

/** The value's text with names in order, so that equal values have equal texts. Throws where it is nested too deeply. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_, inner: JsonValue) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

function compareWhole(production: JsonValue, staging: JsonValue, field: string, found: Found): void {
  try {
    if (canonical(production) === canonical(staging)) return
  } catch {
    // Nobody nests like that but to break a parser: not to be told the same is no loss.
  }
  add(found, field, 'changed', production, staging)
}

/** The first difference of a folded field stands for all of its places. */
function add(
  found: Found,
  field: string,
  kind: DifferenceKind,
  production: JsonValue | undefined,
  staging: JsonValue | undefined,
): void {
  if (found.has(field) || found.size >= MAX_DIFFERENCES) return
  found.set(field, { field, kind, production: shown(production), staging: shown(staging) })
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return ''
  if (isList(value)) return `a list of ${value.length}`
  if (isObject(value)) return shownValue(`an object of ${Object.keys(value).slice(0, 5).join(', ')}`)
  return shownValue(typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_VALUE_CHARS)) : String(value))
}

/** Names that are ids stand for each other: `{"17": ..}` and `{"18": ..}` have the field `*`. */
const ID_NAME = /^(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,})$/i
const PLAIN_NAME = /^[\w$@:-]+$/

function inner(field: string, name: string): string {
  if (field.length > MAX_FIELD_CHARS) return field
  if (ID_NAME.test(name)) return `${field}.*`
  const short = name.slice(0, MAX_NAME_CHARS)
  return PLAIN_NAME.test(short)
    ? `${field}.${short}`
    : `${field}.${shownValue(JSON.stringify(short)).replaceAll(' ', '_')}`
}

function own(value: { readonly [name: string]: JsonValue }, name: string): JsonValue | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

function isObject(value: JsonValue): value is { readonly [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: JsonValue): string {
  if (value === null) return 'null'
  return isList(value) ? 'list' : typeof value
}
