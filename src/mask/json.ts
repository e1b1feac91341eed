import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

/** One token of JSON that matters here: a string, a number, or a bracket. Everything else is passed over. */
const TOKEN = /"(?:[^"\\]|\\[\s\S])*"|-?\d[\d.eE+-]*|[{}[\]:,]/g

/**
 * Masks the values of secret fields in JSON, also in a cut or slightly wrong one: it walks tokens and splices, so that every
 * other byte stays as it was received. A secret field that holds a list or an object has all strings and numbers in it
 * masked. Numbers become strings: a pseudonym is not a number.
 */
export function maskJson(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (!rules.mayHoldSecret(text)) return text
  let masked = ''
  let copied = 0
  let depth = 0
  let secretDepth = -1
  let name: string | undefined
  let candidate: string | undefined
  const matches = text.matchAll(TOKEN)
  for (const match of matches) {
    const [token] = match
    if (token === '{' || token === '[') {
      if (secretDepth < 0 && name !== undefined && rules.field(name)) secretDepth = depth
      depth++
      name = undefined
    } else if (token === '}' || token === ']') {
      depth--
      if (depth <= secretDepth) secretDepth = -1
      name = undefined
    } else if (token === ':') {
      name = candidate
    } else if (token === ',') {
      name = undefined
    } else if (isName(text, match.index + token.length)) {
      candidate = unquote(token)
    } else if (secretDepth >= 0 || (name !== undefined && rules.field(name))) {
      const value = unquote(token)
      if (value === '') continue
      masked += `${text.slice(copied, match.index)}"${pseudonyms.maskValue(value)}"`
      copied = match.index + token.length
    }
  }
  return copied === 0 ? text : masked + text.slice(copied)
}

/** A string is a name where the next character that is not white space is a colon. */
function isName(text: string, from: number): boolean {
  let index = from
  while (index < text.length && ' \t\r\n'.includes(text.charAt(index))) index++
  return text.charAt(index) === ':'
}

function unquote(token: string): string {
  if (!token.startsWith('"')) return token
  if (!token.includes('\\')) return token.slice(1, -1)
  try {
    return String(JSON.parse(token))
  } catch {
    return token.slice(1, -1)
  }
}
