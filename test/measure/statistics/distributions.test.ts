import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { incompleteBeta } from '../../../src/measure/statistics/beta.ts'
import { normalQuantile } from '../../../src/measure/statistics/normal.ts'
import { binomialCdf } from '../../../src/measure/statistics/quantile-bounds.ts'
import { studentCdf, studentQuantile } from '../../../src/measure/statistics/student.ts'
import { wilsonInterval } from '../../../src/measure/statistics/wilson.ts'
import { errorOf, FIXTURES } from './fixtures.ts'

/** The rows of which our value is further off than this part. */
function wrong<Row extends readonly number[]>(
  rows: readonly Row[],
  valueOf: (row: Row) => number,
  within: number,
): readonly Row[] {
  return rows.filter((row) => !(errorOf(valueOf(row), row.at(-1) ?? Number.NaN) <= within))
}

describe('distributions', () => {
  it('have the incomplete beta function of scipy', () => {
    expect(wrong(FIXTURES.incompleteBeta, ([x, a, b]) => incompleteBeta(x, a, b), 1e-9)).toEqual([])
  })

  it("have scipy's Student's t", () => {
    expect(wrong(FIXTURES.student.cdf, ([t, degrees]) => studentCdf(t, degrees), 1e-10)).toEqual([])
    expect(wrong(FIXTURES.student.quantile, ([p, degrees]) => studentQuantile(p, degrees), 1e-9)).toEqual([])
  })

  it("have scipy's normal quantile", () => {
    expect(wrong(FIXTURES.normal, ([p]) => normalQuantile(p), 1e-12)).toEqual([])
  })

  it("have scipy's binomial, of millions of trials too", () => {
    expect(wrong(FIXTURES.binomial, ([k, n, p]) => binomialCdf(k, n, p), 1e-7)).toEqual([])
  })

  it("have scipy's Wilson interval", () => {
    const off = FIXTURES.wilson.filter(([successes, trials, confidence, low, high]) => {
      const found = wilsonInterval(successes, trials, confidence)
      return errorOf(found.low, low) > 1e-9 || errorOf(found.high, high) > 1e-9
    })
    expect(off).toEqual([])
    expect(wilsonInterval(0, 0, 0.95)).toEqual({ low: 0, high: 1 })
  })

  it('turn a probability into a quantile and back', () => {
    const probability = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true })
    fc.assert(
      fc.property(probability, fc.integer({ min: 1, max: 500 }), (p, degrees) => {
        expect(errorOf(studentCdf(studentQuantile(p, degrees), degrees), p)).toBeLessThan(1e-8)
      }),
    )
  })

  it('hold the share that was seen, and grow narrower with the trials', () => {
    const trials = fc.integer({ min: 1, max: 10_000 }).chain((n) => fc.tuple(fc.nat(n), fc.constant(n)))
    fc.assert(
      fc.property(trials, ([successes, n]) => {
        const [one, ten] = [wilsonInterval(successes, n, 0.95), wilsonInterval(successes * 10, n * 10, 0.95)]
        expect(one.low).toBeLessThanOrEqual(successes / n)
        expect(one.high).toBeGreaterThanOrEqual(successes / n)
        expect(ten.high - ten.low).toBeLessThan(one.high - one.low)
      }),
    )
  })
})
