import { MeshError } from '../core/errors.ts'

/** A mistyped URL may hold a password too, and is shown without what may be one. */
function withoutSecrets(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^([^/]*\/\/)?.*@/s, '$1...@')
}

/**
 * The target as a URL, `http://` where there is no scheme, as in curl. What would be a secret, or would not be sent as it
 * stands, is refused without being repeated.
 */
export function targetUrl(text: string, where = '--to'): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const isBeside = where === '--scrape' || where === '--push-otlp'
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected http://host[:port] or https://host[:port], found "${withoutSecrets(text)}"`,
      where,
    })
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected a URL without a user and password',
      where,
      remedy: isBeside ? 'serve it without, to this machine' : "set credentials with -H 'authorization: ...'",
    })
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected a URL without a query',
      where,
      remedy: isBeside ? 'name the page alone' : 'requests bring their own',
    })
  }
  return url
}
