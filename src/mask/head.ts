import { latin1, latin1Bytes } from '../core/bytes.ts'
import { maskCookies, maskSetCookie } from './cookies.ts'
import { maskTarget, maskUrl } from './fields.ts'
import { isPseudonym } from './pseudonym.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { HeaderMask, MaskRules } from './rules.ts'

const WHOLE: HeaderMask = (value, _, pseudonyms) => pseudonyms.maskValue(value)

const CREDENTIALS: HeaderMask = (value, _, pseudonyms) => maskCredentials(value, pseudonyms)

/** `<url>; rel=next, <url>` (RFC 8288 3). */
const LINKS: HeaderMask = (value, rules, pseudonyms) => {
  const [first = '', ...links] = value.split('<')
  const masked = links.map((link) => {
    const end = link.indexOf('>')
    return end < 0 ? maskUrl(link, rules, pseudonyms) : maskUrl(link.slice(0, end), rules, pseudonyms) + link.slice(end)
  })
  return [first, ...masked].join('<')
}

/** `5; url=/next`. */
const REFRESH: HeaderMask = (value, rules, pseudonyms) => {
  const mark = value.toLowerCase().indexOf('url=')
  if (mark < 0) return value
  const start = mark + 'url='.length
  const quote = value[start] === '"' || value[start] === "'" ? 1 : 0
  const end =
    quote === 1 && value.endsWith(value[start] ?? '') && value.length > start + 1 ? value.length - 1 : value.length
  return value.slice(0, start + quote) + maskUrl(value.slice(start + quote, end), rules, pseudonyms) + value.slice(end)
}

/** Not masked: they say how the body is to be read. Told apart from other headers by being these. */
const CONTENT_TYPE: HeaderMask = (value) => value
const CONTENT_ENCODING: HeaderMask = (value) => value

/** Headers with a grammar of their own. What is not here is masked as a whole where its name says that it is a secret. */
const KNOWN_HEADERS: ReadonlyMap<string, HeaderMask> = new Map([
  ['content-type', CONTENT_TYPE],
  ['content-encoding', CONTENT_ENCODING],
  ['cookie', maskCookies],
  ['cookie2', maskCookies],
  ['set-cookie', maskSetCookie],
  ['set-cookie2', maskSetCookie],
  ['authorization', CREDENTIALS],
  ['proxy-authorization', CREDENTIALS],
  ['x-authorization', CREDENTIALS],
  ['authentication-info', WHOLE],
  ['proxy-authentication-info', WHOLE],
  ['link', LINKS],
  ['refresh', REFRESH],
  [':path', maskTarget],
  ...[
    'referer',
    'location',
    'content-location',
    'destination',
    'x-original-url',
    'x-original-uri',
    'x-forwarded-uri',
    'x-forwarded-url',
    'x-rewrite-url',
    'x-request-uri',
    'x-envoy-original-path',
  ].map((name) => [name, maskUrl] as const),
])

/** Of these the grammar is known, and only the secret in them goes. */
const CREDENTIAL_HEADERS = new Set([
  'cookie',
  'cookie2',
  'set-cookie',
  'set-cookie2',
  'authorization',
  'proxy-authorization',
  'x-authorization',
])

/** A head after masking, and what it says of its body. A header that is repeated or folded is one value with commas or spaces. */
export interface MaskedHead {
  readonly bytes: Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
}

/**
 * Masks a head: the target, cookies, credentials, URLs, and headers whose name says that they hold a secret. Everything else stays
 * byte for byte, and a head without anything to mask is given back as the same array.
 */
export function maskHead(bytes: Uint8Array, rules: MaskRules, pseudonyms: Pseudonyms): MaskedHead {
  const text = latin1(bytes)
  const lineEnd = text.indexOf('\n')
  const startLineEnd = text.startsWith(':') ? 0 : lineEnd < 0 ? text.length : lineEnd + 1
  const startLine = maskStartLine(text.slice(0, startLineEnd), rules, pseudonyms)
  const lines = maskLines(text.slice(startLineEnd), rules, pseudonyms)
  const masked = startLine + lines.text
  const { contentType, contentEncoding } = lines
  return { bytes: masked === text ? bytes : latin1Bytes(masked), contentType, contentEncoding }
}

