/**
 * Characters that a terminal obeys or hides instead of showing them: controls (C0, DEL, C1), what turns the direction of writing
 * (Unicode TR 9) or has no width, line and paragraph separators, and halves of surrogate pairs.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu

/**
 * One line of text as it may be shown to a person: `\x1b`, `\u202e` in place of what would move the cursor, change a colour or turn text
 * around. Names, routes and keys come out of recordings and files of others. For eyes only: it cannot be turned back.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, escaped)
}

/** The same for several lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n')
}

/** All of a text can be seen: nothing in it needs to be escaped for a terminal. */
export function isVisible(text: string): boolean {
  return text.search(UNSEEN) < 0
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`
  const hex = code.toString(16)
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`
}
