import { BUCKET_COUNT, bucketMiddleNs, bucketOf } from './buckets.ts'

/** Buckets that a histogram starts with, and by which it grows at either end: two octaves, 2 kB. */
const GROWTH = 256

/**
 * A histogram of durations in nanoseconds, exact in count, sum, minimum and maximum, and to 0.4 % in quantiles. It holds
 * the span of buckets that it has seen (some kB). Histograms are added, percentiles never averaged.
 */
export class Histogram {
  /** Bucket of `#counts[0]`. Doubles, because an hour at 60,000/s comes near what 32 bits hold. */
  #first = 0
  #counts = new Float64Array(0)
  #count = 0
  #sumNs = 0
  #minNs = Number.POSITIVE_INFINITY
  #maxNs = 0

  get count(): number {
    return this.#count
  }

  get sumNs(): number {
    return this.#sumNs
  }

  /** 0 where it is empty. */
  get minNs(): number {
    return this.#count === 0 ? 0 : this.#minNs
  }

  get maxNs(): number {
    return this.#maxNs
  }

  get meanNs(): number {
    return this.#count === 0 ? 0 : this.#sumNs / this.#count
  }

  record(durationNs: number): void {
    const ns = durationNs > 0 ? durationNs : 0
    this.addBucket(bucketOf(ns), 1)
    this.addSums(ns, ns, ns)
  }

  /** Adds to one bucket only; whoever calls it adds the sums too. */
  addBucket(bucket: number, count: number): void {
    if (bucket < this.#first || bucket >= this.#first + this.#counts.length) this.#cover(bucket, bucket + 1)
    const place = bucket - this.#first
    this.#counts[place] = (this.#counts[place] ?? 0) + count
    this.#count += count
  }

  /** Adds exact sums of values that were added by bucket. */
  addSums(sumNs: number, minNs: number, maxNs: number): void {
    this.#sumNs += sumNs
    if (minNs < this.#minNs) this.#minNs = minNs
    if (maxNs > this.#maxNs) this.#maxNs = maxNs
  }

  add(other: Histogram): void {
    if (other.#count === 0) return
    const added = other.#counts
    this.#cover(other.#first, other.#first + added.length)
    const counts = this.#counts
    const shift = other.#first - this.#first
    for (let place = 0; place < added.length; place++) {
      counts[shift + place] = (counts[shift + place] ?? 0) + (added[place] ?? 0)
    }
    this.#count += other.#count
    this.addSums(other.#sumNs, other.#minNs, other.#maxNs)
  }

  /** Calls `visit` for each bucket that is not empty, in order. */
  forEachBucket(visit: (bucket: number, count: number) => void): void {
    const counts = this.#counts
    for (let place = 0; place < counts.length; place++) {
      const count = counts[place] ?? 0
      if (count > 0) visit(this.#first + place, count)
    }
  }

  /**
   * The duration that a share `quantile` (0 to 1) of all values does not exceed, by the nearest rank; undefined where it is
   * empty. At most 0.4 % off, and never beyond the exact minimum and maximum.
   */
  quantileNs(quantile: number): number | undefined {
    if (this.#count === 0) return undefined
    const rank = Math.max(1, Math.ceil(quantile * this.#count))
    if (rank >= this.#count) return this.#maxNs
    const counts = this.#counts
    let below = 0
    for (let place = 0; place < counts.length; place++) {
      below += counts[place] ?? 0
      if (below < rank) continue
      return Math.min(this.#maxNs, Math.max(this.#minNs, bucketMiddleNs(this.#first + place)))
    }
    return this.#maxNs
  }

  /** Makes room for buckets from `first` up to and without `end`. */
  #cover(first: number, end: number): void {
    const length = this.#counts.length
    if (length > 0 && first >= this.#first && end <= this.#first + length) return
    const least = length === 0 ? first : Math.min(first, this.#first)
    const most = length === 0 ? end : Math.max(end, this.#first + length)
    const from = least - (least % GROWTH)
    const counts = new Float64Array(Math.min(BUCKET_COUNT, Math.ceil(most / GROWTH) * GROWTH) - from)
    if (length > 0) counts.set(this.#counts, this.#first - from)
    this.#first = from
    this.#counts = counts
  }
}
