import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram } from '../../src/measure/histogram.ts'
import { exponentialHistogram } from '../../src/report/exponential-histogram.ts'

function histogramOf(timesNs: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const ns of timesNs) histogram.record(ns)
  return histogram
}

describe('exponentialHistogram', () => {
  it('has every value in the bucket whose bounds it lies in, or in one beside it', () => {
    const times = fc.array(fc.integer({ min: 1_000, max: 600e9 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(times, (timesNs) => {
        const { scale, offset, counts, zeroCount } = exponentialHistogram(histogramOf(timesNs))
        expect(zeroCount).toBe(0)
        expect(counts.length).toBeLessThanOrEqual(160)
        const rest = [...counts]
        for (const ns of timesNs.toSorted((a, b) => a - b)) {
          const exact = Math.ceil(Math.log2(ns / 1e9) * 2 ** scale) - 1 - offset
          const place = [exact - 1, exact, exact + 1].find((one) => (rest[one] ?? 0) > 0)
          expect(place).toBeDefined()
          rest[place ?? 0] = (rest[place ?? 0] ?? 0) - 1
        }
        expect(rest.every((count) => count === 0)).toBe(true)
      }),
    )
  })

  it('is as fine as the range of values allows', () => {
    expect(exponentialHistogram(histogramOf([1e6, 1.9e6])).scale).toBe(7)
    expect(exponentialHistogram(histogramOf([1e6, 0.9e9])).scale).toBe(4)
  })

  it('counts what is too short to be told apart as zero, and nothing as nothing', () => {
    expect(exponentialHistogram(histogramOf([3, 400]))).toMatchObject({ zeroCount: 2, counts: [] })
    expect(exponentialHistogram(new Histogram())).toMatchObject({ zeroCount: 0, offset: 0, counts: [] })
  })
})
