import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { Histogram } from '../../../src/measure/histogram.ts'
import { boundingRanks, quantileBounds, sideOfQuantile } from '../../../src/measure/statistics/quantile-bounds.ts'
import { MS } from '../outcomes.ts'
import { histogramOf } from '../histograms.ts'
import { FIXTURES } from './fixtures.ts'

describe('boundingRanks', () => {
  it("are those of scipy's binomial", () => {
    const wrong = FIXTURES.ranks.filter(([count, quantile, confidence, lower, upper]) => {
      const found = boundingRanks(count, quantile, confidence)
      return (found.lower ?? null) !== lower || (found.upper ?? null) !== upper
    })
    expect(wrong).toEqual([])
  })
})

describe('quantileBounds', () => {
  const even = histogramOf(Array.from({ length: 10_000 }, (_, index) => (index + 1) * MS))

  it('lie on both sides of the quantile, at the far edges of their buckets', () => {
    const { lowerNs = 0, upperNs = 0 } = quantileBounds(even, 0.99, 0.975)
    const { lower = 0, upper = 0 } = boundingRanks(10_000, 0.99, 0.975)
    expect([lower, upper]).toEqual([9880, 9920])
    expect(lowerNs / MS).toBeGreaterThan(9880 * (1 - 1 / 128))
    expect(lowerNs / MS).toBeLessThanOrEqual(9880)
    expect(upperNs / MS).toBeGreaterThanOrEqual(9920)
    expect(upperNs / MS).toBeLessThan(9920 * (1 + 1 / 128))
  })

  it('are missing on the side that so few values do not bound', () => {
    const few = histogramOf(Array.from({ length: 100 }, () => 5 * MS))
    expect(quantileBounds(few, 0.99, 0.95).upperNs).toBeUndefined()
    expect(quantileBounds(few, 0.99, 0.95).lowerNs).toBe(5 * MS)
    expect(quantileBounds(new Histogram(), 0.5, 0.95)).toEqual({ lowerNs: undefined, upperNs: undefined })
  })

  it('tell on which side of a limit a quantile is, or that they do not know', () => {
    expect(sideOfQuantile(even, 0.99, 11_000 * MS, 0.975)).toBe('below')
    expect(sideOfQuantile(even, 0.99, 9_900 * MS, 0.975)).toBe('undecided')
    expect(sideOfQuantile(even, 0.99, 9_000 * MS, 0.975)).toBe('above')
    expect(sideOfQuantile(new Histogram(), 0.99, 9_000 * MS, 0.975)).toBe('undecided')
  })

  it('are wrong no more often than they say', () => {
    const random = seededRandom(7)
    const trueNs = -Math.log(1 - 0.95) * 20 * MS
    let [tooLow, tooHigh, rounds] = [0, 0, 1000]
    for (let round = 0; round < rounds; round++) {
      const histogram = histogramOf(Array.from({ length: 1000 }, () => -Math.log(1 - random()) * 20 * MS))
      const { lowerNs = 0, upperNs = Infinity } = quantileBounds(histogram, 0.95, 0.9)
      if (upperNs < trueNs) tooLow += 1
      if (lowerNs > trueNs) tooHigh += 1
    }
    // Each is wrong in a tenth of the cases at most; buckets and whole ranks make it less.
    for (const share of [tooLow / rounds, tooHigh / rounds]) {
      expect(share).toBeLessThan(0.12)
      expect(share).toBeGreaterThan(0.03)
    }
  })
})
