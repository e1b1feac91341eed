/** Text of HTML or SVG that may stand in a page as it is. Made by `element` alone, so that nothing unescaped gets into one. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What stands in an element: markup as it is, other texts escaped; undefined is left out. */
export type Content = Markup | string | undefined | readonly Content[]

type Attributes = Readonly<Record<string, string | number | undefined>>

/** HTML elements without an end; those of SVG may always have one. */
const VOID_ELEMENTS: ReadonlySet<string> = new Set(['br', 'col', 'hr', 'img', 'link', 'meta'])

/** An element of HTML or SVG. Attributes that are undefined are left out. */
export function element(name: string, attributes: Attributes = {}, ...content: readonly Content[]): Markup {
  let open = name
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) open += ` ${key}="${escaped(String(value))}"`
  }
  if (VOID_ELEMENTS.has(name)) return new Markup(`<${open}>`)
  return new Markup(`<${open}>${rendered(content)}</${name}>`)
}

function rendered(content: Content): string {
  if (content === undefined) return ''
  if (content instanceof Markup) return content.text
  if (typeof content === 'string') return escaped(content)
  let text = ''
  for (const part of content) text += rendered(part)
  return text
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '')
}
