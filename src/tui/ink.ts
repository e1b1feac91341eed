import { Box, renderToString, Text } from 'ink'
import { createElement, type ReactElement } from 'react'

/** A part of a frame: a line, a column of them, or columns side by side. */
export type Part = ReactElement

/** How a piece of text looks. Colours are the terminal's own sixteen: its theme decides what they are. */
export interface Look {
  readonly colour?: 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta' | 'gray'
  readonly bold?: boolean
  readonly dim?: boolean
  readonly inverse?: boolean
}

/** A piece of a line. */
export type Piece = string | readonly [text: string, look: Look]

/** One line; what does not fit is cut off at its end. */
export function line(...pieces: readonly Piece[]): Part {
  const children = pieces.map((piece) => {
    if (typeof piece === 'string') return piece
    const [text, { colour, bold, dim, inverse }] = piece
    const shape = { bold: bold === true, dimColor: dim === true, inverse: inverse === true }
    const props = colour === undefined ? shape : { ...shape, color: colour }
    return createElement(Text, props, text)
  })
  return createElement(Text, { wrap: 'truncate-end' }, ...(children.length === 0 ? [' '] : children))
}

/** Lines below each other. */
export function column(parts: readonly Part[], width?: number): Part {
  return createElement(
    Box,
    { flexDirection: 'column', flexShrink: 0, ...(width === undefined ? {} : { width }) },
    ...parts,
  )
}

/** Columns beside each other, with a gap between them. */
export function beside(parts: readonly Part[], gap: number): Part {
  return createElement(Box, { flexDirection: 'row', columnGap: gap }, ...parts)
}

/** Draws a frame: its lines, with colours, none wider than `columns`. */
export function drawn(part: Part, columns: number): readonly string[] {
  return renderToString(part, { columns }).split('\n')
}
