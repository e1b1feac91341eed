/** A text's constants and what stands around them, found without the parser: for texts that differ in a value alone. */

/** A constant that another of its kind may stand for: the tokens around it stay what they are. */
export interface TemplateConstant {
  readonly kind: 'integer' | 'string'
  /** Offsets in the text, quotes included. */
  readonly start: number
  readonly end: number
}

export interface Template {
  readonly constants: readonly TemplateConstant[]
  /** The text with a mark for each constant: equal for two texts that are equal but for these. */
  readonly text: string
}

/** Longer texts are no lookups. */
const MAX_CHARACTERS = 4096
/** So many digits are surely an int4, whatever they are. */
const MAX_DIGITS = 9
const MARKS = { integer: '\u0001', string: '\u0002' } as const

/**
 * The template of a text; undefined where it has no constant, or anything that this simple scanner does not read: comments, dollar
 * quotes and parameters, strings with a prefix, an escape or a continuation, control characters. What it takes for a constant is one
 * for the parser too where the parser has found one in the same place of a text with the same template.
 */
export function templateOf(text: string): Template | undefined {
  if (text.length > MAX_CHARACTERS) return undefined
  const constants: TemplateConstant[] = []
  let marked = ''
  let copied = 0
  let at = 0
  while (at < text.length) {
    const end = tokenEnd(text, at)
    if (end === undefined) return undefined
    const kind = constantKind(text, at, end)
    if (kind !== undefined) {
      constants.push({ kind, start: at, end })
      marked += text.slice(copied, at) + MARKS[kind]
      copied = end
    }
    at = end
  }
  return constants.length === 0 ? undefined : { constants, text: marked + text.slice(copied) }
}

/** The constant's value as a parameter in text form has it. */
export function constantValue(text: string, { kind, start, end }: TemplateConstant): string {
  return kind === 'integer' ? text.slice(start, end) : text.slice(start + 1, end - 1)
}

const QUOTE = 0x27
const DOUBLE_QUOTE = 0x22
const DOLLAR = 0x24
const BACKSLASH = 0x5c

/** Behind the word, number, string, quoted name or single character that begins here; undefined: not to be read. */
function tokenEnd(text: string, at: number): number | undefined {
  const code = text.charCodeAt(at)
  if (isWordPart(code)) {
    let end = at + 1
    while (end < text.length && isWordPart(text.charCodeAt(end))) end++
    // E'..', X'..', U&'..' and the like are more than they look.
    return isStringStart(text, end) ? undefined : end
  }
  if (code === QUOTE) return stringEnd(text, at)
  if (code === DOUBLE_QUOTE) {
    const closed = text.indexOf('"', at + 1)
    return closed < 0 ? undefined : closed + 1
  }
  if (code === DOLLAR || code === BACKSLASH || (code < 0x20 && !isBlank(code))) return undefined
  if (text.startsWith('--', at) || text.startsWith('/*', at)) return undefined
  return at + 1
}

function isStringStart(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === QUOTE || code === DOLLAR || (code === 0x26 && text.charCodeAt(at + 1) === QUOTE)
}

/** A string without quotes and escapes in it, that nothing continues. */
function stringEnd(text: string, at: number): number | undefined {
  let end = at + 1
  for (; ; end++) {
    const code = text.charCodeAt(end)
    if (end >= text.length || code === BACKSLASH || code < 0x20) return undefined
    if (code === QUOTE) break
  }
  let next = end + 1
  while (next < text.length && isBlank(text.charCodeAt(next))) next++
  return text.charCodeAt(next) === QUOTE ? undefined : end + 1
}

function constantKind(text: string, start: number, end: number): TemplateConstant['kind'] | undefined {
  const code = text.charCodeAt(start)
  if (code === QUOTE) return 'string'
  if (!isDigit(code) || end - start > MAX_DIGITS) return undefined
  for (let at = start + 1; at < end; at++) if (!isDigit(text.charCodeAt(at))) return undefined
  // `1.5` and `.5` are numbers of another kind.
  return text.charCodeAt(end) === POINT || text.charCodeAt(start - 1) === POINT ? undefined : 'integer'
}

const POINT = 0x2e

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isWordPart(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || isDigit(code) || code === 0x5f || code >= 0x80
  )
}
