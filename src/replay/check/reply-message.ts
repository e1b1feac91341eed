import { NO_BYTES } from '../../core/bytes.ts'
import type { Message } from '../../core/exchange.ts'
import { headerValues } from '../../core/head.ts'
import { finalHead, withoutChunks } from '../correlate/reply-capture.ts'

/** The message in the bytes of a whole reply, its interim replies and its chunks taken off. Its body is a view where it can be. */
export function replyMessage(bytes: Uint8Array): Message {
  const { head, headStart, bodyStart } = finalHead(bytes)
  const codings = headerValues(head, 'transfer-encoding')
  const isChunked = codings.some((value) => /chunked\s*$/i.test(value))
  const body = isChunked ? withoutChunks(bytes.subarray(bodyStart)) : bytes.subarray(bodyStart)
  return { head: bytes.subarray(headStart, bodyStart), body, trailers: NO_BYTES, bodySize: body.length, cut: undefined }
}
