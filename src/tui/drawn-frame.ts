import { drawn, laidOut, type Place } from './ink.ts'
import { painted } from './painted.ts'
import type { Line, Part } from './parts.ts'

/** Layouts that are kept: one for each size, view and count of lines that a run has shown. */
const MAX_LAYOUTS = 64
const layouts = new Map<string, readonly Place[]>()

/** Draws a frame: its lines, with colours, none wider than `columns`. */
export function drawnFrame(part: Part, columns: number): readonly string[] {
  const rows: [Line, Place][][] = []
  const places = layoutOf(part, columns)
  for (const [index, line] of linesOf(part).entries()) {
    const place = places[index]
    if (place !== undefined) (rows[place.top] ??= []).push([line, place])
  }
  return Array.from(rows, (lines) => (lines === undefined ? '' : drawnRow(lines, columns)))
}

/** Lines that stand side by side, from left to right. */
function drawnRow(lines: readonly (readonly [Line, Place])[], columns: number): string {
  let text = ''
  let end = 0
  for (const [line, { left, width }] of lines) {
    const shown = painted(line, width)
    if (shown === undefined) return drawn(lines, columns)
    // Blanks at the end are the terminal's to clear.
    if (shown.columns > 0) {
      text += ' '.repeat(left - end) + shown.text
      end = left + shown.columns
    }
  }
  return text
}

function layoutOf(part: Part, columns: number): readonly Place[] {
  const shape = `${columns} ${shapeOf(part)}`
  const known = layouts.get(shape)
  if (known !== undefined) return known
  if (layouts.size >= MAX_LAYOUTS) layouts.clear()
  const places = laidOut(part, columns)
  layouts.set(shape, places)
  return places
}

/** All that the places of a part's lines depend on. */
function shapeOf(part: Part): string {
  if (part.kind === 'line') return '-'
  if (part.kind === 'stack') return `[${part.parts.map(shapeOf).join('')}]`
  const columns = part.columns.map(({ width, parts }) => `${width}[${parts.map(shapeOf).join('')}]`)
  return `(${part.gap}:${columns.join(' ')})`
}

function linesOf(part: Part): readonly Line[] {
  if (part.kind === 'line') return [part]
  const parts = part.kind === 'stack' ? part.parts : part.columns.flatMap((column) => column.parts)
  return parts.flatMap(linesOf)
}
