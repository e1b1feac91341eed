/**
 * The log-linear scale of every histogram here: 128 steps an octave (7 mantissa bits), so that a value is known to 1/128 of
 * itself, and half of that by the middle of its step. Values are nanoseconds.
 *
 * ```
 * bucket      0 | 1 … 128      | 129 … 256     | …  | 4097 … 4224
 * from ns     0 | 2^9 (512 ns) | 2^10 (1 us)   | …  | 2^41 (37 min) … 2^42 (73 min)
 * ```
 * What is shorter is in bucket 0 (too short to matter), what is longer in the last one; minimum, maximum and sum are kept
 * exactly beside the buckets.
 */
const MANTISSA_BITS = 7
const STEPS = 1 << MANTISSA_BITS
const FIRST_OCTAVE = 9
const OCTAVES = 33

export const BUCKET_COUNT: number = OCTAVES * STEPS + 1
const LAST_BUCKET = BUCKET_COUNT - 1
const LEAST_NS = 2 ** FIRST_OCTAVE
const MOST_NS = 2 ** (FIRST_OCTAVE + OCTAVES)

/** The bits of a double are already exponent and mantissa: its upper half, shifted, is the bucket. */
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
const upperWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0
const MANTISSA_SHIFT = 20 - MANTISSA_BITS
const BUCKET_BASE = (1023 + FIRST_OCTAVE) * STEPS - 1

/** The bucket of a duration in nanoseconds. Negative and NaN are in bucket 0. */
export function bucketOf(ns: number): number {
  if (!(ns >= LEAST_NS)) return 0
  if (ns >= MOST_NS) return LAST_BUCKET
  value[0] = ns
  return ((words[upperWord] ?? 0) >>> MANTISSA_SHIFT) - BUCKET_BASE
}

/** The first nanosecond of a bucket. */
export function bucketLowNs(bucket: number): number {
  if (bucket <= 0) return 0
  const step = bucket - 1
  return 2 ** (FIRST_OCTAVE + (step >>> MANTISSA_BITS)) * (1 + (step & (STEPS - 1)) / STEPS)
}

/** The middle of a bucket: what is printed for a value in it, at most 0.4 % off. */
export function bucketMiddleNs(bucket: number): number {
  if (bucket <= 0) return LEAST_NS / 2
  return bucketLowNs(bucket) + 2 ** (FIRST_OCTAVE - MANTISSA_BITS - 1 + ((bucket - 1) >>> MANTISSA_BITS))
}
