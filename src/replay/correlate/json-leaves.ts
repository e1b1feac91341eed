const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c

/** Deeper values are not looked at. */
const MAX_DEPTH = 32

/** Of a longer name only its beginning is told: paths are made for every value below it. */
const MAX_NAME_CHARS = 256

const SIMPLE_NAME = /^[\w$-]+$/

/** What a bare value ends at: white space, a bracket, a comma, a colon or a quote. */
function endsBare(code: number): boolean {
  return code <= 0x20 || code === COMMA || code === COLON || code === QUOTE || code === 0x7d || code === 0x5d
}

/**
 * Takes a string or a number of a JSON text. `path`: `.order.items[2].id`, a name that is not a plain word in brackets and quotes.
 * `start` and `end`: where the value stands in the text, a string with its quotes. False ends the walk.
 */
export type TakeLeaf = (path: string, start: number, end: number, isString: boolean) => boolean

/** Where in the text one list or object is. */
interface Level {
  readonly path: string
  readonly isList: boolean
  index: number
}

/**
 * Walks the strings and numbers of a JSON text, also of a cut or slightly wrong one, without making objects of it: numbers of any
 * size stay as they are written. Literals (`true`, `null`) are passed over.
 */
export function walkJson(text: string, take: TakeLeaf): void {
  const levels: Level[] = []
  let level: Level | undefined
  let path = ''
  let index = 0
  while (index < text.length) {
    const code = text.charCodeAt(index)
    const start = index++
    if (code === 0x7b || code === 0x5b) {
      if (levels.length >= MAX_DEPTH) return
      level = { path, isList: code === 0x5b, index: 0 }
      levels.push(level)
      if (level.isList) path = `${level.path}[0]`
    } else if (code === 0x7d || code === 0x5d) {
      levels.pop()
      level = levels.at(-1)
    } else if (code === COMMA) {
      if (level?.isList === true) path = `${level.path}[${++level.index}]`
    } else if (code === QUOTE) {
      index = endOfString(text, start)
      if (level?.isList === false && isName(text, index))
        path = childPath(level.path, unquoted(text.slice(start, index)))
      else if (!take(path, start, index, true)) return
    } else if (code > 0x20 && code !== COLON) {
      while (index < text.length && !endsBare(text.charCodeAt(index))) index++
      const isNumber = code === 0x2d || (code >= 0x30 && code <= 0x39)
      if (isNumber && !take(path, start, index, false)) return
    }
  }
}

function childPath(parent: string, whole: string): string {
  const name = whole.length > MAX_NAME_CHARS ? whole.slice(0, MAX_NAME_CHARS) : whole
  return SIMPLE_NAME.test(name) ? `${parent}.${name}` : `${parent}[${JSON.stringify(name)}]`
}

/** Behind the quote that ends the string which begins at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let from = start + 1
  for (;;) {
    const quote = text.indexOf('"', from)
    if (quote < 0) return text.length
    let before = quote - 1
    while (text.charCodeAt(before) === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote + 1
    from = quote + 1
  }
}

/** A string is a name where the next character that is not white space is a colon. */
function isName(text: string, from: number): boolean {
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 0x20) return code === COLON
  }
  return false
}

/** The text of a JSON string with its quotes; as it is written where it is not valid. */
export function unquoted(token: string): string {
  if (!token.includes('\\')) return token.endsWith('"') && token.length > 1 ? token.slice(1, -1) : token.slice(1)
  try {
    const value: unknown = JSON.parse(token)
    return typeof value === 'string' ? value : token
  } catch {
    return token.slice(1)
  }
}
