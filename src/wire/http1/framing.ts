import { COMMA, DIGIT_NINE, DIGIT_ZERO, equalsLowerCase, isWhiteSpace } from './characters.ts'
import type { StartLine } from './start-line.ts'

/**
 * Where bodies end (RFC 9112 6). Whatever two parsers may read differently has no framing here: it is a fault, named.
 */

/** What a head says about the body after it, gathered line by line. */
export interface FramingFields {
  /** -1 where there is none. */
  contentLength: number
  lengthFault: string | undefined
  transferEncoding: 'none' | 'chunked' | 'bad'
}

/** Length of a body in bytes where it is stated; else how its end is found. */
export type BodyFraming = number
export const CHUNKED: BodyFraming = -1
export const UNTIL_CLOSE: BodyFraming = -2

/** Framing of a request's body, or the fault (RFC 9112 6.3): a request without either field has none. */
export function requestFraming(head: StartLine & FramingFields): BodyFraming | string {
  const fault = framingFault(head)
  if (fault !== undefined) return fault
  if (head.transferEncoding === 'chunked') return CHUNKED
  return Math.max(0, head.contentLength)
}

/** Framing of a response's body, or the fault; 1xx, 204, 304 and replies to HEAD have none whatever their fields say. */
export function responseFraming(head: StartLine & FramingFields, toHead: boolean): BodyFraming | string {
  if (toHead || head.status < 200 || head.status === 204 || head.status === 304) return 0
  const fault = framingFault(head)
  if (fault !== undefined) return fault
  if (head.transferEncoding === 'chunked') return CHUNKED
  return head.contentLength < 0 ? UNTIL_CLOSE : head.contentLength
}

/** Both fields together, and Transfer-Encoding in HTTP/1.0, are how requests are smuggled (RFC 9112 6.1, 11.2). */
function framingFault(head: StartLine & FramingFields): string | undefined {
  if (head.transferEncoding === 'none') return head.lengthFault
  if (head.contentLength >= 0 || head.lengthFault !== undefined) return 'length-and-chunked'
  return head.transferEncoding === 'bad' || head.minorVersion === 0 ? 'bad-transfer-encoding' : undefined
}

/**
 * Adds the value of one Content-Length line: decimal digits, or a list of them. The same length again is fine (RFC 9112 6.3
 * item 5), another one is `two-lengths`.
 */
export function readContentLength(fields: FramingFields, bytes: Uint8Array, from: number, to: number): void {
  let at = from
  for (;;) {
    while (at < to && isWhiteSpace(bytes[at])) at++
    const first = at
    let length = 0
    for (let byte = bytes[at] ?? 0; at < to && byte >= DIGIT_ZERO && byte <= DIGIT_NINE; byte = bytes[++at] ?? 0) {
      length = length * 10 + (byte - DIGIT_ZERO)
    }
    const digits = at - first
    while (at < to && isWhiteSpace(bytes[at])) at++
    if (digits === 0 || length > Number.MAX_SAFE_INTEGER || (at < to && bytes[at] !== COMMA)) {
      fields.lengthFault ??= 'bad-content-length'
      return
    }
    if (fields.contentLength >= 0 && fields.contentLength !== length) fields.lengthFault ??= 'two-lengths'
    fields.contentLength = length
    if (at === to) return
    at++
  }
}

/**
 * Adds the value of one Transfer-Encoding line. Only `chunked`, once, is decoded: other codings (`gzip, chunked`) would leave a
 * body that is not transfer-decoded, and lists around `chunked` are read differently by different servers.
 */
export function readTransferEncoding(fields: FramingFields, bytes: Uint8Array, from: number, to: number): void {
  let first = from
  let last = to
  while (first < last && isWhiteSpace(bytes[first])) first++
  while (last > first && isWhiteSpace(bytes[last - 1])) last--
  const alone = fields.transferEncoding === 'none' && equalsLowerCase(bytes, first, last, 'chunked')
  fields.transferEncoding = alone ? 'chunked' : 'bad'
}
