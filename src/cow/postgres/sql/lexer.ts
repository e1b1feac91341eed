/** The scanner behind `Tokens`: PostgreSQL 18's scan.l by hand, one pass, no copies of the text. */

/** What a lexer fills: parallel arrays, for a text of 10 MB has millions of tokens. */
export interface TokenArrays {
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Index into TOKEN_KINDS of tokens.ts. */
  readonly kinds: Uint8Array
  /** Open parentheses, brackets and CASEs around the token; the opening and closing token count as outside. */
  readonly depths: Int32Array
  readonly count: number
  /** Offsets of what the parser cannot read, or slowly: comments between the parts of one string, and inside comments that nest. Start and end by turns. */
  readonly joints: readonly number[]
  /** The longest run of characters of operators: the parser's time grows with its square. */
  readonly longestRun: number
}

const WORD = 0
const QUOTED = 1
const STRING = 2
const NUMBER = 3
const PARAMETER = 4
const OPERATOR = 5
const SIGN = 6

const NUMERAL =
  /0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*(?:\.(?!\.)(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][-+]?[0-9](?:_?[0-9])*)?/y
const DOLLAR_QUOTE = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*)?\$/y
const PARAMETER_NAME = /\$[0-9]+/y
const OPERATOR_CHARACTERS = '~!@#^&|`?+-*/%<>='
/** An operator that ends in + or - must hold one of these; otherwise the sign is a token of its own. */
const FREE_OPERATOR_CHARACTERS = '~!@#^&|`?%'

/** Characters of operators in a row: where they end, and the last places of what decides where one of the operators does. */
interface OperatorRun {
  readonly end: number
  readonly lastFree: number
  readonly lastUnsigned: number
}

/** Growable parallel arrays, and the depth that follows parentheses, brackets and CASE .. END. */
class Sink {
  starts: Int32Array
  ends: Int32Array
  kinds: Uint8Array
  depths: Int32Array
  count = 0
  readonly joints: number[] = []
  longestRun = 0
  /** What stands around the last operator. */
  run: OperatorRun = { end: 0, lastFree: -1, lastUnsigned: -1 }
  /** What is open, as the word or sign that opened it. */
  readonly #open: string[] = []

  constructor(room: number) {
    this.starts = new Int32Array(room)
    this.ends = new Int32Array(room)
    this.kinds = new Uint8Array(room)
    this.depths = new Int32Array(room)
  }

  add(kind: number, start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow()
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.kinds[this.count] = kind
    this.depths[this.count] = this.#open.length
    this.count++
  }

  open(what: string): void {
    this.#open.push(what)
  }

