import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/** Masks the value of every cookie of a Cookie header, also of one without a name. Names and separators stay. */
export function maskCookies(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  let masked = ''
  let start = 0
  while (start < text.length) {
    const end = endOfCookie(text, start)
    masked += maskCookie(text.slice(start, end), rules, pseudonyms) + text.slice(end, end + 1)
    start = end + 1
  }
  return masked
}

/** Masks a Set-Cookie header: only the first pair is the cookie; the rest are its attributes (RFC 6265 4.1.1). */
export function maskSetCookie(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const end = endOfCookie(text, 0)
  return maskCookie(text.slice(0, end), rules, pseudonyms) + text.slice(end)
}

/** Where the `;` behind a cookie is; one within a quoted value is part of that. */
function endOfCookie(text: string, start: number): number {
  const semicolon = text.indexOf(';', start)
  if (semicolon < 0) return text.length
  const equals = text.slice(start, semicolon).indexOf('=')
  if (equals < 0) return semicolon
  const opening = skipSpace(text, start + equals + 1)
  if (text[opening] !== '"') return semicolon
  const closing = text.indexOf('"', opening + 1)
  const end = closing < 0 ? -1 : skipSpace(text, closing + 1)
  return end === text.length || text[end] === ';' ? end : semicolon
}

function skipSpace(text: string, from: number): number {
  let index = from
  while (text[index] === ' ' || text[index] === '\t') index++
  return index
}

function maskCookie(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const equals = text.indexOf('=')
  if (!rules.cookie(text.slice(0, Math.max(equals, 0)).trim())) return text
  const raw = text.slice(equals + 1)
  let start = raw.length - raw.trimStart().length
  let end = Math.max(start, raw.trimEnd().length)
  if (end - start >= 2 && raw[start] === '"' && raw[end - 1] === '"') {
    start++
    end--
  }
  const value = decodedCookie(raw.slice(start, end))
  const masked = pseudonyms.maskValue(value)
  if (masked === value) return text
  return text.slice(0, equals + 1) + raw.slice(0, start) + masked.replaceAll(' ', '%20') + raw.slice(end)
}

/** An escaped value is named by what it stands for. */
export function decodedCookie(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
