import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArrivalTimes, MAX_ARRIVALS } from '../../src/capture/arrival-times.ts'

describe('ArrivalTimes', () => {
  it('gives each byte the time of the piece that brought it, while earlier bytes are still open', () => {
    const times = new ArrivalTimes()
    times.arrive(0, 100, 0)
    times.arrive(10, 200, 0)
    times.arrive(25, 300, 0)
    expect([0, 9, 10, 24, 25, 90].map((offset) => times.at(offset))).toEqual([100, 100, 200, 200, 300, 300])
  })

  it('forgets pieces once all their bytes are accounted for', () => {
    const times = new ArrivalTimes()
    times.arrive(0, 100, 0)
    times.arrive(10, 200, 4)
    expect(times.pieces).toBe(2)
    times.arrive(20, 300, 20)
    expect(times.pieces).toBe(1)
    expect(times.at(3)).toBe(300)
  })

  it('keeps the first time exact and its memory bounded where a head comes byte by byte', () => {
    const times = new ArrivalTimes()
    for (let offset = 0; offset < MAX_ARRIVALS * 10; offset++) times.arrive(offset, 1000 + offset, 0)
    expect(times.pieces).toBeLessThanOrEqual(MAX_ARRIVALS + 1)
    expect(times.at(0)).toBe(1000)
    expect(times.at(MAX_ARRIVALS * 10 - 1)).toBe(1000 + MAX_ARRIVALS * 10 - 1)
  })

  it('never gives a time later than the true one, nor lets time run backwards over offsets', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(pieces, (lengths) => {
        const times = new ArrivalTimes()
        const truth: number[] = []
        for (const [index, length] of lengths.entries()) {
          times.arrive(truth.length, index, 0)
          for (let byte = 0; byte < length; byte++) truth.push(index)
        }
        expect(truth.map((_, offset) => times.at(offset))).toEqual(truth)
      }),
      { numRuns: 50 },
    )
  })
})
