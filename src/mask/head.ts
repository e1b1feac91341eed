import { latin1, latin1Bytes } from '../core/bytes.ts'
import { maskUrl } from './fields.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { HeaderMask, MaskRules } from './rules.ts'

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

/**
 * Walks the lines by hand and remembers by name which headers are of interest: a regular expression over the whole head, with
 * its captures, costs several times as much, and most heads have one such line or none.
 */
function maskLines(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  let masked = ''
  let copied = 0
  let lineStart = 0
  while (lineStart < text.length) {
    const lineEnd = endOfField(text, lineStart)
    const colon = text.indexOf(':', lineStart + 1)
    if (colon > 0 && colon < lineEnd) {
      const name = text.slice(lineStart, colon)
      const mask = rules.headerMask(name, maskOf)
      if (mask !== undefined) {
        const line = text.slice(colon, lineEnd)
        const changed = maskField(line, mask, rules, pseudonyms)
        if (changed !== line) {
          masked += text.slice(copied, colon) + changed
          copied = lineEnd
        }
      }
    }
    lineStart = lineEnd
  }
  return copied === 0 ? text : masked + text.slice(copied)
}

/** Where a header field ends: after its line feed, and after those of the folded lines that follow (RFC 9112 5.2). */
function endOfField(text: string, start: number): number {
  let end = start
  do {
    const feed = text.indexOf('\n', end)
    if (feed < 0) return text.length
    end = feed + 1
  } while (text.charCodeAt(end) === 0x20 || text.charCodeAt(end) === 0x09)
  return end
}

/** Masks the value behind a colon; white space before it and the end of the line stay. */
function maskField(line: string, mask: HeaderMask, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const [, before = '', value = '', after = ''] = /^(:[ \t]*)([\s\S]*?)([ \t]*\r?\n?)$/.exec(line) ?? []
  const unfolded = value.replaceAll(/\r?\n[ \t]+/g, ' ')
  const masked = mask(unfolded, rules, pseudonyms)
  return masked === unfolded ? line : before + masked + after
}

/** How a header is masked; undefined where it is not. `secret`: the rules say that its name tells of one. */
function maskOf(name: string, secret: boolean): HeaderMask | undefined {
  const known = Object.hasOwn(KNOWN_HEADERS, name) ? KNOWN_HEADERS[name] : undefined
  return secret && !CREDENTIAL_HEADERS.has(name) ? WHOLE : known
}

/** Of these the grammar is known, and only the secret in them goes. */
const CREDENTIAL_HEADERS = new Set(['cookie', 'set-cookie', 'authorization', 'proxy-authorization'])

const WHOLE: HeaderMask = (value, _, pseudonyms) => pseudonyms.maskValue(value)

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
