import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { Box, renderToString, Text } from 'ink'
import { createElement, type ReactElement } from 'react'
import { describe, expect, it } from 'vitest'
import { drawnFrame } from '../../src/tui/drawn-frame.ts'
import { beside, line, type Line, type Part, stack } from '../../src/tui/parts.ts'

/** A part as Ink draws it alone: laid out with its text, and cut by Ink. */
function elementOf(part: Part): ReactElement {
  if (part.kind === 'line') {
    const text = part.pieces.map((piece) => (typeof piece === 'string' ? piece : piece[0])).join('')
    return createElement(Text, { wrap: 'truncate-end' }, text === '' ? ' ' : text)
  }
  const below = (parts: readonly Part[], width?: number): ReactElement =>
    createElement(
      Box,
      { flexDirection: 'column', flexShrink: 0, ...(width === undefined ? {} : { width }) },
      ...parts.map(elementOf),
    )
  if (part.kind === 'stack') return below(part.parts)
  const columns = part.columns.map(({ width, parts }) => below(parts, width))
  return createElement(Box, { flexDirection: 'row', columnGap: part.gap }, ...columns)
}

/** What is seen: lines without blanks at their ends, and none of them at the end. */
function seen(lines: readonly string[]): string {
  return lines
    .map((each) => stripVTControlCharacters(each).trimEnd())
    .join('\n')
    .trimEnd()
}

const WORDS = ['GET /', 'p99 1.00ms', ' ', '█▁░', '…', '東京', '👩‍👧', 'e\u0301', 'caf\u00E9', 'long '.repeat(12)]
const lines: fc.Arbitrary<Line> = fc
  .array(fc.constantFrom(...WORDS), { maxLength: 4 })
  .map((pieces) =>
    line(...pieces.map((each, place) => (place % 2 === 0 ? each : ([each, { weight: 'bold' }] as const)))),
  )
const some = fc.array(lines, { maxLength: 6 })
const columnsOf = fc.array(fc.record({ width: fc.integer({ min: 4, max: 25 }), parts: some }), {
  minLength: 1,
  maxLength: 3,
})
const frames: fc.Arbitrary<Part> = fc
  .tuple(some, columnsOf, fc.integer({ min: 0, max: 3 }), some)
  .map(([above, columns, gap, below]) => stack([...above, beside(columns, gap), ...below]))

describe('a drawn frame', () => {
  it('shows what Ink would have drawn of it, wherever its lines stand and whatever is in them', () => {
    fc.assert(
      fc.property(frames, fc.integer({ min: 85, max: 120 }), (part, columns) => {
        const alone = renderToString(elementOf(part), { columns }).split('\n')
        expect(seen(drawnFrame(part, columns))).toBe(seen(alone))
      }),
      { numRuns: 60 },
    )
  })

  it('tells frames apart that differ in a width or a gap alone', () => {
    const frame = (width: number, gap: number): Part => {
      const parts = [line('left and right')]
      return stack([
        beside(
          [
            { width, parts },
            { width: 20, parts },
          ],
          gap,
        ),
      ])
    }
    const [narrow, wide, gapped] = [frame(20, 1), frame(30, 1), frame(20, 3)].map((part) => seen(drawnFrame(part, 80)))
    expect(narrow).toBe('left and right       left and right')
    expect(wide).toBe('left and right                 left and right')
    expect(gapped).toBe('left and right         left and right')
  })
})
