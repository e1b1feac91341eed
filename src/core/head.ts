import { latin1, latin1Bytes, LF } from './bytes.ts'

const COLON = 0x3a

/** One header line: name and value as received, value without the white space around it. */
export interface HeaderField {
  readonly name: string
  readonly value: string
}

/** The head of a message, parsed: start line and headers in order, duplicates kept, folded lines joined. */
export interface Head {
  readonly startLine: string
  readonly fields: readonly HeaderField[]
}

/**
 * Reads the bytes of a head. Takes what a decoder let through and what an import made up: it never fails; a line without
 * a colon becomes a field with an empty value. HTTP/2 heads, as text with pseudo-headers first, have an empty start line.
 */
export function parseHead(bytes: Uint8Array): Head {
  const lines = latin1(bytes).split(/\r?\n/)
  const pseudo = lines[0]?.startsWith(':') === true
  const startLine = pseudo ? '' : (lines[0] ?? '')
  const fields: HeaderField[] = []
  for (const line of pseudo ? lines : lines.slice(1)) {
    if (line === '') continue
    const last = fields.at(-1)
    if ((line.startsWith(' ') || line.startsWith('\t')) && last !== undefined) {
      fields[fields.length - 1] = { name: last.name, value: `${last.value} ${line.trim()}` }
      continue
    }
    const colon = line.indexOf(':', 1)
    if (colon < 0) fields.push({ name: line, value: '' })
    else fields.push({ name: line.slice(0, colon), value: line.slice(colon + 1).trim() })
  }
  return { startLine, fields }
}

/** The bytes of a head: the inverse of `parseHead` for heads without folded lines and odd white space. */
export function formatHead(head: Head): Uint8Array {
  let text = head.startLine === '' ? '' : `${head.startLine}\r\n`
  for (const field of head.fields) text += `${field.name}: ${field.value}\r\n`
  return latin1Bytes(`${text}\r\n`)
}

/** The first value of a header, its name compared without case; undefined where it is not there. */
export function headerValue(head: Head, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (const field of head.fields) if (field.name.toLowerCase() === wanted) return field.value
  return undefined
}

/** All values of a header, in order. */
export function headerValues(head: Head, name: string): readonly string[] {
  const wanted = name.toLowerCase()
  return head.fields.filter((field) => field.name.toLowerCase() === wanted).map((field) => field.value)
}

/** Method, target and version of a request's start line; '' for what is not there. */
export function requestLine(head: Head): { method: string; target: string; version: string } {
  if (head.startLine === '') {
    return { method: headerValue(head, ':method') ?? '', target: headerValue(head, ':path') ?? '', version: 'HTTP/2' }
  }
  const first = head.startLine.indexOf(' ')
  const last = head.startLine.lastIndexOf(' ')
  if (first < 0) return { method: head.startLine, target: '', version: '' }
  if (last === first)
    return { method: head.startLine.slice(0, first), target: head.startLine.slice(first + 1), version: '' }
  return {
    method: head.startLine.slice(0, first),
    target: head.startLine.slice(first + 1, last),
    version: head.startLine.slice(last + 1),
  }
}

/** The status code of a response's head, 0 where there is none. */
export function statusCode(head: Head): number {
  const text = head.startLine === '' ? (headerValue(head, ':status') ?? '') : (head.startLine.split(' ', 2)[1] ?? '')
  return /^\d{3}$/.test(text) ? Number(text) : 0
}

/** Where the line that `start` is in ends: behind its line feed, or at the end of the bytes. */
export function endOfLine(head: Buffer, start: number): number {
  return head.indexOf(LF, start) + 1 || head.length
}

/** Is the line at `start` a header of this name? `name` is in lower case and of letters and `-`; case does not count. */
export function isHeaderAt(head: Uint8Array, start: number, name: string): boolean {
  if (head[start + name.length] !== COLON) return false
  for (let index = 0; index < name.length; index++) {
    const character = head[start + index] ?? 0
    const folded = character >= 0x41 && character <= 0x5a ? character | 0x20 : character
    if (folded !== name.charCodeAt(index)) return false
  }
  return true
}
