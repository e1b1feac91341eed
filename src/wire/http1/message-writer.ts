import { asBuffer, concatBytes, latin1, latin1Bytes } from '../../core/bytes.ts'
import type { Message } from '../../core/exchange.ts'

/** A header line that says where the body ends, with its end of line. */
const FRAMING_LINE = /^(content-length|transfer-encoding)[ \t]*:[^\r\n]*\r?\n/gim

/**
 * The bytes of a recorded message as HTTP/1 sends it: the head as recorded, its framing recomputed where the body is no longer
 * what the head says (masking changes lengths; recordings hold bodies without chunk framing).
 *
 * A message without a body keeps its head untouched: the reply to HEAD and a 304 speak of a length that is not there
 * (RFC 9110 8.6). A cut message keeps the length it announced, so that a reader sees that it is cut.
 */
export function writeMessage(message: Message): Uint8Array {
  const { body, trailers } = message
  const head = latin1(message.head)
  const chunked = /^transfer-encoding[ \t]*:[^\r\n]*chunked/im.test(head)
  if (chunked) return concatBytes([message.head, asChunks(body, trailers, message.cut !== undefined)])
  if (body.length === 0 || message.cut !== undefined) return concatBytes([message.head, body])
  const announced = /^content-length[ \t]*:[ \t]*(\d+)/im.exec(head)?.[1]
  if (announced === undefined || Number(announced) === body.length) return concatBytes([message.head, body])
  const reframed = head.replaceAll(FRAMING_LINE, (line) => line.replace(/\d+/, String(body.length)))
  return concatBytes([latin1Bytes(reframed), body])
}

/** One chunk, the last chunk, the trailers. A cut body lacks its end, as it did on the wire. */
function asChunks(body: Uint8Array, trailers: Uint8Array, cut: boolean): Uint8Array {
  const size = body.length === 0 ? '' : `${body.length.toString(16)}\r\n`
  const after = body.length === 0 ? '' : '\r\n'
  if (cut) return concatBytes([latin1Bytes(size), asBuffer(body)])
  return concatBytes([latin1Bytes(size), body, latin1Bytes(`${after}0\r\n`), trailers, latin1Bytes('\r\n')])
}
