import { CR, LF } from '../../core/bytes.ts'
import { recogniseForeign } from '../foreign.ts'
import type { OpaqueReason } from '../protocol.ts'
import { isTlsRecord } from '../tls/client-hello.ts'
import { endOfPlain, endOfToken } from './characters.ts'
import { endOfEmptyLines, mayBeginRequest, meansHttp } from './start-line.ts'

/** Longest first line that is waited for before a client with a sound method is taken at its word. */
const MAX_FIRST_LINE_LENGTH = 8192

/** Longest malformed first line that is looked at: it is looked at again with each push. */
const MAX_MALFORMED_LINE_LENGTH = 256

/** May a connection with these first bytes of its client be HTTP/1? `none` of the others; its start line is still to be read. */
export function recogniseClient(bytes: Uint8Array): OpaqueReason | 'http1' | undefined {
  const foreign = recogniseForeign(bytes)
  if (foreign !== 'none') return foreign
  const from = endOfEmptyLines(bytes, 0, bytes.length)
  if (bytes[from] === CR && from + 1 === bytes.length) return undefined
  const methodEnd = endOfToken(bytes, from, bytes.length)
  if (mayBeginRequest(bytes, from, bytes.length)) return methodEnd < bytes.length ? 'http1' : undefined
  if (endOfPlain(bytes, methodEnd, methodEnd + 1) === methodEnd) return 'not-http'
  return recogniseMalformed(bytes, from)
}

/** A first line of text that is no request line (`GET/ HTTP/1.1`) is HTTP all the same if it says so: it is undecodable then. */
function recogniseMalformed(bytes: Uint8Array, from: number): 'http1' | 'not-http' | undefined {
  const lineEnd = bytes.subarray(from, from + MAX_MALFORMED_LINE_LENGTH).indexOf(LF)
  if (lineEnd >= 0) return meansHttp(bytes, from, from + lineEnd) ? 'http1' : 'not-http'
  return bytes.length - from >= MAX_MALFORMED_LINE_LENGTH ? 'not-http' : undefined
}

/** The same for a connection whose beginning was not seen; either direction. */
export function recogniseMidStream(bytes: Uint8Array): 'tls' | 'http1' | undefined {
  const tls = isTlsRecord(bytes)
  return tls === undefined ? undefined : tls ? 'tls' : 'http1'
}

/** Are these the first bytes of an HTTP/1 client? Its first line must name a version of HTTP. undefined: too few to tell. */
export function detectHttp1(head: Uint8Array): boolean | undefined {
  const client = recogniseClient(head)
  if (client !== 'http1') return client === undefined ? undefined : false
  const from = endOfEmptyLines(head, 0, head.length)
  const lineEnd = head.indexOf(LF, from)
  if (lineEnd < 0) return head.length - from > MAX_FIRST_LINE_LENGTH ? true : undefined
  return meansHttp(head, from, head[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd)
}
