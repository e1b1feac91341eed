/**
 * SQL without its values: literals become `$n`, counted on from the text's own parameters, comments go. One pass over the text,
 * so it can be done for every statement sent; names, keywords and layout stay.
 */
export function maskedSql(text: string): string {
  const token = new RegExp(TOKEN)
  let next = highestParameter(text) + 1
  let masked = ''
  let at = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    masked += text.slice(at, match.index)
    at = token.lastIndex
    const [found] = match
    if (found === '/*') {
      at = endOfComment(text, match.index)
      token.lastIndex = at
      masked += ' '
    } else if (found.startsWith('--')) masked += ' '
    else masked += isValue(found) ? `$${next++}` : found
  }
  return masked + text.slice(at)
}

/** Longest token first. A literal or comment that does not end takes the rest of the text: nothing of it may be shown. */
const TOKEN: RegExp = new RegExp(
  [
    String.raw`"[^"]*(?:""[^"]*)*(?:"|$)`, // quoted name
    String.raw`--[^\n]*`,
    String.raw`\/\*`, // comments nest: their end is found apart
    String.raw`\b[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*(?:'|\\?$)`,
    String.raw`(?:\b[bBxXnN]|\b[uU]&)?'[^']*(?:''[^']*)*(?:'|$)`,
    String.raw`(?<![\w$])\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[^]*?(?:\$\1\$|$)`, // dollar-quoted
    String.raw`\$\d+`, // parameter
    String.raw`[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*`, // name or keyword
    String.raw`(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?[\w]*`, // number, with radix or junk behind it
  ].join('|'),
  'g',
)

function isValue(token: string): boolean {
  const first = token.charCodeAt(0)
  if (first === DOUBLE_QUOTE) return false
  if (first === DOLLAR) return !isDigit(token.charCodeAt(1))
  return first === POINT || isDigit(first) || token.includes("'")
}

/** Behind the comment that begins at this place; the text's end where it does not end. */
function endOfComment(text: string, start: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = start
  let depth = 0
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return text.length
}

function highestParameter(text: string): number {
  let highest = 0
  for (const match of text.matchAll(/\$(\d{1,5})\b/g)) highest = Math.max(highest, Number(match[1]))
  return highest
}

const DOUBLE_QUOTE = 0x22
const DOLLAR = 0x24
const POINT = 0x2e

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
