import { MeshError } from '../../core/errors.ts'
import { matchesRoute, parseRoutePattern, pathOf, type RoutePattern } from '../../measure/route-pattern.ts'
import { unquoted, walkJson } from '../correlate/json-leaves.ts'
import type { RequestDraft } from './request-draft.ts'

/** A change to recorded requests. */
export interface EditRule {
  /** As it was written. */
  readonly text: string
  /** Undefined: all requests. */
  readonly route: RoutePattern | undefined
  readonly place: EditPlace
  readonly change: Change
}

type EditPlace =
  | { readonly kind: 'path' | 'body' | 'method' }
  | { readonly kind: 'query' | 'header' | 'json'; readonly name: string }

/** What becomes of a value; undefined takes it away. `found` is undefined where there is none. */
type Change = (found: string | undefined) => string | undefined

const ROUTE = /^(?:([A-Za-z]+ )?(\/\S*)|\*) +/
const PLACE = /^(?:(path|body|method)|(query|header|json) +(\S+)) +/
const EXAMPLE = 'path s|^/v1/|/v2/|, "POST /orders/:id header x-tenant = blue", query debug remove'

/**
 * Reads a rule: an optional route, a place, and what to do there. `= text` sets, `remove` takes away, `s/expression/text/gi` replaces as
 * sed does, with JavaScript's regular expressions and any delimiter.
 *
 * @throws MeshError MESH_ERR_USAGE where it is none.
 */
export function parseEditRule(text: string, where: string): EditRule {
  const all = text.trim()
  const [routePart = ''] = ROUTE.exec(all) ?? []
  const [placePart, plain, named, name] = PLACE.exec(all.slice(routePart.length)) ?? []
  if (placePart === undefined) throw noRule(text, where, 'expected a rule such as ' + EXAMPLE)
  const route = routePart.trim() === '' || routePart.trim() === '*' ? undefined : parseRoutePattern(routePart, where)
  const place = placeOf(plain ?? named ?? '', name)
  const action = all.slice(routePart.length + placePart.length)
  return { text: all, route, place, change: changeOf(action, place, text, where) }
}

/** A rule as it may be shown to others: what it puts into a query, a header or a body is a credential as often as not. */
export function shownEditRule(text: string): string {
  const all = text.trim()
  const [route = ''] = ROUTE.exec(all) ?? []
  const [place = '', plain] = PLACE.exec(all.slice(route.length)) ?? []
  const isOpen = plain === 'path' || plain === 'method' || all.slice(route.length + place.length) === 'remove'
  return isOpen && place !== '' ? all : `${route}${place}...`
}

function placeOf(kind: string, name: string | undefined): EditPlace {
  if (name !== undefined && (kind === 'query' || kind === 'header' || kind === 'json')) return { kind, name }
  return { kind: kind === 'path' || kind === 'method' ? kind : 'body' }
}

function changeOf(action: string, { kind }: EditPlace, text: string, where: string): Change {
  if (action === 'remove') {
    if (kind === 'query' || kind === 'header') return () => undefined
    throw noRule(text, where, 'expected query or header before remove')
  }
  const [, value] = /^= ?(.*)$/s.exec(action) ?? []
  // Of JSON only what is there is replaced, for nobody could say where else it belongs.
  if (value !== undefined) return (found) => (found === undefined && kind === 'json' ? undefined : value)
  const [, delimiter = '', rest] = /^s([^\w\s])(.*)$/s.exec(action) ?? []
  const pieces = rest?.split(delimiter) ?? []
  const [expression, replacement, flags] = pieces
  if (expression === undefined || replacement === undefined || flags === undefined || pieces.length !== 3) {
    throw noRule(text, where, `expected = text, remove or s/expression/text/ behind the place`)
  }
  if (!/^[gi]*$/.test(flags)) throw noRule(text, where, 'expected the flags g and i behind the last delimiter')
  const pattern = compile(expression, flags, text, where)
  return (found) => found?.replace(pattern, replacement)
}

