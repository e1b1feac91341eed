import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib'
import { asBuffer, latin1, latin1Bytes } from '../core/bytes.ts'
import { maskMultipart, maskPairs } from './fields.ts'
import { maskJson } from './json.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/** A body that inflates to more than this is withheld instead of masked: sixteen times the default `--max-body`. */
const MAX_DECODED_BYTES = 16 * 1024 * 1024

/** A body after masking; `withheld` where it may hold secrets and could not be read. */
export type MaskedBody = { readonly body: Uint8Array } | { readonly withheld: string }

/** How a body's text is written, as far as masking cares. */
type Form = 'json' | 'pairs' | 'multipart' | 'none'

/**
 * Masks the secret fields of a body by its content type, through its content coding. Latin-1 is used as one character a byte, so
 * that UTF-8 text passes unchanged.
 */
export function maskBody(
  body: Uint8Array,
  contentType: string,
  contentEncoding: string,
  rules: MaskRules,
  pseudonyms: Pseudonyms,
): MaskedBody {
  const form = formOf(contentType, body)
  if (form === 'none' || body.length === 0) return { body }
  const coding = contentEncoding.trim().toLowerCase()
  const plain = decode(body, coding)
  if (plain === undefined) return { withheld: `a ${form} body in the coding "${coding.slice(0, 40)}"` }
  const text = latin1(plain)
  const masked = maskText(text, form, rules, pseudonyms)
  if (masked === text) return { body }
  return { body: encode(latin1Bytes(masked), coding) }
}

function maskText(text: string, form: Form, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (form === 'json') return maskJson(text, rules, pseudonyms)
  if (form === 'pairs') return maskPairs(text, rules, pseudonyms)
  return maskMultipart(text, rules, pseudonyms)
}

function formOf(contentType: string, body: Uint8Array): Form {
  const type = contentType.toLowerCase()
  if (/\bjson\b|\bgraphql\b|event-stream/.test(type)) return 'json'
  if (type.includes('x-www-form-urlencoded')) return 'pairs'
  if (type.includes('multipart/form-data')) return 'multipart'
  const untyped = type === '' || type.startsWith('text/plain')
  return untyped && (body[0] === 0x7b || body[0] === 0x5b) ? 'json' : 'none'
}

/** A cut body decodes as far as it goes. undefined: a coding we do not read, or broken, or a bomb. */
function decode(body: Uint8Array, coding: string): Uint8Array | undefined {
  if (coding === '' || coding === 'identity') return body
  const limits = { maxOutputLength: MAX_DECODED_BYTES, finishFlush: constants.Z_SYNC_FLUSH }
  try {
    if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(asBuffer(body), limits)
    if (coding === 'deflate') return inflateSync(asBuffer(body), limits)
    if (coding === 'br') return brotliDecompressSync(asBuffer(body), { maxOutputLength: MAX_DECODED_BYTES })
  } catch {
    return undefined
  }
  return undefined
}

function encode(plain: Uint8Array, coding: string): Uint8Array {
  if (coding === 'gzip' || coding === 'x-gzip') return gzipSync(plain, { level: 1 })
  if (coding === 'br') return brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
  if (coding === 'deflate') return deflateSync(plain, { level: 1 })
  return plain
}
