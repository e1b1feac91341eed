/** One chunk of so many is timed: reading the clock costs as much as copying a small chunk. */
const SAMPLE_EVERY = 64

/** Eight steps a doubling, from 1 ns to about 4 s: a quantile is right to 9 %. */
const STEPS_PER_DOUBLING = 8
const BUCKETS = 32 * STEPS_PER_DOUBLING

/** How long the relay itself holds chunks, from read to written, as a histogram of samples. */
export class CostSampler {
  readonly #counts = new Uint32Array(BUCKETS)
  #passed = 0
  #samples = 0
  #mostNs = 0

  /** Counts a chunk; true where this one is to be timed. */
  due(): boolean {
    return this.#passed++ % SAMPLE_EVERY === 0
  }

  record(durationNs: number): void {
    const bucket = Math.floor(Math.log2(Math.max(1, durationNs)) * STEPS_PER_DOUBLING)
    const index = Math.min(BUCKETS - 1, bucket)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#samples++
    if (durationNs > this.#mostNs) this.#mostNs = durationNs
  }

  /** The duration in nanoseconds that this share of samples does not exceed; 0 where there are none. */
  quantileNs(share: number): number {
    const wanted = Math.ceil(this.#samples * share)
    let seen = 0
    for (const [index, count] of this.#counts.entries()) {
      seen += count
      if (seen >= wanted && seen > 0) return Math.min(this.#mostNs, Math.round(2 ** ((index + 1) / STEPS_PER_DOUBLING)))
    }
    return 0
  }

  get samples(): number {
    return this.#samples
  }
}
