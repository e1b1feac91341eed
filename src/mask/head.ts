import { latin1, latin1Bytes } from '../core/bytes.ts'
import { maskUrl } from './fields.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/** Masks one header's value, or gives it back as it is. */
type HeaderMask = (value: string, rules: MaskRules, pseudonyms: Pseudonyms) => string

const CREDENTIALS: HeaderMask = (value, rules, pseudonyms) => {
  const [, scheme = '', rest = ''] = /^(\S+)\s+([\s\S]*)$/.exec(value) ?? []
  if (rest === '') return pseudonyms.maskValue(value)
  if (scheme.toLowerCase() === 'basic') return `${scheme} ${maskBasic(rest, pseudonyms)}`
  return `${scheme} ${pseudonyms.maskValue(rest)}`
}

/** Headers with a grammar of their own. What is not here is masked as a whole where its name says that it is a secret. */
const KNOWN_HEADERS: Readonly<Record<string, HeaderMask>> = {
  cookie: (value, rules, pseudonyms) => maskCookies(value, rules, pseudonyms),
  'set-cookie': (value, rules, pseudonyms) => maskSetCookie(value, rules, pseudonyms),
  authorization: CREDENTIALS,
  'proxy-authorization': CREDENTIALS,
  referer: maskUrl,
  location: maskUrl,
  'content-location': maskUrl,
  origin: (value) => value,
  'authentication-info': (value, rules, pseudonyms) => pseudonyms.maskValue(value),
  ':path': maskUrl,
}

/**
 * Masks a head: the target's query, cookies, credentials, and headers whose name says that they hold a secret. Everything else stays
 * byte for byte, and a head without anything to mask is given back as the same array.
 */
export function maskHead(bytes: Uint8Array, rules: MaskRules, pseudonyms: Pseudonyms): Uint8Array {
  const text = latin1(bytes)
  const lineEnd = text.indexOf('\n')
  const startLine = text.startsWith(':') || lineEnd < 0 ? '' : text.slice(0, lineEnd + 1)
  const masked =
    maskStartLine(startLine, rules, pseudonyms) + maskLines(text.slice(startLine.length), rules, pseudonyms)
  return masked === text ? bytes : latin1Bytes(masked)
}

function maskStartLine(line: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (!/[?@]/.test(line)) return line
  return line.replace(
    /^(\S+ )(\S+)/,
    (_, method: string, target: string) => method + maskUrl(target, rules, pseudonyms),
  )
}

/** Header lines with their folded continuations (RFC 9112 5.2). */
const HEADER_LINE = /^(:?[^\s:]+)([ \t]*:[ \t]*)([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)/gm

function maskLines(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return text.replaceAll(HEADER_LINE, (line, name: string, colon: string, value: string) => {
    const lower = name.toLowerCase()
    const known = Object.hasOwn(KNOWN_HEADERS, lower) ? KNOWN_HEADERS[lower] : undefined
    if (known === undefined && !rules.header(lower)) return line
    const unfolded = value.replaceAll(/\r?\n[ \t]+/g, ' ').trimEnd()
    if (known !== undefined && rules.header(lower)) return `${name}${colon}${pseudonyms.maskValue(unfolded)}`
    const masked = known === undefined ? pseudonyms.maskValue(unfolded) : known(unfolded, rules, pseudonyms)
    return masked === unfolded ? line : `${name}${colon}${masked}`
  })
}

function maskCookies(value: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return value.replaceAll(/([^=;\s]+)=([^;]*)/g, (pair, name: string, secret: string) =>
    rules.cookie(name) ? `${name}=${maskCookieValue(secret, pseudonyms)}` : pair,
  )
}

/** Only the first pair is the cookie; the rest are its attributes (RFC 6265 4.1.1). */
function maskSetCookie(value: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return value.replace(/^([^=;\s]+)=([^;]*)/, (pair, name: string, secret: string) =>
    rules.cookie(name) ? `${name}=${maskCookieValue(secret, pseudonyms)}` : pair,
  )
}

/** A quoted value keeps its quotes, an escaped one is named by what it stands for, white space around it stays out. */
function maskCookieValue(value: string, pseudonyms: Pseudonyms): string {
  const [, before = '', inner = '', after = ''] = /^(\s*"?)([\s\S]*?)("?\s*)$/.exec(value) ?? []
  let decoded = inner
  try {
    decoded = decodeURIComponent(inner)
  } catch {
    // Not percent-encoded: it is named as it stands.
  }
  return before + pseudonyms.maskValue(decoded) + after
}

/** Basic credentials (RFC 7617): the user stays, the password does not. */
function maskBasic(encoded: string, pseudonyms: Pseudonyms): string {
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return pseudonyms.maskValue(encoded)
  return Buffer.from(`${pair.slice(0, colon)}:${pseudonyms.maskValue(pair.slice(colon + 1))}`).toString('base64')
}

/** Masks trailer lines as header lines are. */
export function maskTrailers(bytes: Uint8Array, rules: MaskRules, pseudonyms: Pseudonyms): Uint8Array {
  if (bytes.length === 0) return bytes
  const text = latin1(bytes)
  const masked = maskLines(text, rules, pseudonyms)
  return masked === text ? bytes : latin1Bytes(masked)
}
