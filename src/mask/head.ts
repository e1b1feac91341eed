import { asBuffer } from '../core/bytes.ts'
import { endOfLine } from '../core/head.ts'
import { NameMemo } from '../core/name-memo.ts'
import { maskCookies, maskSetCookie } from './cookies.ts'
import { maskTarget, maskUrl } from './fields.ts'
import { isPseudonym } from './pseudonym.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'
import { Splice } from './splice.ts'

/** Masks one header's value, or gives it back as it is. */
type HeaderMask = (value: string, rules: MaskRules, pseudonyms: Pseudonyms) => string

const COLON = 0x3a
const SPACE = 0x20
const TAB = 0x09

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
 * Masks heads: the target, cookies, credentials, URLs, and headers whose name says that they hold a secret. Everything else stays
 * byte for byte, and a head without anything to mask is given back as the same array.
 *
 * It walks the bytes of the lines and asks by name which of them are of interest: most heads have one such line or none, and
 * only then is text made of them.
 */
export class HeadMasker {
  readonly #rules: MaskRules
  readonly #pseudonyms: Pseudonyms
  readonly #masks: NameMemo<HeaderMask | undefined>
  /** Content types and codings are few: no text is made of those that were seen before. */
  readonly #values = new NameMemo((line) => unfolded(line.trim()))

  constructor(rules: MaskRules, pseudonyms: Pseudonyms) {
    this.#rules = rules
    this.#pseudonyms = pseudonyms
    this.#masks = new NameMemo((name) => maskOf(name.trim().toLowerCase(), rules))
  }

  mask(bytes: Uint8Array): MaskedHead {
    const head = asBuffer(bytes)
    const splice = new Splice(bytes)
    const firstField = head[0] === COLON ? 0 : endOfLine(head, 0)
    if (this.#rules.mayHoldSecretInTarget(head, firstField)) {
      const line = splice.text.slice(0, firstField)
      splice.replace(0, firstField, maskStartLine(line, this.#rules, this.#pseudonyms))
    }
    return this.#maskFields(head, firstField, splice)
  }

  /** Masks trailer lines as header lines are. */
  maskTrailers(bytes: Uint8Array): Uint8Array {
    return bytes.length === 0 ? bytes : this.#maskFields(asBuffer(bytes), 0, new Splice(bytes)).bytes
  }

  #maskFields(head: Buffer, firstField: number, splice: Splice): MaskedHead {
    let contentType = ''
    let contentEncoding = ''
    let start = firstField
    while (start < head.length) {
      const end = endOfField(head, start)
      const colon = colonIn(head, start, end)
      const mask = colon < end ? this.#masks.of(head, start, colon) : undefined
      if (mask === CONTENT_TYPE) contentType = joined(contentType, this.#values.of(head, colon + 1, end))
      else if (mask === CONTENT_ENCODING)
        contentEncoding = joined(contentEncoding, this.#values.of(head, colon + 1, end))
      else if (mask !== undefined) {
        const line = splice.text.slice(colon + 1, end)
        splice.replace(colon + 1, end, maskField(line, mask, this.#rules, this.#pseudonyms))
      }
      start = end
    }
    return { bytes: splice.bytes(), contentType, contentEncoding }
  }
}

/** The target runs to the version, or to the end of a line that was cut or never had one. */
function maskStartLine(line: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (line.startsWith('HTTP/')) return line
  const content = line.trimEnd()
  const start = content.indexOf(' ') + 1
  const version = content.lastIndexOf(' ')
  const end = version >= start && content.startsWith('HTTP/', version + 1) ? version : content.length
  return line.slice(0, start) + maskTarget(line.slice(start, end), rules, pseudonyms) + line.slice(end)
}

/** A second value of a header that should be there once: both count. */
function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`
}

/** Where a header field ends: after its line feed, and after those of the folded lines that follow (RFC 9112 5.2). */
function endOfField(head: Buffer, start: number): number {
  let end = endOfLine(head, start)
  while (head[end] === SPACE || head[end] === TAB) end = endOfLine(head, end)
  return end
}

/** Where the name ends of the field from `start` to `end`; `end` where it has no colon. One that it begins with is part of the name. */
function colonIn(head: Uint8Array, start: number, end: number): number {
  let index = start + 1
  while (index < end && head[index] !== COLON) index++
  return index
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

/** How the header of this name, given in lower case, is masked; undefined where it is not. */
function maskOf(name: string, rules: MaskRules): HeaderMask | undefined {
  return rules.header(name) && !CREDENTIAL_HEADERS.has(name) ? WHOLE : KNOWN_HEADERS.get(name)
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
