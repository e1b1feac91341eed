import { latin1 } from '../../core/bytes.ts'
import { parseHead } from '../../core/head.ts'

/** Headers that a replay has to know; every other line is sent as it was recorded. */
export const KNOWN_HEADERS = [
  'host',
  'connection',
  'proxy-connection',
  'proxy-authorization',
  'expect',
  'upgrade',
  'http2-settings',
  'content-length',
  'transfer-encoding',
  'trailer',
  'baggage',
  'x-mesh-replay',
  'x-http-method-override',
  'x_http_method_override',
  'x-http-method',
  'x-method-override',
] as const

const UNUSUAL_HEADERS: ReadonlySet<string> = new Set([
  'upgrade',
  'transfer-encoding',
  'baggage',
  'x-mesh-replay',
  'x-http-method-override',
  'x_http_method_override',
  'x-http-method',
  'x-method-override',
])

/** A header line that was asked for, as a part of its block's text. */
export interface KnownField {
  /** In lower case. */
  readonly name: string
  /** Without the white space around it; folded lines joined by a space. */
  readonly value: string
  /** The line, with its folds and its CRLF: `text.slice(start, end)`. */
  readonly start: number
  readonly end: number
}

/** The header lines of a request. The requests of one client often share one: what is made of it can be remembered by it. */
export interface HeaderBlock {
  /** The lines, each with its CRLF, without the empty line; one character a byte. */
  readonly text: string
  /** The lines that were asked for, in order. */
  readonly fields: readonly KnownField[]
  /** Those of them that most requests do not have, and that may forbid to send it. */
  readonly unusual: readonly KnownField[]
}

/** The head of a request, read just far enough to judge and rewrite it. */
export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly version: 'HTTP/1.1' | 'HTTP/1.0'
  /** With its CRLF. */
  readonly startLine: string
  readonly block: HeaderBlock
}

const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Header blocks that are remembered, each in the place of its connection; longer ones are not: 4 MiB at most. */
const REMEMBERED_BLOCKS = 1_024
const MAX_REMEMBERED_CHARS = 4_096

/** A block, and the text that it was read from: with the empty line. */
interface Remembered {
  readonly source: string
  readonly block: HeaderBlock
}

/**
 * Reads heads of requests in one walk over their lines. Only lines with a name from a fixed list become objects, because a
 * replay reads hundreds of thousands of heads a second and changes two or three lines of each.
 */
export class RequestHeadReader {
  readonly #names = new Map<string, string>()
  /** Bit `length & 31` at `first character & 31`: whether a known name may look like that. Most lines fail here. */
  readonly #shapes = new Uint32Array(32)
  readonly #remembered: (Remembered | undefined)[] = Array.from({ length: REMEMBERED_BLOCKS })

  /** `names`: headers to be found besides `KNOWN_HEADERS`, in any case. */
  constructor(names: readonly string[] = []) {
    for (const name of [...KNOWN_HEADERS, ...names]) {
      const lower = name.toLowerCase()
      this.#names.set(lower, lower)
      const slot = lower.charCodeAt(0) & 31
      this.#shapes[slot] = (this.#shapes[slot] ?? 0) | (1 << (lower.length & 31))
    }
  }

  /**
   * Undefined where the start line or a header line is not one that may be sent again. `connection`: where it was received; heads of
   * one connection are often alike.
   */
  read(head: Uint8Array, connection = 0): RequestHead | undefined {
    const received = latin1(head)
    const text = received.startsWith(':') ? http1Text(head) : received
    return this.#readText(text, connection) ?? this.#readText(text.replaceAll(/\r?\n/g, '\r\n'), connection)
  }

