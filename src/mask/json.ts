import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** What a bare value ends at: white space, a bracket, a comma, a colon or a quote. */
const ENDS_BARE = new Set(Array.from(' \t\r\n{}[],:"', (char) => char.charCodeAt(0)))

/**
 * Masks the values of secret fields in JSON, also in a cut or slightly wrong one: it walks tokens once and splices, so that every
 * other byte stays as it was received. A secret field that holds a list or an object has all strings and numbers in it
 * masked. Numbers become strings: a pseudonym is not a number. A string that does not end runs to the end of the text.
 */
export function maskJson(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  let masked = ''
  let copied = 0
  let depth = 0
  let secretDepth = -1
  let secretName = false
  let candidate = ''
  let index = 0
  while (index < text.length) {
    const code = text.charCodeAt(index)
    const start = index++
    if (code === 0x7b || code === 0x5b) {
      if (secretDepth < 0 && secretName) secretDepth = depth
      depth++
      secretName = false
    } else if (code === 0x7d || code === 0x5d) {
      depth--
      if (depth <= secretDepth) secretDepth = -1
      secretName = false
    } else if (code === 0x3a) {
      secretName = candidate !== '' && rules.field(candidate)
      candidate = ''
    } else if (code === 0x2c) {
      secretName = false
    } else if (code === QUOTE) {
      index = endOfString(text, start)
      if (isName(text, index)) {
        candidate = unquote(text.slice(start, index))
      } else if (secretDepth >= 0 || secretName) {
        masked += text.slice(copied, start) + maskString(text.slice(start, index), pseudonyms)
        copied = index
      }
    } else if ((secretDepth >= 0 || secretName) && !ENDS_BARE.has(code)) {
      while (index < text.length && !ENDS_BARE.has(text.charCodeAt(index))) index++
      const bare = text.slice(start, index)
      if (bare === 'true' || bare === 'false' || bare === 'null') continue
      masked += `${text.slice(copied, start)}"${pseudonyms.maskValue(bare)}"`
      copied = index
    }
  }
  return copied === 0 ? text : masked + text.slice(copied)
}

/** Behind the quote that ends the string which begins at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let index = start + 1
  while (index < text.length) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) return index + 1
    index += code === BACKSLASH ? 2 : 1
  }
  return text.length
}

/** A string is a name where the next character that is not white space is a colon. */
function isName(text: string, from: number): boolean {
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code !== 0x20 && code !== 0x09 && code !== 0x0d && code !== 0x0a) return code === 0x3a
  }
  return false
}

/** Masks a string with its quotes; one that is cut stays without its last quote. */
function maskString(token: string, pseudonyms: Pseudonyms): string {
  const value = unquote(token)
  if (value === '') return token
  const masked = pseudonyms.maskValue(value)
  if (masked === value) return token
  return isClosed(token) ? `"${masked}"` : `"${masked}`
}

/** Does the last quote end the string, or is it the first one, or escaped? */
function isClosed(token: string): boolean {
  if (token.length < 2 || token.charCodeAt(token.length - 1) !== QUOTE) return false
  let index = token.length - 2
  while (token.charCodeAt(index) === BACKSLASH) index--
  return (token.length - 2 - index) % 2 === 0
}

function unquote(token: string): string {
  const closed = isClosed(token)
  const inner = closed ? token.slice(1, -1) : token.slice(1)
  if (!inner.includes('\\')) return inner
  try {
    return String(JSON.parse(closed ? token : `${token}"`))
  } catch {
    return inner
  }
}
