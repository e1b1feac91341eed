import type { Pseudonyms } from './pseudonym.ts'
import type { MaskRules } from './rules.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
}

const CDATA = '<![CDATA['

/**
 * Masks secrets in XML, also in a cut or slightly wrong one: the text within elements that are named like a secret (whatever
 * their prefix), their `value`, and attributes that are named like one. One pass; every other byte stays.
 */
export function maskXml(text: string, rules: MaskRules, pseudonyms: Pseudonyms): string {
  if (!rules.mayNameSecret(text)) return text
  return new XmlMask(text, rules, pseudonyms).mask()
}

class XmlMask {
  readonly #text: string
  readonly #rules: MaskRules
  readonly #pseudonyms: Pseudonyms
  #masked = ''
  #copied = 0
  /** The secret element that we are in, and how many of that name are open. */
  #secret = ''
  #open = 0

  constructor(text: string, rules: MaskRules, pseudonyms: Pseudonyms) {
    this.#text = text
    this.#rules = rules
    this.#pseudonyms = pseudonyms
  }

  mask(): string {
    const text = this.#text
    let index = 0
    while (index < text.length) {
      const tag = this.#find('<', index)
      if (this.#open > 0) this.#replace(index, tag)
      if (tag === text.length) break
      if (text.startsWith('<!--', tag)) index = this.#find('-->', tag) + 3
      else if (text.startsWith(CDATA, tag)) index = this.#skipCharacterData(tag + CDATA.length)
      else if (text[tag + 1] === '?' || text[tag + 1] === '!') index = this.#find('>', tag) + 1
      else if (text[tag + 1] === '/') index = this.#closeElement(tag + 2)
      else index = this.#openElement(tag + 1)
    }
    return this.#copied === 0 ? text : this.#masked + text.slice(this.#copied)
  }

  #find(what: string, from: number): number {
    const at = this.#text.indexOf(what, from)
    return at < 0 ? this.#text.length : at
  }

  #skipCharacterData(start: number): number {
    const end = this.#find(']]>', start)
    if (this.#open > 0) this.#replace(start, end)
    return end + 3
  }

  #closeElement(start: number): number {
    const end = this.#find('>', start)
    if (this.#open > 0 && localName(this.#text.slice(start, end)) === this.#secret) this.#open--
    return end + 1
  }

  #openElement(start: number): number {
    let index = this.#endOfName(start)
    const name = localName(this.#text.slice(start, index))
    const secret = this.#rules.field(name)
    for (;;) {
      while (index < this.#text.length && isSpace(this.#text.charCodeAt(index))) index++
      const char = this.#text[index]
      if (char === undefined || char === '>' || char === '<') break
      index = char === '/' || char === '=' ? index + 1 : this.#attribute(index, secret)
    }
    const closed = this.#text[index - 1] === '/' || this.#text[index] === undefined
    if (!closed && this.#open === 0 && secret) {
      this.#secret = name
      this.#open = 1
    } else if (!closed && this.#open > 0 && name === this.#secret) {
      this.#open++
    }
    return this.#text[index] === '<' ? index : index + 1
  }

  /** Passes over an attribute, and masks its value where that is a secret. */
  #attribute(start: number, secretElement: boolean): number {
    const nameEnd = this.#endOfName(start)
    let index = nameEnd
    while (isSpace(this.#text.charCodeAt(index))) index++
    if (this.#text[index] !== '=') return Math.max(nameEnd, start + 1)
    index++
    while (isSpace(this.#text.charCodeAt(index))) index++
    const quote = this.#text[index]
    const quoted = quote === '"' || quote === "'"
    const valueStart = quoted ? index + 1 : index
    const valueEnd = quoted ? this.#find(quote, valueStart) : this.#endOfName(index)
    const name = this.#text.slice(start, nameEnd)
    const local = localName(name)
    const secret = this.#rules.field(local) || (secretElement && local.toLowerCase() === 'value')
    if (secret && !name.startsWith('xmlns')) this.#replace(valueStart, valueEnd)
    return quoted ? valueEnd + 1 : Math.max(valueEnd, start + 1)
  }

  #endOfName(start: number): number {
    let index = start
    while (index < this.#text.length && !endsName(this.#text.charCodeAt(index))) index++
    return index
  }

  /** Puts a pseudonym in the place of a text; white space around it stays. */
  #replace(start: number, end: number): void {
    const raw = this.#text.slice(start, end)
    const from = start + raw.length - raw.trimStart().length
    const to = start + raw.trimEnd().length
    if (from >= to) return
    const value = unescaped(this.#text.slice(from, to))
    const masked = this.#pseudonyms.maskValue(value)
    if (masked === value) return
    this.#masked += this.#text.slice(this.#copied, from) + masked
    this.#copied = to
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** White space, `/`, `=`, `<` and `>`. */
function endsName(code: number): boolean {
  return isSpace(code) || code === 0x2f || (code >= 0x3c && code <= 0x3e)
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1).trim()
}

function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(/&(?:amp|lt|gt|quot|apos);/g, (entity) => ENTITIES[entity] ?? entity)
}