/** The target runs to the version, or to the end of a line that was cut or never had one. */
function maskStartLine(line: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (line.startsWith('HTTP/') || !/[?@;#]/.test(line)) return line
  const content = line.trimEnd()
  const start = content.indexOf(' ') + 1
  const version = content.lastIndexOf(' ')
  const end = version >= start && content.startsWith('HTTP/', version + 1) ? version : content.length
  return line.slice(0, start) + maskTarget(line.slice(start, end), rules, pseudonyms) + line.slice(end)
}

interface MaskedLines {
  readonly text: string
  readonly contentType: string
  readonly contentEncoding: string
}

/**
 * Walks the lines by hand and remembers by name which headers are of interest: a regular expression over the whole head, with
 * its captures, costs several times as much, and most heads have one such line or none.
 */
function maskLines(text: string, rules: MaskRules, pseudonyms: Pseudonyms): MaskedLines {
  let masked = ''
  let copied = 0
  let lineStart = 0
  let colon = 0
  let contentType = ''
  let contentEncoding = ''
  while (lineStart < text.length) {
    const lineEnd = endOfField(text, lineStart)
    if (colon <= lineStart) colon = text.indexOf(':', lineStart + 1)
    // No colon any more: searching again from each line would take quadratic time.
    if (colon < 0) break
    if (colon < lineEnd) {
      const mask = rules.headerMask(text.slice(lineStart, colon), maskOf)
      if (mask === CONTENT_TYPE) contentType = joined(contentType, text.slice(colon + 1, lineEnd))
      else if (mask === CONTENT_ENCODING) contentEncoding = joined(contentEncoding, text.slice(colon + 1, lineEnd))
      else if (mask !== undefined) {
        const line = text.slice(colon + 1, lineEnd)
        const changed = maskField(line, mask, rules, pseudonyms)
        if (changed !== line) {
          masked += text.slice(copied, colon + 1) + changed
          copied = lineEnd
        }
      }
    }
    lineStart = lineEnd
  }
  return { text: copied === 0 ? text : masked + text.slice(copied), contentType, contentEncoding }
}

/** A second value of a header that should be there once: both count. */
function joined(before: string, line: string): string {
  const value = unfolded(line.trim())
  return before === '' ? value : `${before}, ${value}`
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

/** Masks what is behind a colon; white space before it and the end of the line stay. */
function maskField(line: string, mask: HeaderMask, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const value = line.trim()
  if (value === '') return line
  const start = line.length - line.trimStart().length
  const plain = unfolded(value)
  const masked = mask(plain, rules, pseudonyms)
  return masked === plain ? line : line.slice(0, start) + masked + line.slice(start + value.length)
}

function unfolded(value: string): string {
  return value.includes('\n') ? value.replaceAll(/\r?\n[ \t]+/g, ' ') : value
}

/** How a header is masked; undefined where it is not. `secret`: the rules say that its name tells of one. */
function maskOf(name: string, secret: boolean): HeaderMask | undefined {
  return secret && !CREDENTIAL_HEADERS.has(name) ? WHOLE : KNOWN_HEADERS.get(name)
}

/** Masks `scheme credentials` (RFC 9110 11.4): the scheme stays, and the user of basic credentials. */
export function maskCredentials(value: string, pseudonyms: Pseudonyms): string {
  const { scheme, space, rest } = splitCredentials(value)
  if (scheme === '') return pseudonyms.maskValue(value)
  return scheme + space + (scheme.toLowerCase() === 'basic' ? maskBasic(rest, pseudonyms) : pseudonyms.maskValue(rest))
}

/** A value without white space has no scheme. */
export function splitCredentials(value: string): { scheme: string; space: string; rest: string } {
  const mark = value.search(/\s/)
  const rest = value.slice(mark).trimStart()
  if (mark <= 0 || rest === '') return { scheme: '', space: '', rest: value }
  return { scheme: value.slice(0, mark), space: value.slice(mark, value.length - rest.length), rest }
}

/** Basic credentials (RFC 7617): the user stays, the password does not. */
function maskBasic(encoded: string, pseudonyms: Pseudonyms): string {
  if (isPseudonym(encoded)) return encoded
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const masked = maskUserPassword(pair, pseudonyms)
  if (masked === undefined) return pseudonyms.maskValue(encoded)
  return masked === pair ? encoded : Buffer.from(masked).toString('base64')
}

/** `user:password` keeps the user; before an empty password it is the user that is the secret. undefined: not a pair. */
export function maskUserPassword(pair: string, pseudonyms: Pseudonyms): string | undefined {
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  const password = pair.slice(colon + 1)
  if (password === '') return `${pseudonyms.maskValue(pair.slice(0, colon))}:`
  return `${pair.slice(0, colon)}:${pseudonyms.maskValue(password)}`
}

/** Masks trailer lines as header lines are. */
export function maskTrailers(bytes: Uint8Array, rules: MaskRules, pseudonyms: Pseudonyms): Uint8Array {
  if (bytes.length === 0) return bytes
  const text = latin1(bytes)
  const masked = maskLines(text, rules, pseudonyms).text
  return masked === text ? bytes : latin1Bytes(masked)
}
