import { expect, it } from 'vitest'
import { isWorthALine } from '../../../src/cli/replay/replay-screen.ts'

it.each([
  ['is shown as soon as the figures of a second are complete', 4, 3, 100, true],
  ['is not shown twice for the same figures', 4, 4, 1_000, false],
  ['is shown where none came for long: the target may hang', 4, 4, 1_400, true],
  ['is shown before there are any figures', undefined, undefined, 1_400, true],
])('a line of progress %s', (_, second, shown, waitedMs, expected) => {
  expect(isWorthALine(second, shown, waitedMs)).toBe(expected)
})
