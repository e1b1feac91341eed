import { MeshError } from '../core/errors.ts'

/** Of a longer path no more is read: a target of a megabyte must not become a key. */
export const MAX_PATH_CHARS = 512

/**
 * A route as a user writes it: `/users/:name/orders/*`, `GET /carts/:cart`. `:name` and a `*` in the middle stand for one segment, a `*`
 * at the end for any rest.
 */
export interface RoutePattern {
  /** Undefined: any. */
  readonly method: string | undefined
  /** As given, without the method. */
  readonly path: string
  /** Undefined: any segment. */
  readonly segments: readonly (string | undefined)[]
  readonly openEnd: boolean
}

/** @throws MeshError MESH_ERR_USAGE where the text is no route. */
export function parseRoutePattern(text: string, where: string): RoutePattern {
  const match = /^(?:([A-Za-z]+)\s+)?(\/\S*)$/.exec(text.trim())
  const path = match?.[2]
  if (path === undefined) {
    const what = `expected a route such as /users/:id/orders/* or GET /carts/:id, found "${text}"`
    throw new MeshError('MESH_ERR_USAGE', { what, where })
  }
  const openEnd = path.endsWith('/*')
  const segments = (openEnd ? path.slice(0, -2) : path).split('/')
  const wild = segments.map((segment) => (segment.startsWith(':') || segment === '*' ? undefined : segment))
  return { method: match?.[1]?.toUpperCase(), path, segments: wild, openEnd }
}

/** `segments`: of a request's path, cut at its slashes. */
export function matchesRoute(pattern: RoutePattern, method: string, segments: readonly string[]): boolean {
  if (pattern.method !== undefined && pattern.method !== method) return false
  if (pattern.openEnd ? segments.length < pattern.segments.length : segments.length !== pattern.segments.length) {
    return false
  }
  return pattern.segments.every((wanted, index) => {
    const found = segments[index]
    return wanted === undefined ? found !== '' : wanted === found
  })
}

/** A request line's target without scheme, authority, query and fragment. */
export function pathOf(target: string): string {
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
