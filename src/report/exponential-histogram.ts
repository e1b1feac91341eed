import { bucketMiddleNs } from '../measure/buckets.ts'
import type { Histogram } from '../measure/histogram.ts'

/** As many as the OpenTelemetry SDKs keep (MaxSize): the finest scale that needs no more is taken. */
const MAX_BUCKETS = 160

/** Steps an octave as fine as those of our own buckets. */
const FINEST_SCALE = 7

/** What is in our first bucket is too short to be told apart: zero, as far as the histogram goes. */
const ZERO_SECONDS = 512e-9

/**
 * A histogram on a scale of powers: bucket i holds what is above `base ** i` and up to `base ** (i + 1)`, where base is
 * `2 ** (2 ** -scale)`; `counts[n]` is of bucket `offset + n`. Source: opentelemetry-proto, metrics.proto, ExponentialHistogramDataPoint.
 */
export interface ExponentialHistogram {
  readonly scale: number
  readonly zeroCount: number
  readonly zeroThreshold: number
  readonly offset: number
  readonly counts: readonly number[]
}

/** The same counts in seconds. A value moves by half of a bucket's width at most: 0.3 % at the finest scale, 4.4 % over 20 octaves. */
export function exponentialHistogram(histogram: Histogram): ExponentialHistogram {
  const fine = new Map<number, number>()
  let zeroCount = 0
  histogram.forEachBucket((bucket, count) => {
    if (bucket === 0) zeroCount += count
    else {
      const index = Math.ceil(Math.log2(bucketMiddleNs(bucket) / 1e9) * 2 ** FINEST_SCALE) - 1
      fine.set(index, (fine.get(index) ?? 0) + count)
    }
  })
  const [least, most] = [Math.min(...fine.keys()), Math.max(...fine.keys())]
  let coarser = 0
  while (fine.size > 0 && (most >> coarser) - (least >> coarser) >= MAX_BUCKETS) coarser++
  const offset = fine.size === 0 ? 0 : least >> coarser
  const counts = Array.from({ length: fine.size === 0 ? 0 : (most >> coarser) - offset + 1 }, () => 0)
  for (const [index, count] of fine) {
    const place = (index >> coarser) - offset
    counts[place] = (counts[place] ?? 0) + count
  }
  return { scale: FINEST_SCALE - coarser, zeroCount, zeroThreshold: ZERO_SECONDS, offset, counts }
}
