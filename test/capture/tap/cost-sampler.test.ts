import { describe, expect, it } from 'vitest'
import { CostSampler } from '../../../src/capture/tap/cost-sampler.ts'

describe('a cost sampler', () => {
  it('times one chunk in 64, the first included', () => {
    const sampler = new CostSampler()
    const due = Array.from({ length: 129 }, () => sampler.due())
    expect(due.flatMap((each, index) => (each ? [index] : []))).toEqual([0, 64, 128])
  })

  it('gives quantiles within 9 %, and the greatest as it was', () => {
    const sampler = new CostSampler()
    for (let duration = 1; duration <= 10_000; duration++) sampler.record(duration)
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const exact = share * 10_000
      expect(sampler.quantileNs(share)).toBeGreaterThanOrEqual(exact)
      expect(sampler.quantileNs(share)).toBeLessThan(exact * 1.1)
    }
    expect(sampler.quantileNs(1)).toBe(10_000)
  })

  it('gives 0 without samples, and bears absurd ones', () => {
    const sampler = new CostSampler()
    expect(sampler.quantileNs(0.99)).toBe(0)
    for (const absurd of [0, -5, 1e15]) sampler.record(absurd)
    expect(sampler.quantileNs(1)).toBeGreaterThan(0)
  })
})
