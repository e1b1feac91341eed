import { describe, expect, it } from 'vitest'
import { SpanRates } from '../../src/report/html/span-rates.ts'
import { RunSeries } from '../../src/report/series.ts'

function ratesOf(
  due: readonly number[],
  sent: readonly number[],
  course: { readonly spanSeconds?: number; readonly seconds: number },
): SpanRates {
  const series = new RunSeries()
  series.spanSeconds = course.spanSeconds ?? 1
  series.seconds = course.seconds
  return new SpanRates({ timeline: { due, sent } }, series)
}

describe('SpanRates', () => {
  it.each([
    ['gives the second after the last shot none, when it is the last', [9, 9, 9], [9, 9, 9], 4, [9, 9, 9, null]],
    ['nor where a late shot left in it', [9, 9, 9, 0], [9, 9, 8, 1], 4, [9, 9, 9, null]],
    ['gives all of them one where the target took longer', [9, 9, 9], [9, 9, 9], 5, [9, 9, 9, 9, 9]],
    ['gives each one where all was answered in the seconds in which it was sent', [9, 9], [9, 9], 2, [9, 9]],
    ['knows the last shot of a closed loop by when it was sent', [], [9, 9], 3, [9, 9, null]],
    ['gives each one where no shot was counted', [], [], 2, [9, 9]],
  ])('%s', (_, due, sent, seconds, rates) => {
    const found = ratesOf(due, sent, { seconds })
    expect(Array.from({ length: seconds }, (__, span) => found.of(span, 9))).toEqual(rates)
    expect(found.everywhere(seconds - 1, 9)).toBe(9)
  })

  it('counts the last of longer spans for the seconds that the run had of it', () => {
    const counts = Array.from({ length: 9 }, () => 10)
    const rates = ratesOf(counts, counts, { spanSeconds: 4, seconds: 9 })
    expect(rates.folded(counts)).toEqual([10, 10, 10])
    expect([rates.of(0, 40), rates.of(2, 10), rates.everywhere(2, 10)]).toEqual([10, 10, 10])
  })
})
