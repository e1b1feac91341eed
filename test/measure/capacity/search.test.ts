import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CapacitySearch, type SearchBounds, type StepOutcome } from '../../../src/measure/capacity/search.ts'

const BOUNDS: SearchBounds = { start: 1, least: 1 / 16, most: 64 }

/** Runs a search against a target that answers each multiplier as it is told; what it tried, in order. */
function run(search: CapacitySearch, answer: (multiplier: number) => StepOutcome): readonly number[] {
  const tried: number[] = []
  for (let next = search.next(); next !== undefined; next = search.next()) {
    tried.push(next)
    search.record(next, answer(next))
  }
  return tried
}

describe('CapacitySearch', () => {
  it('doubles from the start, bisects, and ends with a bracket of 5 % either way', () => {
    const search = new CapacitySearch(BOUNDS)
    const tried = run(search, (multiplier) => (multiplier <= 3.4 ? 'held' : 'failed'))
    expect(tried.slice(0, 3)).toEqual([1, 2, 4])
    expect(tried).toHaveLength(6)
    expect(search.low).toBeLessThanOrEqual(3.4)
    expect(search.high).toBeGreaterThan(3.4)
    expect((search.high ?? 0) / (search.low ?? 1)).toBeLessThanOrEqual(1.1)
  })

  it('holds the true limit in its bracket wherever that is, and however wide what cannot be told around it is', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.07, max: 60, noNaN: true }),
        fc.double({ min: 1, max: 1.04, noNaN: true }),
        (limit, doubt) => {
          const search = new CapacitySearch(BOUNDS)
          const tried = run(search, (multiplier) =>
            multiplier <= limit / doubt ? 'held' : multiplier >= limit * doubt ? 'failed' : 'undecided',
          )
          expect(search.low).toBeLessThanOrEqual(limit)
          expect(search.high).toBeGreaterThanOrEqual(limit)
          // A tenth on either side of what cannot be told, which is as wide as it is.
          expect((search.high ?? Infinity) / (search.low ?? 0)).toBeLessThanOrEqual(1.1 * doubt ** 2 * 1.1 + 1e-9)
          expect(tried.length).toBeLessThanOrEqual(16)
        },
      ),
      { examples: [[1.0173096640679014, 1.039379945740876]] },
    )
  })

  it('goes down to a sixteenth of its start, and tries no less', () => {
    const search = new CapacitySearch(BOUNDS)
    expect(run(search, () => 'failed')).toEqual([1, 0.5, 0.25, 0.125, 0.0625])
    expect([search.low, search.high]).toEqual([undefined, 0.0625])
  })

  it('ends at the most that it may try', () => {
    const search = new CapacitySearch({ ...BOUNDS, most: 6 })
    expect(run(search, () => 'held')).toEqual([1, 2, 4, 6])
    expect([search.low, search.high]).toEqual([6, undefined])
  })

  it('ends where our own side was disturbed, with what had held until then', () => {
    const search = new CapacitySearch(BOUNDS)
    expect(run(search, (multiplier) => (multiplier < 4 ? 'held' : 'starved'))).toEqual([1, 2, 4])
    expect([search.low, search.high]).toEqual([2, undefined])
  })

  it('takes back what had held above a multiplier that fails later', () => {
    const search = new CapacitySearch(BOUNDS)
    run(search, (multiplier) => (multiplier <= 3.4 ? 'held' : 'failed'))
    search.record(3, 'failed')
    expect(search.high).toBe(3)
    expect(search.low).toBeLessThan(3)
    search.record(2.9, 'failed')
    expect(search.next()).toBeUndefined()
    search.record(2.2, 'failed')
    expect(search.low).toBe(2)
  })
})
