import type { Line, Look, Piece } from './parts.ts'

/**
 * Characters of one column each, which need no measuring: letters of Latin, Greek and Cyrillic, and what bars, shades and cuts are made
 * of. All others (wide, combining, emoji) are left to Ink.
 */
const PLAIN =
  /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u2013\u2014\u2018-\u201e\u2026\u2580-\u259f]*$/

const CUT = '…'

/** Codes of a terminal. */
const WEIGHTS: Readonly<Record<NonNullable<Look['weight']>, string>> = { bold: '1', dim: '2' }
const COLOURS: Readonly<Record<NonNullable<Look['colour']>, string>> = {
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  magenta: '35',
  cyan: '36',
  gray: '90',
}

/** A line as a terminal takes it, and its columns; undefined: its text needs measuring. */
export interface Painted {
  readonly text: string
  readonly columns: number
}

/** Paints a line of at most `width` columns: a line that is longer ends with an ellipsis. Microseconds. */
export function painted({ pieces }: Line, width: number): Painted | undefined {
  if (!pieces.every((piece) => PLAIN.test(textOf(piece)))) return undefined
  const length = pieces.reduce((sum, piece) => sum + textOf(piece).length, 0)
  if (length <= width) return { text: pieces.map((piece) => coloured(textOf(piece), piece)).join(''), columns: length }
  let left = width - CUT.length
  // With nothing before it, it has no look.
  let text = left === 0 ? CUT : ''
  for (const piece of pieces) {
    if (left <= 0) break
    const shown = textOf(piece).slice(0, left)
    left -= shown.length
    text += coloured(left === 0 ? shown + CUT : shown, piece)
  }
  return { text, columns: Math.max(0, width) }
}

function textOf(piece: Piece): string {
  return typeof piece === 'string' ? piece : piece[0]
}

function coloured(text: string, piece: Piece): string {
  if (typeof piece === 'string' || text === '') return text
  const [, { colour, weight, inverse }] = piece
  const codes = [
    ...(weight === undefined ? [] : [WEIGHTS[weight]]),
    ...(inverse === true ? ['7'] : []),
    ...(colour === undefined ? [] : [COLOURS[colour]]),
  ]
  return codes.length === 0 ? text : `\u001B[${codes.join(';')}m${text}\u001B[m`
}
