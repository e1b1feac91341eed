import type { Histogram } from './histogram.ts'

/** The quantiles that are written and printed. */
export const QUANTILES = { p50Ns: 0.5, p90Ns: 0.9, p99Ns: 0.99, p999Ns: 0.999 } as const
export type QuantileName = keyof typeof QUANTILES

/** A histogram in a few numbers, in nanoseconds; null where it is empty. */
export interface LatencyFigures {
  readonly count: number
  readonly meanNs: number | null
  readonly minNs: number | null
  readonly p50Ns: number | null
  readonly p90Ns: number | null
  readonly p99Ns: number | null
  readonly p999Ns: number | null
  readonly maxNs: number | null
}

export function figuresOf(histogram: Histogram): LatencyFigures {
  const empty = histogram.count === 0
  const quantile = (name: QuantileName): number | null => histogram.quantileNs(QUANTILES[name]) ?? null
  return {
    count: histogram.count,
    meanNs: empty ? null : histogram.meanNs,
    minNs: empty ? null : histogram.minNs,
    p50Ns: quantile('p50Ns'),
    p90Ns: quantile('p90Ns'),
    p99Ns: quantile('p99Ns'),
    p999Ns: quantile('p999Ns'),
    maxNs: empty ? null : histogram.maxNs,
  }
}

/** Samples that a quantile needs before a gate may judge it: a hundred beyond it, so 10,000 for p99. */
export function samplesFor(quantile: number): number {
  return Math.round(100 / (1 - quantile))
}

/**
 * What a quantile of so few samples is worth: `supported`; `indicative`, fewer than a hundred samples lie beyond it; `none`, not even one
 * does, so it would be the maximum under another name.
 */
export type QuantileSupport = 'supported' | 'indicative' | 'none'

export function quantileSupport(quantile: number, samples: number): QuantileSupport {
  const needed = samplesFor(quantile)
  if (samples >= needed) return 'supported'
  return samples * 100 >= needed ? 'indicative' : 'none'
}
