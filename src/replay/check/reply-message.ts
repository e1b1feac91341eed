import { NO_BYTES } from '../../core/bytes.ts'
import type { Message } from '../../core/exchange.ts'
import { headerValues, parseHead } from '../../core/head.ts'
import { finalHead, withoutChunks } from '../correlate/reply-capture.ts'

/** The message in the bytes of a whole reply, its interim replies and its chunks taken off. Its body is a view where it can be. */
export function replyMessage(bytes: Uint8Array): Message {
  const { headStart, bodyStart } = finalHead(bytes)
  const head = bytes.subarray(headStart, bodyStart)
  const codings = headerValues(parseHead(head), 'transfer-encoding')
  const isChunked = codings.some((value) => /chunked\s*$/i.test(value))
  const body = isChunked ? withoutChunks(bytes.subarray(bodyStart)) : bytes.subarray(bodyStart)
  return { head, body, trailers: NO_BYTES, bodySize: body.length, cut: undefined }
}
