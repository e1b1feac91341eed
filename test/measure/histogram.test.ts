import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BUCKET_COUNT, bucketLowNs, bucketMiddleNs, bucketOf } from '../../src/measure/buckets.ts'
import { quantileSupport, samplesFor } from '../../src/measure/figures.ts'
import { Histogram } from '../../src/measure/histogram.ts'
import { bucketsOf, histogramOf } from './histograms.ts'

const MS = 1e6
const duration = fc.oneof(fc.integer({ min: 0, max: 2 ** 41 }), fc.double({ min: 512, max: 4e12, noNaN: true }))
const durations = fc.array(duration, { minLength: 1, maxLength: 300 })

describe('bucketOf', () => {
  it('gives each bucket its own first nanosecond, its middle, and what is just below the next', () => {
    const wrong = Array.from({ length: BUCKET_COUNT - 2 }, (_, index) => index + 1).filter((bucket) => {
      const inside = [bucketLowNs(bucket), bucketMiddleNs(bucket), bucketLowNs(bucket + 1) - 0.01]
      return inside.some((ns) => bucketOf(ns) !== bucket)
    })
    expect(wrong).toEqual([])
  })

  it('puts every number into a bucket', () => {
    fc.assert(
      fc.property(fc.double(), (ns) => {
        const bucket = bucketOf(ns)
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket < BUCKET_COUNT).toBe(true)
      }),
    )
  })
})

describe('Histogram', () => {
  it('has quantiles within 0.8 % of those of the sorted values', () => {
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, quantile) => {
        const sorted = values.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0
        const found = histogramOf(values).quantileNs(quantile) ?? Number.NaN
        expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.max(512, exact * 0.008))
      }),
    )
  })

  it('has the exact count, sum, minimum and maximum', () => {
    const histogram = histogramOf([3.5 * MS, 1, 9e12, 700])
    expect(histogram).toMatchObject({ count: 4, sumNs: 3.5 * MS + 1 + 9e12 + 700, minNs: 1, maxNs: 9e12 })
    expect(histogram.quantileNs(1)).toBe(9e12)
  })

  it('takes 50 ms for 50 ms', () => {
    const histogram = histogramOf(Array.from({ length: 1000 }, (_, index) => 50 * MS + index))
    const p50Ms = (histogram.quantileNs(0.5) ?? 0) / MS
    expect(p50Ms).toBeGreaterThan(49.6)
    expect(p50Ms).toBeLessThan(50.4)
  })

  it('is empty without a value: no quantile, not 0', () => {
    expect(new Histogram().quantileNs(0.5)).toBeUndefined()
  })

  it('adds up to the same in any order and grouping', () => {
    fc.assert(
      fc.property(durations, durations, durations, (a, b, c) => {
        const left = histogramOf(a)
        left.add(histogramOf(b))
        left.add(histogramOf(c))
        const right = histogramOf(c)
        right.add(histogramOf(a))
        const inner = new Histogram()
        inner.add(histogramOf(b))
        inner.add(right)
        const all = histogramOf([...a, ...b, ...c])
        for (const sum of [left, inner]) {
          expect(bucketsOf(sum)).toEqual(bucketsOf(all))
          expect([sum.count, sum.minNs, sum.maxNs]).toEqual([all.count, all.minNs, all.maxNs])
          expect(sum.sumNs).toBeCloseTo(all.sumNs, -6)
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('quantileSupport', () => {
  it.each([
    [0.99, 10_000, 'supported', 'a hundred samples lie beyond it'],
    [0.99, 9_999, 'indicative', 'fewer than a hundred do'],
    [0.99, 100, 'indicative', 'one does'],
    [0.99, 99, 'none', 'it would be the maximum'],
    [0.5, 200, 'supported', 'the median needs little'],
    [0.999, 100_000, 'supported', 'rounding does not ask for one more'],
  ] as const)('of %d with %d samples is %s: %s', (quantile, samples, support, _reason) => {
    expect(quantileSupport(quantile, samples)).toBe(support)
    expect(samplesFor(quantile)).toBe(Math.round(100 / (1 - quantile)))
  })
})
