import { latin1Bytes, utf8Bytes } from '../../core/bytes.ts'

/** How a value is written in a request, by the place that it stands in. */
export const ESCAPES = ['path', 'query', 'form', 'header', 'cookie', 'json-string', 'json-number'] as const
export type Escape = (typeof ESCAPES)[number]

/** `%41` as `A`, with `plus` also `+` as a space; as it is where it is not valid. */
export function percentDecoded(text: string, plus: boolean): string {
  if (!text.includes('%') && !(plus && text.includes('+'))) return text
  try {
    return decodeURIComponent(plus ? text.replaceAll('+', ' ') : text)
  } catch {
    return text
  }
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/**
 * The bytes of a value at its place; undefined where it cannot stand there: a header has no line ends, and nothing that is not
 * latin-1; a path segment is not empty.
 */
export function escaped(value: string, escape: Escape): Uint8Array | undefined {
  switch (escape) {
    case 'path':
      return pathSegment(value)
    case 'query':
      return utf8Bytes(component(value))
    case 'form':
      return utf8Bytes(component(value).replaceAll('%20', '+'))
    case 'header':
      return /[^\t\x20-\x7e\x80-\xff]/.test(value) ? undefined : latin1Bytes(value)
    case 'cookie':
      return cookieBytes(value)
    case 'json-number':
      return utf8Bytes(JSON_NUMBER.test(value) ? value : JSON.stringify(value))
    case 'json-string':
    default:
      return utf8Bytes(JSON.stringify(value))
  }
}

/** A lone half of a surrogate pair has no bytes: it becomes the replacement character. */
function wellFormed(value: string): string {
  return value.replaceAll(/\p{Surrogate}/gu, '\uFFFD')
}

function component(value: string): string {
  return encodeURIComponent(wellFormed(value)).replaceAll(/[!'()*]/g, percent)
}

/**
 * What may stand in a path segment stays (RFC 3986 3.3). Nothing, or dots alone, would ask for another path: `DELETE /orders/` for one
 * order. Servers resolve `%2E%2E` too.
 */
function pathSegment(value: string): Uint8Array | undefined {
  if (value === '' || value === '.' || value === '..') return undefined
  const whole = encodeURIComponent(wellFormed(value))
  return utf8Bytes(whole.replaceAll(/%(?:3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent))
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`
}

/** As a server set it, spaces and quotes included (RFC 6265 5.4); what would end the cookie or its line is percent-encoded. */
function cookieBytes(value: string): Uint8Array {
  if (!/^ |[^\x20-\x3a\x3c-\x7e\x80-\xff]| $/.test(value)) return latin1Bytes(value)
  return utf8Bytes(encodeURIComponent(wellFormed(value)))
}
