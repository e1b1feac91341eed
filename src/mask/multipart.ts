import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'
import { maskJson } from './json.ts'

/** RFC 2046 5.1.1 allows 70 characters. A longer boundary is not searched for. */
const MAX_BOUNDARY_CHARS = 200

/**
 * Masks secret fields of a multipart/form-data body (RFC 7578), given as one character a byte: also files whose field is
 * named like a secret, and secret fields of parts that are JSON. The boundary is the one of the content type where the body has
 * it, else the first line of the body that begins with `--`.
 */
export function maskMultipart(text: string, contentType: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  const delimiter = delimiterOf(text, contentType)
  let masked = ''
  let copied = 0
  let partStart = delimiter === '' ? 0 : endOfDelimiter(text, nextDelimiter(text, delimiter, 0))
  while (partStart < text.length) {
    const next = delimiter === '' ? text.length : nextDelimiter(text, delimiter, partStart)
    const valueStart = endOfHeaders(text, partStart, next)
    const valueEnd = next < text.length ? beforeLineEnd(text, next) : next
    if (valueStart < valueEnd) {
      const value = text.slice(valueStart, valueEnd)
      const secret = rules.field(nameOf(text.slice(partStart, valueStart)))
      const changed = secret ? pseudonyms.maskValue(value) : maskInside(value, rules, pseudonyms)
      if (changed !== value) {
        masked += text.slice(copied, valueStart) + changed
        copied = valueEnd
      }
    }
    partStart = endOfDelimiter(text, next)
  }
  return copied === 0 ? text : masked + text.slice(copied)
}

function maskInside(value: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  return /^\s*[{[]/.test(value.slice(0, 64)) ? maskJson(value, rules, pseudonyms) : value
}

function delimiterOf(text: string, contentType: string): string {
  const at = contentType.toLowerCase().indexOf('boundary=')
  if (at >= 0) {
    const rest = contentType.slice(at + 'boundary='.length, at + MAX_BOUNDARY_CHARS + 16)
    const boundary = rest.startsWith('"') ? rest.slice(1).split('"', 1)[0] : rest.split(/[;,\s]/, 1)[0]
    if (boundary !== undefined && boundary !== '' && boundary.length <= MAX_BOUNDARY_CHARS) {
      const delimiter = `--${boundary}`
      if (nextDelimiter(text, delimiter, 0) < text.length) return delimiter
    }
  }
  const start = text.startsWith('--') ? 0 : text.indexOf('\n--') + 1
  if (!text.startsWith('--', start)) return ''
  return text.slice(start, Math.min(lineEnd(text, start), start + MAX_BOUNDARY_CHARS)).trimEnd()
}

/** Where the next line starts that is the delimiter, or the delimiter and `--`; the end of the text where there is none. */
function nextDelimiter(text: string, delimiter: string, from: number): number {
  let at = text.indexOf(delimiter, from)
  while (at >= 0) {
    const behind = text.charCodeAt(at + delimiter.length)
    const ends = Number.isNaN(behind) || behind <= 0x20 || text.startsWith('--', at + delimiter.length)
    if (ends && (at === 0 || text[at - 1] === '\n')) return at
    at = text.indexOf(delimiter, at + 1)
  }
  return text.length
}

function endOfDelimiter(text: string, delimiter: number): number {
  return lineEnd(text, delimiter) + 1
}

function lineEnd(text: string, from: number): number {
  const feed = text.indexOf('\n', from)
  return feed < 0 ? text.length : feed
}

/** Behind the empty line that ends the headers of a part; its end where there is none. */
function endOfHeaders(text: string, start: number, end: number): number {
  let line = start
  while (line < end) {
    const feed = lineEnd(text, line)
    if (feed === line || (feed === line + 1 && text[line] === '\r')) return feed + 1
    line = feed + 1
  }
  return end
}

/** Before the line end that belongs to the delimiter at `delimiter`. */
function beforeLineEnd(text: string, delimiter: number): number {
  return text[delimiter - 2] === '\r' ? delimiter - 2 : delimiter - 1
}

/** The `name` parameter of a part's Content-Disposition, quoted or not; '' where there is none. */
function nameOf(headers: string): string {
  const lower = headers.toLowerCase()
  const start = lower.indexOf('content-disposition')
  if (start < 0) return ''
  let name = ''
  for (const parameter of parametersOf(headers.slice(start))) {
    const equals = parameter.indexOf('=')
    const key = parameter.slice(0, Math.max(equals, 0)).trim().toLowerCase()
    if (key !== 'name' && key !== 'name*') continue
    const value =
      parameter
        .slice(equals + 1)
        .split(/[\r\n]/, 1)[0]
        ?.trim() ?? ''
    name = value.startsWith('"') ? value.slice(1).split('"', 1).join('') : value.slice(value.lastIndexOf("'") + 1)
    break
  }
  return name.includes('%') ? decoded(name) : name
}

/** What stands between semicolons that are not within quotes. */
function* parametersOf(text: string): Generator<string> {
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (char === '"') quoted = !quoted
    else if (quoted && char === '\\') index++
    else if (char === ';' && !quoted) {
      yield text.slice(start, index)
      start = index + 1
    }
  }
  yield text.slice(start)
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
