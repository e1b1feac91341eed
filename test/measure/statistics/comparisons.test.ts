import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { adjustedPValues } from '../../../src/measure/statistics/false-discovery.ts'
import { judgeByHistory, withoutOutliers } from '../../../src/measure/statistics/history.ts'
import { kneeOf } from '../../../src/measure/statistics/knee.ts'
import { pairedRatio } from '../../../src/measure/statistics/paired-ratio.ts'
import { thrownBy } from '../../support/errors.ts'
import { normalValue } from '../../support/normal-values.ts'
import { errorOf, FIXTURES } from './fixtures.ts'

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true })

describe('pairedRatio', () => {
  it("has the p-value of scipy's exact signed-rank test, and the median of the means of any two pairs", () => {
    for (const { baseline, candidate, ratio, p } of FIXTURES.signedRanks) {
      const found = pairedRatio(baseline, candidate)
      expect(errorOf(found.ratio, ratio)).toBeLessThan(1e-12)
      expect(errorOf(found.pValue, p)).toBeLessThan(1e-12)
    }
  })

  it('has an interval that leaves 1 out just where the p-value is at most 0.05', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(positive, positive), { minLength: 1, maxLength: 10 }), (pairs) => {
        const found = pairedRatio(
          pairs.map(([before]) => before),
          pairs.map(([, after]) => after),
        )
        const { low, high } = found.interval
        expect(low <= found.ratio * (1 + 1e-9) && found.ratio <= high * (1 + 1e-9)).toBe(true)
        expect(low > 1 + 1e-9 || high < 1 - 1e-9).toBe(found.pValue <= 0.05)
      }),
      { numRuns: 300 },
    )
  })

  it('has no interval where so few pairs cannot give one, and asks for pairs above 0', () => {
    expect(pairedRatio([1, 1, 1, 1, 1], [2, 2, 2, 2, 2]).interval).toEqual({ low: 0, high: Infinity })
    const six = pairedRatio([1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2])
    expect(six.interval.low).toBeCloseTo(2, 12)
    expect(six.pValue).toBe(2 / 64)
    expect(pairedRatio([], []).pValue).toBe(1)
    expect(thrownBy(() => pairedRatio([1], [0])).what).toContain('above 0')
    expect(thrownBy(() => pairedRatio([1], [])).what).toContain('expected pairs')
  })

  it('finds a difference though a pause fell into some of the pairs, and calls no pause one', () => {
    const random = seededRandom(3)
    const compare = (slower: number): number => {
      const pause = (): number => (random() < 0.1 ? Math.exp(Math.abs(0.6 * normalValue(random))) : 1)
      const noise = (): number => Math.exp(0.03 * normalValue(random)) * pause()
      const baseline = Array.from({ length: 12 }, noise)
      return pairedRatio(
        baseline,
        Array.from({ length: 12 }, () => slower * noise()),
      ).pValue
    }
    const rounds = 400
    const flagged = (slower: number): number =>
      Array.from({ length: rounds }, () => compare(slower)).filter((p) => p <= 0.05).length / rounds
    expect(flagged(1)).toBeLessThan(0.08)
    // A test of the sums finds 60 %.
    expect(flagged(1.15)).toBeGreaterThan(0.7)
  })

  it('flags equal targets no more often than it says, and finds one that is 15 % slower', () => {
    const random = seededRandom(11)
    const compare = (slower: number): number => {
      const baseline = Array.from({ length: 12 }, () => Math.exp(0.3 * normalValue(random)))
      const candidate = baseline.map((value) => value * slower * Math.exp(0.08 * normalValue(random)))
      return pairedRatio(baseline, candidate).pValue
    }
    const rounds = 400
    const flagged = (slower: number): number =>
      Array.from({ length: rounds }, () => compare(slower)).filter((p) => p <= 0.05).length / rounds
    expect(flagged(1)).toBeLessThan(0.08)
    expect(flagged(1)).toBeGreaterThan(0.02)
    expect(flagged(1.15)).toBeGreaterThan(0.98)
  })
})