  #readText(text: string, connection: number): RequestHead | undefined {
    const end = text.indexOf('\n') + 1
    const first = text.indexOf(' ')
    // `METHOD target HTTP/1.x` and CRLF: at least one character of target.
    const last = end - 11
    if (first <= 0 || last <= first + 1 || text.charCodeAt(end - 2) !== CR || text.charCodeAt(last) !== SPACE)
      return undefined
    const version = text.slice(last + 1, end - 2)
    if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return undefined
    const method = text.slice(0, first)
    if (method !== 'GET' && !TOKEN.test(method)) return undefined
    const block = this.#blockOf(text.slice(end), connection)
    if (block === undefined) return undefined
    const target = text.slice(first + 1, last)
    return { method, target, version, startLine: text.slice(0, end), block }
  }

  #blockOf(source: string, connection: number): HeaderBlock | undefined {
    const slot = connection % REMEMBERED_BLOCKS
    const remembered = this.#remembered[slot]
    if (remembered?.source === source) return remembered.block
    const block = this.#walk(source)
    if (block !== undefined && source.length <= MAX_REMEMBERED_CHARS) this.#remembered[slot] = { source, block }
    return block
  }

  #walk(text: string): HeaderBlock | undefined {
    const fields: KnownField[] = []
    let start = 0
    while (start < text.length) {
      const end = lineEnd(text, start)
      if (end === undefined) return undefined
      if (end === start + 2) break
      const found = this.#fieldAt(text, start, end)
      if (found === undefined) return undefined
      if (found !== 'unknown') fields.push(found)
      start = end
    }
    const unusual = fields.filter(({ name }) => UNUSUAL_HEADERS.has(name))
    return { text: start === text.length ? text : text.slice(0, start), fields, unusual }
  }

  #fieldAt(text: string, start: number, end: number): KnownField | 'unknown' | undefined {
    const colon = text.indexOf(':', start)
    // A line without a name, or with a blank before its colon, is read differently by different servers (RFC 9112 5.1).
    if (colon <= start || colon >= end) return undefined
    const before = text.charCodeAt(colon - 1)
    if (before === SPACE || before === TAB) return undefined
    const shapes = this.#shapes[text.charCodeAt(start) & 31] ?? 0
    if ((shapes & (1 << ((colon - start) & 31))) === 0) return 'unknown'
    const name = this.#names.get(text.slice(start, colon).toLowerCase())
    if (name === undefined) return 'unknown'
    const value = text.slice(colon + 1, end).trim()
    return { name, value: value.includes('\n') ? value.replaceAll(/\r\n[ \t]+/g, ' ') : value, start, end }
  }
}

/** The end of the line at `start`, its CRLF and the folded lines after it included; undefined where a line end is not CRLF. */
function lineEnd(text: string, start: number): number | undefined {
  let end = start
  for (;;) {
    const feed = text.indexOf('\n', end)
    if (feed < 0 || text.charCodeAt(feed - 1) !== CR || feed === 0) return undefined
    end = feed + 1
    const next = text.charCodeAt(end)
    if ((next !== SPACE && next !== TAB) || end === start + 2) return end
  }
}

/**
 * An HTTP/2 head as an HTTP/1.1 one: pseudo-headers become the start line and Host, cookie crumbs are joined (RFC 9113 8.2.3,
 * 8.3.1). Text that has no method and path gives a start line that nobody takes.
 */
function http1Text(bytes: Uint8Array): string {
  const { fields } = parseHead(bytes)
  const pseudo = new Map<string, string>()
  const cookies: string[] = []
  let lines = ''
  for (const { name, value } of fields) {
    if (name.startsWith(':')) pseudo.set(name, value)
    else if (name.toLowerCase() === 'cookie') cookies.push(value)
    else lines += `${name}: ${value}\r\n`
  }
  const authority = pseudo.get(':authority')
  const host = authority === undefined ? '' : `host: ${authority}\r\n`
  const cookie = cookies.length === 0 ? '' : `cookie: ${cookies.join('; ')}\r\n`
  return `${pseudo.get(':method') ?? ''} ${pseudo.get(':path') ?? ''} HTTP/1.1\r\n${host}${lines}${cookie}\r\n`
}

/** The items of a list header, in lower case, without empty ones. */
export function listItems(value: string): readonly string[] {
  const lower = value.toLowerCase()
  if (!lower.includes(',')) return lower === '' ? [] : [lower]
  return lower
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
