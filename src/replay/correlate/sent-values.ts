import type { Escape } from './escape.ts'
import { percentDecoded } from './escape.ts'
import { unquoted, walkJson } from './json-leaves.ts'

/** A value in a request, and where: `path 2`, `query code`, `header authorization`, `cookie sid`, `form csrf`, `json .order.id`. */
export interface SentValue {
  readonly place: string
  readonly value: string
  /** Of the value as it is written, in the text that was given; a JSON string's with its quotes. */
  readonly start: number
  readonly end: number
  readonly escape: Escape
}

/** Which places of a request are looked at: those of a kind, or of a name. */
export interface WantedPlaces {
  readonly path: boolean
  readonly query: boolean
  readonly body: boolean
  /** Bit `length & 31` at `first letter & 31`: whether a header of such a name is read. Most lines fail here. */
  readonly shapes: Uint32Array
  /** Names in lower case. */
  header(name: string): boolean
  cookie(name: string): boolean
}

/** Everything that a reply may have issued; which headers that are is remembered, for as many names as services use. */
export const ALL_PLACES: WantedPlaces = {
  path: true,
  query: true,
  body: true,
  shapes: new Uint32Array(32).fill(0xffff_ffff),
  header: (name) => !isOwnHeader(name),
  cookie: () => true,
}

/** A request as text, one character a byte. */
export interface RequestText {
  /** With the empty line. */
  readonly head: string
  readonly body: string
  /** Where the body begins, in the offsets that values are given: behind the head, or wherever it stands. */
  readonly bodyStart: number
  /** Path before the recorded one, which a target's URL brought in: its segments are not counted. */
  readonly pathPrefix: string
}

/** Values of one request that are looked at, and the body that they may be in. */
const MAX_VALUES = 512
const MAX_BODY_CHARS = 256 * 1024

/** Headers that a client makes by itself, or that say how the message is to be read. */
const OWN_HEADERS =
  /^(?:host|connection|content-(?:length|type|encoding|language|md5)|accept(?:-.*)?|user-agent|cache-control|pragma|origin|referer|date|te|trailer|transfer-encoding|upgrade(?:-.*)?|via|forwarded|x-forwarded-.*|x-real-ip|baggage|traceparent|tracestate|x-request-id|request-id|x-correlation-id|x-b3-.*|sec-.*|range|dnt|priority|expect|keep-alive|from|max-forwards|proxy-.*|x-mesh-.*|x-requested-with|(?:x-)?idempotency-key)$/

const MAX_KNOWN_NAMES = 1_024
const ownHeaders = new Map<string, boolean>()

function isOwnHeader(name: string): boolean {
  const known = ownHeaders.get(name)
  if (known !== undefined) return known
  const isOwn = OWN_HEADERS.test(name)
  if (ownHeaders.size < MAX_KNOWN_NAMES && name.length < 100) ownHeaders.set(name, isOwn)
  return isOwn
}

/** The values of a request at the wanted places. */
export function sentValues(request: RequestText, wanted: WantedPlaces = ALL_PLACES): readonly SentValue[] {
  const values: SentValue[] = []
  const { head, body } = request
  const lineEnd = head.indexOf('\r\n')
  if (lineEnd < 0) return values
  const targetStart = head.indexOf(' ') + 1
  if (wanted.path || wanted.query) {
    addTarget(values, head, targetStart, head.lastIndexOf(' ', lineEnd), request.pathPrefix, wanted)
  }
  const types = addHeaders(values, head, lineEnd + 2, wanted)
  if (!wanted.body || body === '' || body.length > MAX_BODY_CHARS || types.coded) return values
  const from = values.length
  if (types.type.includes('json')) addJson(values, body)
  else if (types.type.includes('x-www-form-urlencoded')) addPairs(values, body, 0, body.length, 'form', 'form')
  for (let index = from; index < values.length; index++) {
    const value = values[index]
    if (value === undefined) continue
    const { start, end } = value
    values[index] = { ...value, start: start + request.bodyStart, end: end + request.bodyStart }
  }
  return values
}

function addTarget(
  values: SentValue[],
  head: string,
  start: number,
  end: number,
  prefix: string,
  wanted: WantedPlaces,
): void {
  const absolute =
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(head.slice(start, Math.min(end, start + 300)))?.[0].length ?? 0
  const skipped = head.startsWith(prefix, start) ? prefix.length : 0
  const from = start + absolute + skipped
  const mark = head.indexOf('?', from)
  const pathEnd = mark < 0 || mark > end ? end : mark
  let segment = 0
  let at = from
  while (wanted.path && at < pathEnd && values.length < MAX_VALUES) {
    const slash = head.indexOf('/', at)
    const stop = slash < 0 || slash > pathEnd ? pathEnd : slash
    if (segment > 0 && stop > at) {
      const value = percentDecoded(head.slice(at, stop), false)
      values.push({ place: `path ${segment}`, value, start: at, end: stop, escape: 'path' })
    }
    segment += 1
    at = stop + 1
  }
  if (wanted.query && pathEnd < end) addPairs(values, head, pathEnd + 1, end, 'query', 'query')
}

