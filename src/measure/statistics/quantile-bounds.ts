import { bucketLowNs } from '../buckets.ts'
import type { Histogram } from '../histogram.ts'
import { incompleteBeta } from './beta.ts'

/** Between which durations a quantile lies; undefined where so few values do not bound it on that side. */
export interface QuantileBounds {
  readonly lowerNs: number | undefined
  readonly upperNs: number | undefined
}

/** A quantile against a limit, at a confidence. */
export type QuantileSide = 'below' | 'above' | 'undecided'

/**
 * Bounds of the quantile of what the values were drawn from, by order statistics: no distribution is assumed. How many of `n` values lie
 * below the true quantile is binomial, so the value of rank u is above it with the probability that this count is less than u. Each
 * bound alone holds with at least `confidence`; both together with `2 * confidence - 1`. A bound is the far edge of its bucket.
 *
 * Values are taken to be independent. Latencies that follow each other are not quite, and then the bounds are too narrow: whoever decides
 * by them repeats what is near the limit.
 */
export function quantileBounds(histogram: Histogram, quantile: number, confidence: number): QuantileBounds {
  const { count } = histogram
  const { lower, upper } = boundingRanks(count, quantile, confidence)
  return {
    lowerNs: lower === undefined ? undefined : Math.max(histogram.minNs, bucketLowNs(bucketOfRank(histogram, lower))),
    upperNs:
      upper === undefined ? undefined : Math.min(histogram.maxNs, bucketLowNs(bucketOfRank(histogram, upper) + 1)),
  }
}

/** Is the quantile on one side of the limit, each answer with at least `confidence`? */
export function sideOfQuantile(
  histogram: Histogram,
  quantile: number,
  limitNs: number,
  confidence: number,
): QuantileSide {
  const { lowerNs, upperNs } = quantileBounds(histogram, quantile, confidence)
  if (upperNs !== undefined && upperNs < limitNs) return 'below'
  return lowerNs !== undefined && lowerNs >= limitNs ? 'above' : 'undecided'
}

/** Ranks (1 to `count`) of the values that bound the quantile on either side. */
export function boundingRanks(
  count: number,
  quantile: number,
  confidence: number,
): { readonly lower: number | undefined; readonly upper: number | undefined } {
  // The least u with P(B < u) >= confidence, and the greatest l with P(B >= l) >= confidence.
  const upper = firstWhere(1, count, (rank) => binomialCdf(rank - 1, count, quantile) >= confidence)
  const beyond = firstWhere(1, count, (rank) => 1 - binomialCdf(rank - 1, count, quantile) < confidence) ?? count + 1
  return { lower: beyond > 1 ? beyond - 1 : undefined, upper }
}

/** The probability of at most `successes` of so many trials. */
export function binomialCdf(successes: number, trials: number, probability: number): number {
  if (successes < 0) return 0
  if (successes >= trials) return 1
  return incompleteBeta(1 - probability, trials - successes, successes + 1)
}

/** The first whole number from `from` to `to` for which it is true, of what is false at first and then true. */
function firstWhere(from: number, to: number, isTrue: (value: number) => boolean): number | undefined {
  let [low, high] = [from, to + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (isTrue(middle)) high = middle
    else low = middle + 1
  }
  return low > to ? undefined : low
}

function bucketOfRank(histogram: Histogram, rank: number): number {
  let [below, found]: [number, number | undefined] = [0, undefined]
  histogram.forEachBucket((bucket, count) => {
    below += count
    if (below >= rank) found ??= bucket
  })
  return found ?? 0
}
