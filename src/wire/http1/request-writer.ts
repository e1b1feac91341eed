import { latin1Bytes } from '../../core/bytes.ts'

/**
 * How a request says where its body ends (RFC 9112 6): `none` it has no body and says nothing of one, `length` by Content-Length,
 * `chunked` in one chunk with trailers after it. A request cannot end by closing.
 */
export type RequestFraming = 'none' | 'length' | 'chunked'

/** The header line of a framing, with its CRLF; '' for `none`. */
export function framingLine(framing: RequestFraming, bodyBytes: number): string {
  if (framing === 'none') return ''
  return framing === 'length' ? `Content-Length: ${bodyBytes}\r\n` : 'Transfer-Encoding: chunked\r\n'
}

/**
 * A request as it goes onto the wire, in bytes of its own. `startLine` has its CRLF, one character a byte; `fields` are the header
 * lines with the empty line after them, and bear `framingLine(framing, body.length)` already. `trailers` are lines with their CRLF;
 * they are written in a chunked request only.
 */
export function writeRequest(
  startLine: string,
  fields: Uint8Array,
  body: Uint8Array,
  trailers: Uint8Array,
  framing: RequestFraming,
): Uint8Array {
  const headBytes = startLine.length + fields.length
  if (framing === 'chunked') return writeChunked(startLine, fields, body, trailers)
  const bytes = Buffer.allocUnsafe(framing === 'length' ? headBytes + body.length : headBytes)
  bytes.write(startLine, 0, 'latin1')
  bytes.set(fields, startLine.length)
  if (framing === 'length' && body.length > 0) bytes.set(body, headBytes)
  return bytes
}

/** The body in one chunk: where the recorded ones ended is not known, and means nothing (RFC 9112 7.1). */
function writeChunked(startLine: string, fields: Uint8Array, body: Uint8Array, trailers: Uint8Array): Uint8Array {
  const size = body.length === 0 ? '' : `${body.length.toString(16)}\r\n`
  const end = body.length === 0 ? '0\r\n' : '\r\n0\r\n'
  return Buffer.concat([
    latin1Bytes(startLine),
    fields,
    latin1Bytes(size),
    body,
    latin1Bytes(end),
    trailers,
    latin1Bytes('\r\n'),
  ])
}
