import { normalQuantile } from './normal.ts'

/** Both ends of an interval. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * Wilson's score interval of a share (JASA 22, 1927): where the true share lies, with `confidence`, after `successes` of `trials`. Unlike the
 * textbook's it stays within 0 and 1 and means something at none and at all. Without trials it is everything.
 */
export function wilsonInterval(successes: number, trials: number, confidence: number): Interval {
  if (trials === 0) return { low: 0, high: 1 }
  const z = normalQuantile((1 + confidence) / 2)
  const share = successes / trials
  const weight = (z * z) / trials
  const centre = (share + weight / 2) / (1 + weight)
  const half = (z / (1 + weight)) * Math.sqrt((share * (1 - share)) / trials + weight / (4 * trials))
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === trials ? 1 : Math.min(1, centre + half),
  }
}
