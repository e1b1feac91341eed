import { MeshError } from '../../core/errors.ts'
import { seededRandom } from '../../core/random.ts'
import type { Interval } from './wilson.ts'

/** Up to this many pairs every one of the 2^n sign patterns is looked at: a million at most. */
export const MAX_EXACT_PAIRS = 20

/** Patterns drawn where there are more pairs: the error of a p of 0.01 is 0.0003. */
const SAMPLED_PATTERNS = 100_000

/** How a candidate compares with a baseline, pair by pair. */
export interface PairedRatio {
  readonly pairs: number
  /** Geometric mean of candidate over baseline: 1.15 is 15 % more. */
  readonly ratio: number
  /** Where the true ratio lies; `low` 0 and `high` Infinity where so few pairs cannot tell at that confidence (fewer than 6 at 95 %). */
  readonly interval: Interval
  /** How probable a ratio so far from 1, either way, is where there is no difference. */
  readonly pValue: number
}

/**
 * Compares two series that were measured in pairs (blocks of the same requests, one after the other), by the logarithm of each pair's ratio.
 *
 * The test is Fisher's sign flip: without a difference each logarithm could as well have had the other sign, so the sum that was found is
 * one of 2^n equally likely ones. That is exact for any symmetric distribution, however few the pairs. The interval inverts this very test, so that
 * it leaves 1 out just where `pValue` is at most 1 - confidence; an interval by Student's t would need normal logarithms, which blocks
 * with a pause in one of them are not. Inverting is sorting: flipping the signs of a set of pairs makes the sum no smaller where the mean of that
 * set is at most the value that is tested, so the k-th least and greatest of all means of sets are its ends (Hartigan, JASA 64, 1969).
 *
 * Above 20 pairs, seeded random patterns stand for all. Throws MESH_ERR_INTERNAL for values that are not above 0, or of unequal number.
 */
export function pairedRatio(
  baseline: readonly number[],
  candidate: readonly number[],
  { confidence = 0.95, seed = 1 }: { readonly confidence?: number; readonly seed?: number } = {},
): PairedRatio {
  const logs = logRatios(baseline, candidate)
  if (logs.length === 0) return { pairs: 0, ratio: 1, interval: { low: 0, high: Infinity }, pValue: 1 }
  const means = logs.length <= MAX_EXACT_PAIRS ? allMeans(logs) : sampledMeans(logs, seed)
  means.sort()
  const patterns = means.length + 1
  const rank = Math.floor(((1 - confidence) / 2) * patterns * (1 + ROUNDING))
  const [least, most] = [means[rank - 1] ?? -Infinity, means[means.length - rank] ?? Infinity]
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length
  return {
    pairs: logs.length,
    ratio: Math.exp(mean),
    interval: { low: Math.exp(least), high: Math.exp(most) },
    pValue: Math.min(1, (2 * (1 + Math.min(countUpTo(means, 0), countFrom(means, 0)))) / patterns),
  }
}

/** Sums of doubles that are equal on paper differ by this part. */
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

/** The mean of every set of values but the empty one; each set's sum is that of a smaller set and one value. */
function allMeans(values: readonly number[]): Float64Array {
  const sets = 2 ** values.length
  const sums = new Float64Array(sets)
  const sizes = new Uint8Array(sets)
  for (const [index, value] of values.entries()) {
    const bit = 2 ** index
    for (let rest = 0; rest < bit; rest++) {
      sums[bit + rest] = (sums[rest] ?? 0) + value
      sizes[bit + rest] = (sizes[rest] ?? 0) + 1
    }
  }
  for (let set = 1; set < sets; set++) sums[set] = (sums[set] ?? 0) / (sizes[set] ?? 1)
  return sums.subarray(1)
}

function sampledMeans(values: readonly number[], seed: number): Float64Array {
  const random = seededRandom(seed)
  const means = new Float64Array(SAMPLED_PATTERNS)
  for (let pattern = 0; pattern < means.length;) {
    let [sum, size] = [0, 0]
    for (const value of values) {
      if (random() < 0.5) continue
      sum += value
      size += 1
    }
    if (size === 0) continue
    means[pattern] = sum / size
    pattern += 1
  }
  return means
}

/** How many are at most `limit`. */
function countUpTo(sorted: Float64Array, limit: number): number {
  return sorted.length - sorted.reduce((above, value) => (value > limit + ROUNDING ? above + 1 : above), 0)
}

/** How many are at least `limit`. */
function countFrom(sorted: Float64Array, limit: number): number {
  return sorted.reduce((count, value) => (value >= limit - ROUNDING ? count + 1 : count), 0)
}