function addPairs(
  values: SentValue[],
  text: string,
  from: number,
  end: number,
  place: string,
  escape: 'query' | 'form',
): void {
  let start = from
  while (start < end && values.length < MAX_VALUES) {
    const and = text.indexOf('&', start)
    const stop = and < 0 || and > end ? end : and
    const equals = text.indexOf('=', start)
    if (equals > start && equals + 1 < stop) {
      const name = percentDecoded(text.slice(start, equals), true)
      const value = percentDecoded(text.slice(equals + 1, stop), true)
      values.push({ place: `${place} ${name}`, value, start: equals + 1, end: stop, escape })
    }
    start = stop + 1
  }
}

function addHeaders(
  values: SentValue[],
  head: string,
  from: number,
  wanted: WantedPlaces,
): { readonly type: string; readonly coded: boolean } {
  let [type, coded] = ['', false]
  let start = from
  while (start < head.length && values.length < MAX_VALUES) {
    const feed = head.indexOf('\r\n', start)
    const end = feed < 0 ? head.length : feed
    const colon = head.indexOf(':', start)
    if (colon > start && colon < end && hasShape(wanted.shapes, head.charCodeAt(start), colon - start)) {
      const name = head.slice(start, colon).toLowerCase()
      if (name === 'content-type') type = head.slice(colon + 1, end).toLowerCase()
      else if (name === 'content-encoding')
        coded =
          head
            .slice(colon + 1, end)
            .trim()
            .toLowerCase() !== 'identity'
      else if (name === 'cookie') addCookies(values, head, colon + 1, end, wanted)
      else if (wanted.header(name)) addHeader(values, head, name, colon + 1, end)
    }
    start = end + 2
  }
  return { type, coded }
}

function addHeader(values: SentValue[], head: string, name: string, from: number, to: number): void {
  const [start, end] = trimmed(head, from, to)
  if (start === end) return
  const scheme = /^(?:bearer|token) +(?=\S+$)/i.exec(head.slice(start, end))?.[0].length ?? 0
  const valueStart = start + scheme
  values.push({
    place: `header ${name}`,
    value: head.slice(valueStart, end),
    start: valueStart,
    end,
    escape: 'header',
  })
}

function addCookies(values: SentValue[], head: string, from: number, to: number, wanted: WantedPlaces): void {
  let start = from
  while (start < to && values.length < MAX_VALUES) {
    const semicolon = head.indexOf(';', start)
    const stop = semicolon < 0 || semicolon > to ? to : semicolon
    const equals = head.indexOf('=', start)
    if (equals > start && equals < stop) {
      const [valueStart, valueEnd] = trimmed(head, equals + 1, stop)
      const name = head.slice(start, equals).trim()
      if (valueEnd > valueStart && wanted.cookie(name)) {
        const place = `cookie ${name}`
        const value = head.slice(valueStart, valueEnd)
        values.push({ place, value, start: valueStart, end: valueEnd, escape: 'cookie' })
      }
    }
    start = stop + 1
  }
}

function addJson(values: SentValue[], body: string): void {
  walkJson(body, (path, start, end, isString) => {
    const token = fromUtf8(body.slice(start, end))
    const value = isString ? unquoted(token) : token
    values.push({
      place: `json ${fromUtf8(path)}`,
      value,
      start,
      end,
      escape: isString ? 'json-string' : 'json-number',
    })
    return values.length < MAX_VALUES
  })
}

/** One character a byte, read as UTF-8. */
function fromUtf8(bytes: string): string {
  return /[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes
}

function trimmed(text: string, from: number, to: number): [number, number] {
  let [start, end] = [from, to]
  while (start < end && text.charCodeAt(start) <= 0x20) start++
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--
  return [start, end]
}

/** Which headers have to be read for the wanted ones, by their shapes. */
export function headerShapes(names: readonly string[]): Uint32Array {
  const shapes = new Uint32Array(32)
  for (const name of names) {
    const slot = name.charCodeAt(0) & 31
    shapes[slot] = (shapes[slot] ?? 0) | (1 << (name.length & 31))
  }
  return shapes
}

/** The case of a letter is not among its last five bits. */
function hasShape(shapes: Uint32Array, first: number, length: number): boolean {
  return ((shapes[first & 31] ?? 0) & (1 << (length & 31))) !== 0
}
