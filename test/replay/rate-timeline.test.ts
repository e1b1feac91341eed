import { describe, expect, it } from 'vitest'
import { peakPerSecond, RateTimeline } from '../../src/replay/rate-timeline.ts'
import { SECOND } from './recordings.ts'

/** A request at each of these seconds. */
function timeline(seconds: readonly number[]): RateTimeline {
  const rates = new RateTimeline()
  for (const at of seconds) rates.add(at * SECOND, 10)
  return rates
}

const everything = (rates: RateTimeline): number => {
  let sum = 0
  for (let bucket = 0; bucket < rates.length; bucket++) sum += rates.sent(bucket)
  return sum
}

const sent = (rates: RateTimeline, bucket: number): number => rates.sent(bucket)

describe('RateTimeline', () => {
  it('becomes coarser instead of longer, and loses nothing', () => {
    const rates = timeline(Array.from({ length: 5_000 }, (_, index) => index * 60))
    expect(rates.length).toBeLessThanOrEqual(65_536)
    expect(rates.widthNs).toBeGreaterThan(100e6)
    expect(everything(rates)).toBe(5_000)
  })

  it('takes times before its start for its start', () => {
    expect(timeline([-5]).all(0)).toBe(1)
  })
})

describe('peakPerSecond', () => {
  it.each([
    ['one second of many', [0, 0.1, 0.9, 1, 1.1, 5], 0, 1, Infinity, 3],
    ['twice as fast', [0, 0.1, 0.9, 1, 1.1, 5], 0, 2, Infinity, 5],
    ['a tenth as fast, one request a second', [0, 0.1, 0.2, 5], 0, 0.1, Infinity, 1],
    ['up to an end', [0, 3, 3.2, 3.4], 0, 1, 2 * SECOND, 1],
    ['nothing', [], 0, 1, Infinity, 0],
  ] as const)('finds the peak of %s', (_, seconds, shiftNs, speed, endNs, expected) => {
    expect(peakPerSecond([{ timeline: timeline(seconds), shiftNs }], sent, speed, endNs)).toBe(expected)
  })

  it('adds timelines that are laid onto each other', () => {
    const placed = [
      { timeline: timeline([0, 2]), shiftNs: 0 },
      { timeline: timeline([0]), shiftNs: 2 * SECOND },
    ]
    expect(peakPerSecond(placed, sent, 1, Infinity)).toBe(2)
  })
})
