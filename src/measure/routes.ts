import { MeshError } from '../core/errors.ts'
import { foldPath } from './fold-path.ts'

/** Where requests go that are beyond the bound. */
export const OTHER_ROUTE = 'other'

/** Default bound of routes: more than a person reads, and 1,000 histograms are some MB. */
export const DEFAULT_MAX_ROUTES = 1_000

/** A shot carries its route in 16 bits. */
const MOST_ROUTES = 65_535

/** Exact `method path` texts whose route is remembered. At the bound the older half is forgotten: some MB at most. */
const CACHE_ENTRIES = 8_192

/** A longer path is not remembered, and read only this far: a target of a megabyte must not become a key. */
const MAX_PATH_CHARS = 512

const MAX_METHOD_CHARS = 24

export interface RouteTableOptions {
  /** Default 1,000, `other` included; at most 65,535. */
  readonly maxRoutes?: number
  /**
   * Routes given by the user, first match first: `/users/:name/orders/*`, `GET /carts/:cart`. `:name` and a `*` in the middle stand
   * for one segment, a `*` at the end for any rest.
   */
  readonly patterns?: readonly string[]
}

/**
 * Names of routes and their ordinals: what a report has lines for. A request's route is its method and its path without
 * query, ids folded (`GET /users/:id`). Ordinals are given in order of appearance and never change.
 */
export class RouteTable {
  readonly #names: string[] = []
  readonly #ordinals = new Map<string, number>()
  readonly #patterns: readonly RoutePattern[]
  readonly #maxRoutes: number
  #recent = new Map<string, number>()
  #older = new Map<string, number>()

  constructor(options: RouteTableOptions = {}) {
    const maxRoutes = options.maxRoutes ?? DEFAULT_MAX_ROUTES
    if (!Number.isInteger(maxRoutes) || maxRoutes < 2 || maxRoutes > MOST_ROUTES) {
      const what = `expected a number of routes from 2 to ${MOST_ROUTES}, found ${maxRoutes}`
      throw new MeshError('MESH_ERR_USAGE', { what, where: 'routes' })
    }
    this.#maxRoutes = maxRoutes
    this.#patterns = (options.patterns ?? []).map(parsePattern)
  }

  /** Route ordinal i is called `names[i]`. Grows; printable, and at most 160 characters each. */
  get names(): readonly string[] {
    return this.#names
  }

  /** The ordinal of a request's route. `target` is the request line's: a path with a query, or a whole URL. */
  indexOf(method: string, target: string): number {
    const path = pathOf(target)
    const key = `${method} ${path}`
    const known = this.#recent.get(key) ?? this.#older.get(key)
    if (known !== undefined) return known
    const ordinal = this.#ordinalOf(this.#nameOf(method.slice(0, MAX_METHOD_CHARS), path))
    this.#remember(key, ordinal)
    return ordinal
  }

  #nameOf(method: string, path: string): string {
    if (this.#patterns.length > 0) {
      const segments = path.split('/')
      for (const pattern of this.#patterns) {
        if (matches(pattern, method, segments)) return printable(`${method} ${pattern.path}`)
      }
    }
    return printable(`${method} ${foldPath(path)}`)
  }

  #ordinalOf(name: string): number {
    const known = this.#ordinals.get(name)
    if (known !== undefined) return known
    // The last place is kept for `other`.
    const full = this.#names.length >= this.#maxRoutes - 1
    if (full && name !== OTHER_ROUTE) return this.#ordinalOf(OTHER_ROUTE)
    const ordinal = this.#names.push(name) - 1
    this.#ordinals.set(name, ordinal)
    return ordinal
  }

  #remember(key: string, ordinal: number): void {
    if (key.length > MAX_PATH_CHARS + MAX_METHOD_CHARS) return
    if (this.#recent.size >= CACHE_ENTRIES / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(key, ordinal)
  }
}

/** Without scheme, authority, query and fragment. */
function pathOf(target: string): string {
  let start = 0
  if (!target.startsWith('/')) {
    const scheme = /^[a-z][a-z0-9+.-]{0,20}:\/\//i.exec(target)
    if (scheme !== null) {
      const slash = target.indexOf('/', scheme[0].length)
      if (slash < 0) return '/'
      start = slash
    }
  }
  const query = target.indexOf('?', start)
  const end = Math.min(query < 0 ? target.length : query, start + MAX_PATH_CHARS)
  const fragment = target.indexOf('#', start)
  return target.slice(start, fragment >= 0 && fragment < end ? fragment : end)
}

interface RoutePattern {
  readonly method: string | undefined
  /** As given, without the method. */
  readonly path: string
  /** Undefined: any segment. */
  readonly segments: readonly (string | undefined)[]
  readonly openEnd: boolean
}

function parsePattern(text: string): RoutePattern {
  const match = /^(?:([A-Za-z]+)\s+)?(\/\S*)$/.exec(text.trim())
  const path = match?.[2]
  if (path === undefined) {
    const what = `expected a route such as /users/:id/orders/* or GET /carts/:id, found "${text}"`
    throw new MeshError('MESH_ERR_USAGE', { what, where: 'routes' })
  }
  const openEnd = path.endsWith('/*')
  const segments = (openEnd ? path.slice(0, -2) : path).split('/')
  const wild = segments.map((segment) => (segment.startsWith(':') || segment === '*' ? undefined : segment))
  return { method: match?.[1]?.toUpperCase(), path: printable(path), segments: wild, openEnd }
}

function matches(pattern: RoutePattern, method: string, segments: readonly string[]): boolean {
  if (pattern.method !== undefined && pattern.method !== method) return false
  if (pattern.openEnd ? segments.length < pattern.segments.length : segments.length !== pattern.segments.length) {
    return false
  }
  return pattern.segments.every((wanted, index) => {
    const found = segments[index]
    return wanted === undefined ? found !== '' : wanted === found
  })
}

const UNPRINTABLE = /[^\x20-\x7e]/

/** Names are printed on terminals: nothing in them may move a cursor. */
function printable(text: string): string {
  return UNPRINTABLE.test(text) ? text.replaceAll(/[^\x20-\x7e]/g, '?') : text
}
