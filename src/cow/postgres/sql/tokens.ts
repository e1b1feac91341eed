/**
 * The tokens of a text by PostgreSQL's lexical rules (PostgreSQL 18, src/backend/parser/scan.l, with
 * standard_conforming_strings on). The tree has only where things start; where a clause ends is told by tokens at the
 * same depth. Of our own because the parser's `scan` writes some 130 bytes of JSON a token, counts in UTF-8 bytes, and
 * is needed here for texts too big to parse whole; a property test holds the two together.
 */
import type { TokenArrays } from './lexer.ts'
import { scanText } from './lexer.ts'

/** What a token is: `word` is an unquoted identifier or keyword, `sign` a character that stands for itself. */
export const TOKEN_KINDS = ['word', 'quoted', 'string', 'number', 'parameter', 'operator', 'sign'] as const

export type TokenKind = (typeof TOKEN_KINDS)[number]

/** The tokens of one text; comments and blanks are left out. Offsets are UTF-16, indexes count tokens. */
export class Tokens {
  readonly text: string
  readonly #arrays: TokenArrays

  constructor(text: string) {
    this.text = text
    this.#arrays = scanText(text)
  }

  get count(): number {
    return this.#arrays.count
  }

  /** Offsets of comments that the parser shall not see: between the parts of one string, and inside others. Start and end by turns. */
  get joints(): readonly number[] {
    return this.#arrays.joints
  }

  /** How many characters of operators stand in a row at most. */
  get longestRun(): number {
    return this.#arrays.longestRun
  }

  /** Offset of the token's first character; the text's length past the last token. */
  start(index: number): number {
    return index < this.count ? (this.#arrays.starts[index] ?? 0) : this.text.length
  }

  /** Offset after the token's last character; 0 before the first token. */
  end(index: number): number {
    return index < 0 ? 0 : (this.#arrays.ends[index] ?? this.text.length)
  }

  depth(index: number): number {
    return this.#arrays.depths[index] ?? 0
  }

  kind(index: number): TokenKind | undefined {
    const kind = this.#arrays.kinds[index]
    return index < this.count && kind !== undefined ? TOKEN_KINDS[kind] : undefined
  }

  /** The token as it is written; empty past the ends. */
  at(index: number): string {
    return index < 0 || index >= this.count ? '' : this.text.slice(this.start(index), this.end(index))
  }

  /** The token is this sign or operator. */
  isSign(index: number, sign: string): boolean {
    const start = this.start(index)
    if (this.text.charCodeAt(start) !== sign.charCodeAt(0) || this.end(index) - start !== sign.length) return false
    const kind = this.kind(index)
    return (kind === 'sign' || kind === 'operator') && (sign.length === 1 || this.text.startsWith(sign, start))
  }

  /** The token is this word (given in lower case), unquoted, not the label of a column (`t.from`, `AS from`). */
  isWord(index: number, word: string): boolean {
    const start = this.start(index)
    if (this.end(index) - start !== word.length || (this.text.charCodeAt(start) | 32) !== word.charCodeAt(0))
      return false
    if (this.kind(index) !== 'word') return false
    if (this.at(index).toLowerCase() !== word) return false
    return !this.isSign(index - 1, '.')
  }

  /** Index of the first token that starts at or after the offset; `count` where there is none. */
  indexAt(offset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#arrays.starts[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first token in [from, to) at this depth that is one of the words; -1 where there is none. */
  findWord(words: readonly string[], from: number, to: number, depth: number): number {
    for (let index = from; index < to; index++) {
      if (this.depth(index) !== depth || this.kind(index) !== 'word') continue
      if (words.some((word) => this.isWord(index, word)) && !this.isWord(index - 1, 'as')) return index
    }
    return -1
  }

  /** The token that closes the parenthesis or bracket at `open`; `count` where it is not closed. */
  closing(open: number): number {
    const depth = this.depth(open)
    let index = open + 1
    while (index < this.count && this.depth(index) > depth) index++
    return index
  }
}