  /** Closes the innermost of its kind: an END without CASE (BEGIN ATOMIC .. END) closes nothing. */
  close(what: string): void {
    if (what === ')' || what === ']') while (this.#open.at(-1) === 'case') this.#open.pop()
    else if (this.#open.at(-1) !== 'case') return
    this.#open.pop()
  }

  #grow(): void {
    const room = this.starts.length * 2
    this.starts = extended(this.starts, new Int32Array(room))
    this.ends = extended(this.ends, new Int32Array(room))
    this.depths = extended(this.depths, new Int32Array(room))
    this.kinds = extended(this.kinds, new Uint8Array(room))
  }
}

function extended<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** All tokens of a text. An unterminated string, comment or identifier ends at the end of the text. */
export function scanText(text: string): TokenArrays {
  const sink = new Sink(Math.max(16, Math.min(1 << 16, text.length >> 2)))
  let at = 0
  while (at < text.length) at = scanOne(text, at, sink)
  const { starts, ends, kinds, depths, count, joints, longestRun } = sink
  return { starts, ends, kinds, depths, count, joints, longestRun }
}

/** Takes one token, comment or run of blanks; gives where the next begins. */
function scanOne(text: string, at: number, sink: Sink): number {
  const code = text.charCodeAt(at)
  if (isBlank(code)) return at + 1
  const comment = endOfComment(text, at, sink)
  if (comment !== at) return comment
  if (isWordStart(code)) return scanWord(text, at, sink)
  if (isDigit(code) || (code === 46 && isDigit(text.charCodeAt(at + 1)))) {
    return take(sink, NUMBER, at, matchEnd(NUMERAL, text, at) ?? at + 1)
  }
  if (code === 39) return take(sink, STRING, at, endOfString(text, at, sink, 'plain'))
  if (code === 34) return take(sink, QUOTED, at, endOfQuoted(text, at))
  if (code === 36) return scanDollar(text, at, sink)
  if (text.startsWith('::', at) || text.startsWith(':=', at) || text.startsWith('..', at)) {
    return take(sink, OPERATOR, at, at + 2)
  }
  if (OPERATOR_CHARACTERS.includes(text.charAt(at))) return take(sink, OPERATOR, at, endOfOperator(text, at, sink))
  return scanSign(text, at, sink)
}

function take(sink: Sink, kind: number, start: number, end: number): number {
  sink.add(kind, start, end)
  return end
}

function scanSign(text: string, at: number, sink: Sink): number {
  const sign = text.charAt(at)
  if (sign === ')' || sign === ']') sink.close(sign)
  sink.add(SIGN, at, at + 1)
  if (sign === '(' || sign === '[') sink.open(sign)
  return at + 1
}

function scanWord(text: string, at: number, sink: Sink): number {
  const next = text.charCodeAt(at + 1)
  const letter = text.charCodeAt(at) | 32
  if (next === 39 && (letter === 98 || letter === 120 || letter === 110)) {
    // B'..', X'..', N'..': the prefix of N is a token of its own in scan.l, and is none of our business.
    return take(sink, STRING, at, endOfString(text, at + 1, sink, letter === 110 ? 'plain' : 'bits'))
  }
  if (next === 39 && letter === 101) return take(sink, STRING, at, endOfString(text, at + 1, sink, 'escapes'))
  if (next === 38 && letter === 117) {
    const quote = text.charCodeAt(at + 2)
    if (quote === 39) return take(sink, STRING, at, endOfString(text, at + 2, sink, 'plain'))
    if (quote === 34) return take(sink, QUOTED, at, endOfQuoted(text, at + 2))
  }
  let end = at + 1
  while (end < text.length && isWordPart(text.charCodeAt(end))) end++
  const label = text.charCodeAt(at - 1) === 46 || isLabel(text, sink)
  const length = end - at
  const closes = !label && length === 3 && text.slice(at, end).toLowerCase() === 'end'
  if (closes) sink.close('end')
  sink.add(WORD, at, end)
  if (!label && length === 4 && text.slice(at, end).toLowerCase() === 'case') sink.open('case')
  return end
}

/** The word stands after AS or a dot, so that it is a name whatever it says. */
function isLabel(text: string, sink: Sink): boolean {
  const last = sink.count - 1
  if (last < 0) return false
  const before = text.slice(sink.starts[last], sink.ends[last])
  return before === '.' || (before.length === 2 && before.toLowerCase() === 'as')
}

function scanDollar(text: string, at: number, sink: Sink): number {
  const parameter = matchEnd(PARAMETER_NAME, text, at)
  if (parameter !== undefined) return take(sink, PARAMETER, at, parameter)
  const opened = matchEnd(DOLLAR_QUOTE, text, at)
  if (opened === undefined) return take(sink, SIGN, at, at + 1)
  const quote = text.slice(at, opened)
  const closed = text.indexOf(quote, opened)
  return take(sink, STRING, at, closed === -1 ? text.length : closed + quote.length)
}

function endOfComment(text: string, at: number, sink: Sink): number {
  if (text.startsWith('--', at)) return endOfLine(text, at)
  if (!text.startsWith('/*', at)) return at
  let depth = 1
  let deepest = 1
  let end = at + 2
  while (end < text.length && depth > 0) {
    if (text.startsWith('/*', end)) deepest = Math.max(deepest, ++depth)
    else if (text.startsWith('*/', end)) depth--
    else {
      end++
      continue
    }
    end += 2
  }
  if (deepest > 1) sink.joints.push(at + 2, depth === 0 ? end - 2 : end)
  return end
}

/** The next newline, or the end of the text. */
function endOfLine(text: string, at: number): number {
  let end = at
  while (end < text.length && !isNewline(text.charCodeAt(end))) end++
  return end
}

/**
 * After the string whose opening quote is at `at`, with its continuations. A quote inside is doubled, but in bits there is
 * none; a backslash escapes in E'..' alone.
 */
function endOfString(text: string, at: number, sink: Sink, kind: 'plain' | 'escapes' | 'bits'): number {
  let end = at + 1
  while (end < text.length) {
    const code = text.charCodeAt(end)
    if (kind === 'escapes' && code === 92) end += 2
    else if (code !== 39) end++
    else if (kind !== 'bits' && text.charCodeAt(end + 1) === 39) end += 2
    else {
      const comments: number[] = []
      const continued = endOfJoint(text, end + 1, comments)
      if (continued === undefined) return end + 1
      for (const offset of comments) sink.joints.push(offset)
      end = continued
    }
  }
  return text.length
}

/**
 * After the quote by which a string goes on: behind blanks and comments of one line that hold a newline (scan.l, `quotecontinue`).
 * Without going back, which a pattern would do for each dash of a comment.
 */
function endOfJoint(text: string, at: number, comments: number[]): number | undefined {
  let end = at
  let isNextLine = false
  for (;;) {
    const code = text.charCodeAt(end)
    if (isNewline(code)) isNextLine = true
    else if (code === 39) return isNextLine ? end + 1 : undefined
    else if (text.startsWith('--', end)) {
      const line = endOfLine(text, end)
      if (line === text.length) return undefined
      comments.push(end, line)
      isNextLine = true
      end = line
    } else if (!isBlank(code)) return undefined
    end++
  }
}

function endOfQuoted(text: string, at: number): number {
  let end = at + 1
  while (end < text.length) {
    const quote = text.indexOf('"', end)
    if (quote === -1) return text.length
    if (text.charCodeAt(quote + 1) !== 34) return quote + 1
    end = quote + 2
  }
  return text.length
}

/** The longest operator that does not end in a sign of its own. */
function endOfOperator(text: string, at: number, sink: Sink): number {
  if (at >= sink.run.end) sink.run = operatorRun(text, at)
  const { end, lastFree, lastUnsigned } = sink.run
  sink.longestRun = Math.max(sink.longestRun, end - at)
  return lastFree >= at ? end : Math.max(at, lastUnsigned) + 1
}

function operatorRun(text: string, at: number): OperatorRun {
  let end = at
  let lastFree = -1
  let lastUnsigned = -1
  while (end < text.length && OPERATOR_CHARACTERS.includes(text.charAt(end))) {
    if (end > at && (text.startsWith('--', end) || text.startsWith('/*', end))) break
    const character = text.charAt(end)
    if (FREE_OPERATOR_CHARACTERS.includes(character)) lastFree = end
    if (character !== '+' && character !== '-') lastUnsigned = end
    end++
  }
  return { end, lastFree, lastUnsigned }
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

function isNewline(code: number): boolean {
  return code === 10 || code === 13
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isWordStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code >= 128
}

function isWordPart(code: number): boolean {
  return isWordStart(code) || isDigit(code) || code === 36
}
