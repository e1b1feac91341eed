import { Box, type DOMElement, measureElement, renderToString, Text } from 'ink'
import { createElement, type ReactElement } from 'react'
import type { Line, Part } from './parts.ts'

/** Where a line stands, in characters from the upper left corner, and how wide it may be. */
export interface Place {
  readonly left: number
  readonly top: number
  readonly width: number
}

/**
 * Where each line of a frame stands, in the order of the parts. It depends on what lines there are and beside what, not on what they say.
 * Costs milliseconds, the first time a hundred.
 */
export function laidOut(part: Part, columns: number): readonly Place[] {
  const places: Place[] = []
  renderToString(
    boxOf(part, (place) => places.push(place)),
    { columns },
  )
  return places
}

/** Lines that stand side by side, of any text at all, as one text with colours, none wider than its place. Costs milliseconds. */
export function drawn(lines: readonly (readonly [line: Line, place: Place])[], columns: number): string {
  let end = 0
  const boxes = lines.map(([line, { left, width }]) => {
    const marginLeft = left - end
    end = left + width
    return createElement(Box, { width, marginLeft, flexShrink: 0 }, textOf(line))
  })
  return renderToString(createElement(Box, {}, ...boxes), { columns })
}

function boxOf(part: Part, take: (place: Place) => void): ReactElement {
  if (part.kind === 'line') return createElement(Box, { height: 1, flexShrink: 0, ref: (box) => placed(box, take) })
  if (part.kind === 'stack') return stackOf(part.parts, {}, take)
  const columns = part.columns.map(({ width, parts }) => stackOf(parts, { width }, take))
  return createElement(Box, { flexDirection: 'row', columnGap: part.gap }, ...columns)
}

function stackOf(
  parts: readonly Part[],
  size: { readonly width?: number },
  take: (place: Place) => void,
): ReactElement {
  return createElement(
    Box,
    { flexDirection: 'column', flexShrink: 0, ...size },
    ...parts.map((part) => boxOf(part, take)),
  )
}

/** A box is laid out by the time that it has its reference, and gone soon after. */
function placed(box: DOMElement | null, take: (place: Place) => void): void {
  if (box === null) return
  let [left, top] = [0, 0]
  for (let each: DOMElement | undefined = box; each !== undefined; each = each.parentNode) {
    left += each.yogaNode?.getComputedLeft() ?? 0
    top += each.yogaNode?.getComputedTop() ?? 0
  }
  take({ left, top, width: measureElement(box).width })
}

function textOf({ pieces }: Line): ReactElement {
  const children = pieces.map((piece) => {
    if (typeof piece === 'string') return piece
    const [text, { colour, weight, inverse }] = piece
    const shape = { bold: weight === 'bold', dimColor: weight === 'dim', inverse: inverse === true }
    const props = colour === undefined ? shape : { ...shape, color: colour }
    return createElement(Text, props, text)
  })
  return createElement(Text, { wrap: 'truncate-end' }, ...(children.length === 0 ? [' '] : children))
}
