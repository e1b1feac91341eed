/** A part of a frame: a line, parts below each other, or columns of them side by side. Plain data. */
export type Part = Line | Stack | Columns

/** One line, without control characters; what does not fit is cut off at its end. */
export interface Line {
  readonly kind: 'line'
  readonly pieces: readonly Piece[]
}

/** Parts below each other, as wide as there is room. */
export interface Stack {
  readonly kind: 'stack'
  readonly parts: readonly Part[]
}

/** Columns beside each other: the same place for each, whatever stands in it. */
export interface Columns {
  readonly kind: 'columns'
  readonly columns: readonly Column[]
  /** Characters between two of them. */
  readonly gap: number
}

/** One of several beside each other. */
export interface Column {
  /** In characters. */
  readonly width: number
  readonly parts: readonly Part[]
}

/** How a piece of text looks. Colours are the terminal's own sixteen: its theme decides what they are. */
export interface Look {
  readonly colour?: 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta' | 'gray'
  readonly weight?: 'bold' | 'dim'
  readonly inverse?: boolean
}

/** A piece of a line. */
export type Piece = string | readonly [text: string, look: Look]

/** A line of these pieces; of none: a blank one. */
export function line(...pieces: readonly Piece[]): Line {
  return { kind: 'line', pieces }
}

/** These parts below each other. */
export function stack(parts: readonly Part[]): Stack {
  return { kind: 'stack', parts }
}

/** These columns beside each other, `gap` characters between two. */
export function beside(columns: readonly Column[], gap: number): Columns {
  return { kind: 'columns', columns, gap }
}
