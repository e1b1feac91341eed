import { CR, LF, latin1 } from '../../core/bytes.ts'
import { DIGIT_NINE, DIGIT_ZERO, SPACE, endOfTarget, endOfToken, endOfValue, startsWith } from './characters.ts'

/**
 * Start lines (RFC 9112 3 and 4), read strictly: one space between the parts, no white space at the end. Servers differ on what
 * is looser than that, so it is not decoded.
 */

/** Longest method that is taken for one; the longest registered one has 17 characters (RFC 9110 16.1.1). */
const MAX_METHOD_LENGTH = 32

const VERSION = 'HTTP/1.'
/** ` HTTP/1.1`: what ends a request line. */
const VERSION_PART_LENGTH = 9

/** The parts of a start line that framing depends on. */
export interface StartLine {
  /** Minor version: 0 is HTTP/1.0, anything above is read as 1.1 (RFC 9110 2.5). */
  minorVersion: number
  /** Of a request. */
  method: 'HEAD' | 'CONNECT' | 'other'
  /** Of a response; 0 in a request. */
  status: number
}

/** Index after the empty lines from `from`; a CR at the very end may begin one. */
export function endOfEmptyLines(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to) {
    if (bytes[at] === LF) at++
    else if (bytes[at] === CR && at + 1 < to && bytes[at + 1] === LF) at += 2
    else break
  }
  return at
}

/** Reads `METHOD target HTTP/1.x` into `line`; returns why it is none, undefined where it is one. */
export function readRequestLine(bytes: Uint8Array, from: number, to: number, line: StartLine): string | undefined {
  const methodEnd = endOfToken(bytes, from, to)
  const versionPart = to - VERSION_PART_LENGTH
  const minor = bytes[to - 1] ?? 0
  const sound =
    methodEnd > from &&
    bytes[methodEnd] === SPACE &&
    versionPart > methodEnd + 1 &&
    endOfTarget(bytes, methodEnd + 1, to) === versionPart &&
    bytes[versionPart] === SPACE &&
    startsWith(bytes, versionPart + 1, to, VERSION, true) &&
    isDigit(minor)
  if (!sound) return requestLineFault(bytes, from, to)
  line.minorVersion = minor - DIGIT_ZERO
  line.status = 0
  line.method = 'other'
  if (methodEnd - from === 4 && startsWith(bytes, from, methodEnd, 'HEAD', true)) line.method = 'HEAD'
  else if (methodEnd - from === 7 && startsWith(bytes, from, methodEnd, 'CONNECT', true)) line.method = 'CONNECT'
  return undefined
}

function requestLineFault(bytes: Uint8Array, from: number, to: number): string {
  if (endOfValue(bytes, from, to) < to) return 'control-byte'
  const text = latin1(bytes, from, to)
  if (/^GET \S+$/.test(text)) return 'http-0.9'
  if (/^\S+ \S+ HTTP\/\d+(\.\d+)?$/.test(text)) return 'bad-version'
  return 'bad-start-line'
}

/** Reads `HTTP/1.x status reason` into `line`; the reason and the space before it may be missing, as they often are. */
export function readStatusLine(bytes: Uint8Array, from: number, to: number, line: StartLine): string | undefined {
  const minor = bytes[from + 7] ?? 0
  const hundreds = bytes[from + 9] ?? 0
  const tens = bytes[from + 10] ?? 0
  const ones = bytes[from + 11] ?? 0
  const sound =
    to - from >= 12 &&
    startsWith(bytes, from, to, VERSION, true) &&
    isDigit(minor) &&
    bytes[from + 8] === SPACE &&
    isDigit(hundreds) &&
    hundreds !== DIGIT_ZERO &&
    isDigit(tens) &&
    isDigit(ones) &&
    (to - from === 12 || bytes[from + 12] === SPACE)
  if (endOfValue(bytes, from, to) < to) return 'control-byte'
  if (!sound) return 'bad-start-line'
  line.minorVersion = minor - DIGIT_ZERO
  line.status = (hundreds - DIGIT_ZERO) * 100 + (tens - DIGIT_ZERO) * 10 + (ones - DIGIT_ZERO)
  line.method = 'other'
  return undefined
}

/** Methods that a request is known by where it is found after a loss: the registered ones (RFC 9110 16.1.1, RFC 4918, 5789). */
const KNOWN_METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT ' +
    'SEARCH MKCALENDAR ACL BIND UNBIND REBIND CHECKIN CHECKOUT UNCHECKOUT MERGE UPDATE LABEL LINK UNLINK ORDERPATCH ' +
    'MKACTIVITY MKWORKSPACE MKREDIRECTREF UPDATEREDIRECTREF VERSION-CONTROL BASELINE-CONTROL PURGE NOTIFY SUBSCRIBE ' +
    'UNSUBSCRIBE M-SEARCH'
  ).split(' '),
)

/** Is the method of the request line at `from` a known one? What is left of a line that lost its beginning is none. */
export function hasKnownMethod(bytes: Uint8Array, from: number, to: number): boolean {
  return KNOWN_METHODS.has(latin1(bytes, from, endOfToken(bytes, from, Math.min(to, from + MAX_METHOD_LENGTH))))
}

/** May these bytes, which need not be whole, begin a request line? Only the method is looked at. */
export function mayBeginRequest(bytes: Uint8Array, from: number, to: number): boolean {
  const methodEnd = endOfToken(bytes, from, Math.min(to, from + MAX_METHOD_LENGTH + 1))
  if (methodEnd === to) return to - from <= MAX_METHOD_LENGTH
  return methodEnd > from && methodEnd - from <= MAX_METHOD_LENGTH && bytes[methodEnd] === SPACE
}

/** Is there a request line at `from`? undefined: too few bytes to tell. */
export function isRequestLine(bytes: Uint8Array, from: number, to: number): boolean | undefined {
  const lineEnd = bytes.indexOf(LF, from)
  if (lineEnd < 0 || lineEnd >= to) return from === to || mayBeginRequest(bytes, from, to) ? undefined : false
  const stop = bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd
  return readRequestLine(bytes, from, stop, { minorVersion: 1, method: 'other', status: 0 }) === undefined
}

/** May these bytes, which need not be whole, begin a status line? */
export function mayBeginResponse(bytes: Uint8Array, from: number, to: number): boolean {
  return startsWith(bytes, from, to, VERSION, false)
}

/** Is this line, sound or not, meant as an HTTP request line? It names a version of HTTP, or is a request of HTTP/0.9. */
export function meansHttp(bytes: Uint8Array, from: number, to: number): boolean {
  return /HTTP\/|^GET \/\S*$/.test(latin1(bytes, from, to))
}

function isDigit(byte: number): boolean {
  return byte >= DIGIT_ZERO && byte <= DIGIT_NINE
}
