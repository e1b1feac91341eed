import { MeshError } from '../core/errors.ts'

/** Decides whether a field of a route is left out of the comparison. */
export type IgnoreRule = (route: string, field: string) => boolean

/**
 * Reads `compare: ignore` rules: a field (`body.updatedAt`, `header.location`, `status`), for one route where that stands before it
 * (`GET /orders/:id body.total`). `*` stands for anything; what lies within an ignored field is ignored with it.
 * @throws MeshError MESH_ERR_USAGE for any other form.
 */
export function compileIgnore(texts: readonly string[], where: string): IgnoreRule {
  const rules = texts.map((text) => compileRule(text, where))
  return (route, field) => rules.some((rule) => rule(route, field))
}

function compileRule(text: string, where: string): IgnoreRule {
  const [, route, field] = /^(?:([A-Z*]+ \/\S*) +)?(\S+)$/.exec(text.trim()) ?? []
  if (field === undefined || !/^(?:status|header\.|body|\*)/.test(field)) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a field such as body.updatedAt, header.location or "GET /orders/:id body.total", found "${text}"`,
      where,
    })
  }
  const fieldPattern = wildcard(field, '(?:[.[].*)?')
  const routePattern = route === undefined ? undefined : wildcard(route, '')
  return (name, found) => (routePattern === undefined || routePattern.test(name)) && fieldPattern.test(found)
}

function wildcard(text: string, rest: string): RegExp {
  const escaped = text.replaceAll(/[.[\]()+?^$|{}\\]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*')
  return new RegExp(`^${escaped}${rest}$`)
}
