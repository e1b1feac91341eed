/** A value that a page hands to whoever submits its form or runs its script: a hidden input's, or a meta element's. */
export interface HtmlField {
  readonly name: string
  /** Where the attribute's value stands, without its quotes, as it is written: entities included. */
  readonly start: number
  readonly end: number
}

/** A longer tag is no field. */
const MAX_TAG_CHARS = 4_096

const TAG = /<(?:input|meta)[\s/]/gi
// A name without a value is passed over as a whole, and not tried again from each of its characters.
const ATTRIBUTE = /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>`]+)))?/g
const ENTITY = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/**
 * Finds `<input type="hidden" name= value=>` and `<meta name= content=>` in a page, without parsing it: a tag's attributes in any
 * order and quotes. Text in comments and scripts that looks like one is taken for one. Ends when `mostChars` of tags were read: those of
 * a hostile page hold each other.
 */
export function* htmlFields(text: string, mostChars: number = Infinity): Generator<HtmlField> {
  let left = mostChars
  for (const tag of text.matchAll(TAG)) {
    const from = tag.index + tag[0].length
    const end = endOfTag(text, from)
    left -= (end ?? Math.min(text.length, from + MAX_TAG_CHARS)) - from
    if (left < 0) return
    if (end === undefined) continue
    const field = fieldIn(text, from, end, tag[0].toLowerCase().startsWith('<meta'))
    if (field !== undefined) yield field
  }
}

function endOfTag(text: string, from: number): number | undefined {
  let quote = ''
  const limit = Math.min(text.length, from + MAX_TAG_CHARS)
  for (let index = from; index < limit; index++) {
    const char = text[index] ?? ''
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '>') return index
    else if (char === '"' || char === "'") quote = char
  }
  return undefined
}

function fieldIn(text: string, from: number, end: number, meta: boolean): HtmlField | undefined {
  let name = ''
  let hidden = meta
  let span: { start: number; end: number } | undefined
  for (const match of text.slice(from, end).matchAll(ATTRIBUTE)) {
    const value = match[2] ?? match[3] ?? match[4]
    if (value === undefined) continue
    const attribute = (match[1] ?? '').toLowerCase()
    if (attribute === 'name' || (meta && attribute === 'property')) name = decodeEntities(value)
    else if (attribute === 'type') hidden ||= value.toLowerCase() === 'hidden'
    else if (attribute === (meta ? 'content' : 'value')) {
      const closing = match[4] === undefined ? 1 : 0
      const valueEnd = from + match.index + match[0].length - closing
      span = { start: valueEnd - value.length, end: valueEnd }
    }
  }
  return hidden && name !== '' && span !== undefined ? { name, ...span } : undefined
}

/** Text without its character references, of which only those are known that attributes need. */
export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(ENTITY, (whole, decimal?: string, hex?: string, named?: string) => {
    if (named !== undefined) return NAMED[named.toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : whole
  })
}
