import { isUtf8 } from 'node:buffer'
import { latin1, utf8 } from './bytes.ts'
import { isVisible } from './visible.ts'

const NAMED: Readonly<Record<string, string>> = { "'": "\\'", '\\': '\\\\' }

/**
 * These bytes as one word of a shell's command line, on one line and safe to look at. Plain text is quoted as every shell has it; what a
 * terminal would obey, and bytes that are no UTF-8, are escaped in `$'...'` (POSIX.1-2024 2.2.4; bash, zsh, ksh), in octal, whose length
 * is fixed where that of hexadecimal is not. The bytes hold no NUL: no word of a shell can.
 */
export function shellWord(bytes: Uint8Array): string {
  const isText = isUtf8(bytes)
  const text = isText ? utf8(bytes) : latin1(bytes)
  if (isText && isVisible(text)) return singleQuoted(text)
  let word = ''
  for (const character of text) {
    const shown = isText ? isVisible(character) : /[\x20-\x7e]/.test(character)
    word += NAMED[character] ?? (shown ? character : octal(Buffer.from(character, isText ? 'utf8' : 'latin1')))
  }
  return `$'${word}'`
}

/** Text without NUL as one word of any shell. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A word as one would type it: quoted where a shell would take it for something else. */
export function typedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : shellWord(Buffer.from(word))
}

function octal(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}