function compile(expression: string, flags: string, text: string, where: string): RegExp {
  try {
    return new RegExp(expression, flags)
  } catch (error) {
    // It repeats the expression before it says what is wrong with it.
    const why = error instanceof Error ? error.message.split(': ').at(-1) : undefined
    throw noRule(text, where, `expected a regular expression, found one that is none: ${why ?? 'unknown'}`)
  }
}

/** Does not repeat what may be a secret, least of all where nobody can tell what is one. */
function noRule(text: string, where: string, what: string): MeshError {
  return new MeshError('MESH_ERR_USAGE', { what, where: `${where}: ${shownEditRule(text)}` })
}

/** Applies a rule where it fits. True where it changed something. */
export function applyEdit({ route, place, change }: EditRule, draft: RequestDraft): boolean {
  if (route !== undefined && !matchesRoute(route, draft.method, pathOf(draft.target).split('/'))) return false
  switch (place.kind) {
    case 'path':
      return editPath(draft, change)
    case 'query':
      return editQuery(draft, place.name, change)
    case 'header': {
      const found = draft.header(place.name)
      const value = change(found)
      if (value === found) return false
      draft.setHeader(place.name, value)
      return true
    }
    case 'json':
      return editJson(draft, place.name, change)
    case 'body':
      return draft.body.length > 0 && replaced(draft.text, change, (value) => (draft.text = value))
    case 'method':
  }
  return replaced(draft.method, change, (value) => (draft.method = value))
}

function replaced(found: string, change: Change, set: (value: string) => void): boolean {
  const value = change(found) ?? found
  if (value === found) return false
  set(value)
  return true
}

function editPath(draft: RequestDraft, change: Change): boolean {
  const { target } = draft
  const at = target.indexOf('?')
  const end = at < 0 ? target.length : at
  return replaced(target.slice(0, end), change, (path) => (draft.target = path + target.slice(end)))
}

/** Values are changed as they are read, `a b` for `a%20b`; what is not changed stays as it was written. */
function editQuery(draft: RequestDraft, name: string, change: Change): boolean {
  const { target } = draft
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  const pieces = at < 0 || at === target.length - 1 ? [] : target.slice(at + 1).split('&')
  let isFound = false
  let isChanged = false
  const kept = pieces.flatMap((piece) => {
    const equals = piece.indexOf('=')
    if (readable(equals < 0 ? piece : piece.slice(0, equals)) !== name) return [piece]
    isFound = true
    const found = equals < 0 ? '' : readable(piece.slice(equals + 1))
    const value = change(found)
    if (value === found) return [piece]
    isChanged = true
    return value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`]
  })
  const added = isFound ? undefined : change(undefined)
  if (added !== undefined) kept.push(`${encodeURIComponent(name)}=${encodeURIComponent(added)}`)
  if (!isChanged && added === undefined) return false
  draft.target = kept.length === 0 ? path : `${path}?${kept.join('&')}`
  return true
}

function readable(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/** Changes strings and numbers in place: the rest of the text stays as it was written. `[]` in the name is any place of a list. */
function editJson(draft: RequestDraft, name: string, change: Change): boolean {
  const { text } = draft
  if (!/^\s*[[{]/.test(text)) return false
  let out = ''
  let copied = 0
  walkJson(text, (path, start, end, isString) => {
    if (path.replaceAll(/\[\d+\]/g, '[]') !== name && path !== name) return true
    const token = text.slice(start, end)
    const found = isString ? unquoted(token) : token
    const value = change(found)
    if (value === undefined || value === found) return true
    // A number stays one where it can.
    const isNumber = !isString && /^-?\d+(?:\.\d+)?$/.test(value)
    out += text.slice(copied, start) + (isNumber ? value : JSON.stringify(value))
    copied = end
    return true
  })
  if (copied === 0) return false
  draft.text = out + text.slice(copied)
  return true
}
