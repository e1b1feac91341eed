import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/** What separates pairs besides `&`, where a `name=` follows it: nothing in forms, `;` in queries, the line feed in plain text. */
export type SoftSeparator = ';' | '\n' | ''

/** What a name behind a soft separator is made of; the first 200 characters of what follows are looked at. */
const NAME_AND_EQUALS = /^[\w.$%[\]-]+[ \t]*=/
const MAX_SOFT_NAME_CHARS = 200

/**
 * Masks secret values in `a=1&b=2`. Only the values change; order, other pairs and separators stay. A value is decoded before
 * it is named, so that one secret has one pseudonym however it was written.
 */
export function maskPairs(text: string, rules: MaskRules, pseudonyms: Pseudonyms, soft: SoftSeparator = ''): string {
  if (!text.includes('=')) return text
  let masked = ''
  let copied = 0
  let start = 0
  let and = -1
  while (start <= text.length) {
    // Only from behind the last one: searching again from each soft separator would take quadratic time.
    if (and < start) and = indexOrEnd(text, '&', start)
    const end = soft === '' ? and : endOfSoftPair(text, start, and, soft)
    const pair = text.slice(start, end)
    const equals = pair.indexOf('=')
    if (equals > 0 && rules.field(nameIn(pair.slice(0, equals)))) {
      const value = pair.slice(equals + 1)
      const changed = maskPairValue(value, pseudonyms)
      if (changed !== value) {
        masked += text.slice(copied, start + equals + 1) + changed
        copied = end
      }
    }
    start = end + 1
  }
  return copied === 0 ? text : masked + text.slice(copied)
}

function indexOrEnd(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from)
  return index < 0 ? text.length : index
}

function endOfSoftPair(text: string, start: number, end: number, soft: SoftSeparator): number {
  for (let index = start; index < end; index++) {
    if (text[index] !== soft) continue
    const following = text.slice(index + 1, Math.min(end, index + 1 + MAX_SOFT_NAME_CHARS))
    if (NAME_AND_EQUALS.test(following)) return index
  }
  return end
}

/** The decoded name; of `?name` and `#/route?name` what is behind the marks. */
function nameIn(text: string): string {
  return decode(text.slice(Math.max(text.lastIndexOf('?'), text.lastIndexOf('#')) + 1)).trim()
}

function maskPairValue(text: string, pseudonyms: Pseudonyms): string {
  const end = text.trimEnd().length
  const value = decode(text.slice(0, end))
  const masked = pseudonyms.maskValue(value)
  if (masked === value) return text
  // Of what stays in clear only the space behind a scheme has to be escaped.
  return masked.replaceAll(' ', '%20') + text.slice(end)
}

/** A URL as far as masking cares; `authority` and the places are indices. */
interface UrlParts {
  readonly authority: number
  readonly path: number
  readonly query: number
  readonly fragment: number
}

/** Masks user info, path parameters (`;jsessionid=...`), query and fragment of a URL (RFC 3986). The rest stays as it is. */
export function maskUrl(url: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return maskParts(url, partsOf(url, true), rules, pseudonyms)
}

/** The same of a request target (RFC 9112 3.2), which has no fragment: a `#` is part of the value that it stands in. */
export function maskTarget(target: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return maskParts(target, partsOf(target, false), rules, pseudonyms)
}

function partsOf(url: string, withFragment: boolean): UrlParts {
  const hash = withFragment ? url.indexOf('#') : -1
  const fragment = hash < 0 ? url.length : hash
  const mark = url.indexOf('?')
  const query = mark < 0 || mark > fragment ? fragment : mark
  const scheme = url.startsWith('//') ? 0 : url.indexOf('://') + 1
  const absolute = url.startsWith('//', scheme) && !url.slice(0, scheme).includes('/') && scheme < query
  const authority = absolute ? scheme + 2 : 0
  // A target may be an authority alone (CONNECT); a reference without a scheme begins with its path.
  const slash = absolute || !withFragment ? url.indexOf('/', authority) : 0
  return { authority, path: slash < 0 || slash > query ? query : slash, query, fragment }
}

function maskParts(url: string, parts: UrlParts, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const { authority, path, query, fragment } = parts
  return (
    url.slice(0, authority) +
    maskUserInfo(url.slice(authority, path), pseudonyms) +
    maskPath(url.slice(path, query), rules, pseudonyms) +
    maskPairs(url.slice(query, fragment), rules, pseudonyms, ';') +
    maskPairs(url.slice(fragment), rules, pseudonyms, ';')
  )
}

/** `user:password@` keeps the user; a token that stands alone, or before an empty password, is the secret itself. */
function maskUserInfo(authority: string, pseudonyms: Pseudonyms): string {
  const at = authority.lastIndexOf('@')
  if (at <= 0) return authority
  const colon = authority.indexOf(':')
  const alone = colon < 0 || colon >= at - 1
  const start = alone ? 0 : colon + 1
  const end = alone && colon >= 0 && colon < at ? colon : at
  return authority.slice(0, start) + maskPairValue(authority.slice(start, end), pseudonyms) + authority.slice(end)
}

function maskPath(path: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (!path.includes(';')) return path
  return path
    .split('/')
    .map((segment) => {
      const [first = '', ...parameters] = segment.split(';')
      return [first, ...parameters.map((parameter) => maskPairs(parameter, rules, pseudonyms))].join(';')
    })
    .join('/')
}

/** Percent-decoded, `+` as a space; as it is where it is not valid. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
