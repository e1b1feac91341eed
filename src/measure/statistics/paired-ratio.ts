import { MeshError } from '../../core/errors.ts'
import type { Interval } from './wilson.ts'

/** How a candidate compares with a baseline, pair by pair. */
export interface PairedRatio {
  readonly pairs: number
  /** Candidate over baseline, the middle of what any two pairs say together (Hodges and Lehmann): 1.15 is 15 % more. */
  readonly ratio: number
  /** Where the true ratio lies; `low` 0 and `high` Infinity where so few pairs cannot tell at that confidence (fewer than 6 at 95 %). */
  readonly interval: Interval
  /** How probable a ratio so far from 1, either way, is where there is no difference. */
  readonly pValue: number
}

/**
 * Compares two series that were measured in pairs (blocks of the same requests, one after the other), by the logarithm of each pair's ratio.
 *
 * The test flips signs: without a difference each logarithm could as well have had the other sign. What is summed are the logarithms'
 * ranks (Wilcoxon's signed-rank test), so that a pause in one block counts as one pair and not by its length: of the sum of the logarithms
 * themselves two such pairs among twelve hide a difference of 15 %. It is exact for any symmetric distribution, however few the pairs.
 * The interval inverts this very test (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.3): its
 * ends are means of two pairs, and it leaves 1 out just where `pValue` is at most 1 - confidence. Equal pairs count for neither side.
 *
 * Throws MESH_ERR_INTERNAL for values that are not above 0, or of unequal number.
 */
export function pairedRatio(
  baseline: readonly number[],
  candidate: readonly number[],
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): PairedRatio {
  const logs = logRatios(baseline, candidate)
  if (logs.length === 0) return { pairs: 0, ratio: 1, interval: { low: 0, high: Infinity }, pValue: 1 }
  const means = meansOfTwo(logs)
  const below = signedRankDistribution(logs.length)
  const tail = below.findLastIndex((probability) => probability <= ((1 - confidence) / 2) * (1 + ROUNDING))
  const [least, most] = tail < 0 ? [-Infinity, Infinity] : [means[tail] ?? 0, means[means.length - 1 - tail] ?? 0]
  const [against, inFavour] = [countUpTo(means, 0), countFrom(means, 0)]
  return {
    pairs: logs.length,
    ratio: Math.exp(middleOf(means)),
    interval: { low: Math.exp(least), high: Math.exp(most) },
    pValue: Math.min(1, 2 * (below[Math.min(against, inFavour)] ?? 1)),
  }
}

/** What a series of values above 0 has in its middle, a few outliers or not: as `PairedRatio.ratio` is to its pairs. */
export function middleValue(values: readonly number[]): number {
  return Math.exp(middleOf(meansOfTwo(values.map((value) => Math.log(value)))))
}

/** Logarithms that are equal on paper differ by this much. */
const ROUNDING = 1e-12

function logRatios(baseline: readonly number[], candidate: readonly number[]): readonly number[] {
  if (baseline.length !== candidate.length) {
    const what = `expected pairs, found ${baseline.length} values and ${candidate.length}`
    throw new MeshError('MESH_ERR_INTERNAL', { what })
  }
  return baseline.map((before, index) => {
    const after = candidate[index] ?? 0
    if (before > 0 && after > 0) return Math.log(after / before)
    throw new MeshError('MESH_ERR_INTERNAL', { what: `expected values above 0, found ${before} and ${after}` })
  })
}

/** The means of any two values, each with itself too, sorted (Walsh averages). As many are above 0 as the sum of the ranks of values above 0. */
function meansOfTwo(values: readonly number[]): Float64Array {
  const means = new Float64Array((values.length * (values.length + 1)) / 2)
  let place = 0
  for (const [index, one] of values.entries()) {
    for (const other of values.slice(index)) means[place++] = (one + other) / 2
  }
  return means.sort()
}

/** How probable a sum of ranks of at most 0, 1, 2, ... is where each of so many ranks is in it or not by the fall of a coin. */
function signedRankDistribution(pairs: number): Float64Array {
  const chances = new Float64Array((pairs * (pairs + 1)) / 2 + 1)
  chances[0] = 1
  for (let rank = 1; rank <= pairs; rank++) {
    for (let sum = (rank * (rank + 1)) / 2; sum >= 0; sum--) {
      chances[sum] = ((chances[sum] ?? 0) + (sum < rank ? 0 : (chances[sum - rank] ?? 0))) / 2
    }
  }
  let total = 0
  return chances.map((chance) => (total += chance))
}

function middleOf(sorted: Float64Array): number {
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2
}

/** How many are at most `limit`. */
function countUpTo(sorted: Float64Array, limit: number): number {
  return sorted.length - sorted.reduce((above, value) => (value > limit + ROUNDING ? above + 1 : above), 0)
}

/** How many are at least `limit`. */
function countFrom(sorted: Float64Array, limit: number): number {
  return sorted.reduce((count, value) => (value >= limit - ROUNDING ? count + 1 : count), 0)
}
