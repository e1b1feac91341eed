import { MeshError } from '../core/errors.ts'
import { foldPath } from './fold-path.ts'
import { MAX_PATH_CHARS, matchesRoute, parseRoutePattern, pathOf, type RoutePattern } from './route-pattern.ts'

/** Where requests go that are beyond the bound. */
export const OTHER_ROUTE = 'other'

/** Default bound of routes: more than a person reads, and 1,000 histograms are some MB. */
export const DEFAULT_MAX_ROUTES = 1_000

/** A shot carries its route in 16 bits. */
const MOST_ROUTES = 65_535

/** Exact `method path` texts whose route is remembered. At the bound the older half is forgotten: some MB at most. */
const CACHE_ENTRIES = 8_192

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
    this.#patterns = (options.patterns ?? []).map((text) => parseRoutePattern(text, 'routes'))
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
        if (matchesRoute(pattern, method, segments)) return printable(`${method} ${pattern.path}`)
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

const UNPRINTABLE = /[^\x20-\x7e]/

/** Names are printed on terminals: nothing in them may move a cursor. */
function printable(text: string): string {
  return UNPRINTABLE.test(text) ? text.replaceAll(/[^\x20-\x7e]/g, '?') : text
}
