import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'
import { asBuffer } from './bytes.ts'

/**
 * A body without its content coding (RFC 9110 8.4.1): gzip, deflate or br; the same bytes where there is none. A body that was cut
 * decodes as far as it goes, but for br. Undefined: a coding that we do not read, or broken, or longer than `maxBytes` inflated.
 */
export function decodeContent(body: Uint8Array, coding: string, maxBytes: number): Uint8Array | undefined {
  const name = coding.trim().toLowerCase()
  if (name === '' || name === 'identity') return body
  const limits = { maxOutputLength: maxBytes, finishFlush: constants.Z_SYNC_FLUSH }
  try {
    if (name === 'gzip' || name === 'x-gzip') return gunzipSync(asBuffer(body), limits)
    if (name === 'deflate') return inflateSync(asBuffer(body), limits)
    if (name === 'br') return brotliDecompressSync(asBuffer(body), { maxOutputLength: maxBytes })
  } catch {
    return undefined
  }
  return undefined
}