describe('judgeByHistory', () => {
  const question = { worse: 'up', scale: 'ratio', minimumEffect: 0.05 } as const

  it("has the bound and the p-value of scipy's Student's t", () => {
    for (const { history, current, expected, bound, p } of FIXTURES.prediction) {
      const found = judgeByHistory({ ...question, history, current })
      expect(found.dropped).toBe(0)
      expect(errorOf(found.expected ?? 0, expected)).toBeLessThan(1e-12)
      expect(errorOf(found.bound ?? 0, bound)).toBeLessThan(1e-9)
      expect(errorOf(found.pValue ?? 0, p)).toBeLessThan(1e-7)
      expect(found.answer).toBe(current > bound && current / expected >= 1.05 ? 'worse' : 'same')
    }
  })

  it('says worse, better or the same in the direction of the metric', () => {
    const history = [100, 101, 99, 100.5, 99.5, 100]
    const answers = (worse: 'up' | 'down', ...values: readonly number[]): readonly string[] =>
      values.map((current) => judgeByHistory({ ...question, worse, history, current }).answer)
    expect(answers('up', 120, 100, 80)).toEqual(['worse', 'same', 'better'])
    expect(answers('down', 120, 100, 80)).toEqual(['better', 'same', 'worse'])
    // 104 is beyond the bound, and less than the 5 % that matter.
    expect(judgeByHistory({ ...question, history, current: 104 })).toMatchObject({ answer: 'same' })
    expect(judgeByHistory({ ...question, history, current: 104, minimumEffect: 0.02 }).answer).toBe('worse')
  })

  it('compares shares, which may be 0, by their difference', () => {
    const ofShares = { ...question, scale: 'difference', minimumEffect: 0.001 } as const
    const still = judgeByHistory({ ...ofShares, history: [0, 0, 0, 0, 0], current: 0 })
    expect(still).toMatchObject({ answer: 'same', expected: 0, bound: 0, effect: 0, pValue: 1 })
    expect(judgeByHistory({ ...ofShares, history: [0, 0, 0, 0, 0], current: 0.02 })).toMatchObject({
      answer: 'worse',
      effect: 0.02,
      pValue: 0,
    })
  })

  it('does not judge by fewer than five runs, outliers not counted', () => {
    expect(judgeByHistory({ ...question, history: [1, 1.1, 0.9, 1], current: 5 })).toMatchObject({
      answer: 'too_few',
      used: 4,
      bound: undefined,
    })
    const history = [1, 1.1, 0.9, 1.05, 50]
    expect(judgeByHistory({ ...question, history, current: 5 })).toMatchObject({ answer: 'too_few', dropped: 1 })
  })

  it('flags unchanged runs no more often than it says', () => {
    const random = seededRandom(5)
    const run = (): number => Math.exp(0.03 * normalValue(random))
    const rounds = 3000
    let worse = 0
    for (let round = 0; round < rounds; round++) {
      const history = Array.from({ length: 10 }, run)
      const { answer } = judgeByHistory({ ...question, history, current: run(), minimumEffect: 0 })
      if (answer === 'worse') worse += 1
    }
    // 1 %, and a little more because outliers that are none are left out too.
    expect(worse / rounds).toBeLessThan(0.02)
    expect(worse / rounds).toBeGreaterThan(0.003)
  })
})

describe('withoutOutliers', () => {
  it("leaves out what is beyond 3.5 of scipy's median absolute deviations", () => {
    for (const { values, kept } of FIXTURES.outliers) expect(withoutOutliers(values)).toEqual(kept)
  })

  it('leaves out a lone value among equal ones, and nothing where all are equal', () => {
    expect(withoutOutliers([0, 0, 0, 0, 0, 0.5])).toEqual([0, 0, 0, 0, 0])
    expect(withoutOutliers([2, 2, 2])).toEqual([2, 2, 2])
    expect(withoutOutliers([])).toEqual([])
  })
})

describe('adjustedPValues', () => {
  it("are those of scipy's Benjamini-Hochberg", () => {
    for (const { p, adjusted } of FIXTURES.falseDiscovery) {
      const found = adjustedPValues(p)
      expect(found).toHaveLength(p.length)
      for (const [index, value] of found.entries()) expect(errorOf(value, adjusted[index] ?? 9)).toBeLessThan(1e-12)
    }
    expect(adjustedPValues([])).toEqual([])
  })

  it('are never less than the p-values, and in their order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 50 }), (p) => {
        const found = adjustedPValues(p)
        for (const [index, value] of found.entries()) expect(value).toBeGreaterThanOrEqual(p[index] ?? 1)
        const order = p.map((_, index) => index).toSorted((a, b) => (p[a] ?? 0) - (p[b] ?? 0))
        const sorted = order.map((index) => found[index] ?? 0)
        expect(sorted).toEqual(sorted.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('kneeOf', () => {
  it("is kneed's", () => {
    for (const { x, y, knee } of FIXTURES.knees) {
      const points = x.map((value, index) => ({ x: value, y: y[index] ?? 0 }))
      expect(kneeOf(points) ?? null).toBe(knee)
    }
  })

  it('is nowhere on a line, on a curve that flattens, and where there are no points to speak of', () => {
    const points = (f: (x: number) => number): { x: number; y: number }[] =>
      Array.from({ length: 10 }, (_, index) => ({ x: index + 1, y: f(index + 1) }))
    expect(kneeOf(points((x) => 3 * x))).toBeUndefined()
    expect(kneeOf(points((x) => Math.sqrt(x)))).toBeUndefined()
    expect(kneeOf(points(() => 5))).toBeUndefined()
    expect(kneeOf([])).toBeUndefined()
    expect(kneeOf([{ x: 1, y: 1 }])).toBeUndefined()
  })

  it('is where the latency of a queue leaves the floor, with steps of any width', () => {
    const loads = [0.05, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99]
    const knee = kneeOf(loads.map((load) => ({ x: load, y: 5 / (1 - load) })))
    expect(loads[knee ?? 0]).toBe(0.9)
  })
})
