import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import { latin1, latin1Bytes } from '../core/bytes.ts'
import { decodeContent } from '../core/content-coding.ts'
import { maskPairs } from './fields.ts'
import { maskHtml } from './html.ts'
import { maskJson } from './json.ts'
import { maskMultipart } from './multipart.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'
import { maskXml } from './xml.ts'

/** A body that inflates to more than this is withheld instead of masked: sixteen times the default `--max-body`. */
const MAX_DECODED_BYTES = 16 * 1024 * 1024

/** A body after masking; `withheld` where it may hold secrets and could not be read. */
export type MaskedBody = { readonly body: Uint8Array } | { readonly withheld: string }

/** How a body's text is written, as far as masking cares. */
type Form = 'json' | 'pairs' | 'json or pairs' | 'lines' | 'multipart' | 'xml' | 'html' | 'none'

/** So far into a body its first character that is not white space is looked for. */
const MAX_SNIFFED_BYTES = 1024

/** Types that say little: the text itself tells. */
const VAGUE_TYPES = ['text/plain', 'application/octet-stream']

/**
 * Masks the secret fields of a body by its content type and by how it begins, through its content coding. Latin-1 is used as one
 * character a byte, so that UTF-8 text passes unchanged.
 */
export function maskBody(
  body: Uint8Array,
  contentType: string,
  contentEncoding: string,
  rules: MaskRules,
  pseudonyms: Pseudonyms,
): MaskedBody {
  const type = contentType.toLowerCase()
  const kind = kindOf(type)
  if (kind === 'none' || body.length === 0) return { body }
  const coding = contentEncoding.trim().toLowerCase()
  const plain = decodeContent(body, coding, MAX_DECODED_BYTES)
  if (plain === undefined) {
    // Of what says little, only text is masked; a file in a coding of its own is none. Of a page hardly anything is.
    return kind === 'vague' || kind === 'html'
      ? { body }
      : { withheld: `a ${kind} body in the coding "${coding.slice(0, 40)}"` }
  }
  const form = formOf(kind, type, plain)
  if (form === 'none') return { body }
  if ((form === 'json' || form === 'xml') && isUtf16(plain)) return { withheld: `a ${form} body in UTF-16` }
  if (form === 'json' && !rules.mayHoldSecret(plain)) return { body }
  const text = latin1(plain)
  const masked = maskText(text, form, contentType, rules, pseudonyms)
  if (masked === text) return { body }
  return { body: encode(latin1Bytes(masked), coding) }
}

function maskText(text: string, form: Form, contentType: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (form === 'json') return maskJson(text, rules, pseudonyms)
  if (form === 'html') return maskHtml(text, rules, pseudonyms)
  if (form === 'xml') return maskXml(text, rules, pseudonyms)
  if (form === 'multipart') return maskMultipart(text, contentType, rules, pseudonyms)
  if (form === 'lines')
    return text.includes('=') && rules.mayNameSecret(text) ? maskPairs(text, rules, pseudonyms, '\n') : text
  const safe = form === 'json or pairs' ? maskJson(text, rules, pseudonyms) : text
  return maskPairs(safe, rules, pseudonyms)
}

function kindOf(type: string): 'json' | 'pairs' | 'multipart' | 'xml' | 'html' | 'vague' | 'none' {
  if (type.includes('json') || type.includes('graphql') || type.includes('event-stream')) return 'json'
  if (type.includes('x-www-form-urlencoded')) return 'pairs'
  if (type.includes('multipart/form-data')) return 'multipart'
  if (type.includes('html')) return 'html'
  if (/[/+.-]xml/.test(type)) return 'xml'
  return type === '' || VAGUE_TYPES.some((vague) => type.includes(vague)) ? 'vague' : 'none'
}

function formOf(kind: ReturnType<typeof kindOf>, type: string, plain: Uint8Array): Form {
  if (kind !== 'pairs' && kind !== 'vague') return kind
  const first = firstByte(plain)
  const json = first === 0x7b || first === 0x5b
  if (kind === 'pairs') return json ? 'json or pairs' : 'pairs'
  if (json) return 'json'
  if (first === 0x3c) return 'xml'
  return type.includes('octet-stream') ? 'none' : 'lines'
}

/** The first byte that is neither white space nor part of a byte order mark. */
function firstByte(body: Uint8Array): number {
  let index = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
  while (index < MAX_SNIFFED_BYTES) {
    const byte = body[index] ?? 0
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return byte
    index++
  }
  return 0
}

/** A byte order mark of UTF-16, or an ASCII character in it: names are not found in such a text. */
function isUtf16(body: Uint8Array): boolean {
  const [a = 0, b = 0] = body
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return true
  return body.length > 1 && (a === 0) !== (b === 0)
}

function encode(plain: Uint8Array, coding: string): Uint8Array {
  if (coding === 'gzip' || coding === 'x-gzip') return gzipSync(plain, { level: 1 })
  if (coding === 'br') return brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
  if (coding === 'deflate') return deflateSync(plain, { level: 1 })
  return plain
}
