/** Buckets of one recording: 1 MiB of memory. When they are used up, each becomes twice as wide. */
const MAX_BUCKETS = 65_536

/** Narrow enough to find a peak second to a tenth; two hours of a recording fit before it doubles. */
const FIRST_WIDTH_NS = 100e6

/**
 * How many requests one recording has over time, in bounded memory: all, those that will be sent, and the bytes of those. Times are
 * nanoseconds from its first request; earlier ones count as 0.
 */
export class RateTimeline {
  #widthNs = FIRST_WIDTH_NS
  #used = 0
  #all = new Uint32Array(64)
  #sent = new Uint32Array(64)
  #bytes = new Float64Array(64)

  get widthNs(): number {
    return this.#widthNs
  }

  /** Number of buckets up to the last that was used. */
  get length(): number {
    return this.#used
  }

  /** `sentBytes`: undefined where the request will not be sent. */
  add(atNs: number, sentBytes: number | undefined): void {
    let bucket = atNs > 0 ? Math.floor(atNs / this.#widthNs) : 0
    while (bucket >= MAX_BUCKETS) {
      this.#widen()
      bucket = Math.floor(atNs / this.#widthNs)
    }
    if (bucket >= this.#all.length) this.#grow(bucket)
    if (bucket >= this.#used) this.#used = bucket + 1
    this.#all[bucket] = (this.#all[bucket] ?? 0) + 1
    if (sentBytes === undefined) return
    this.#sent[bucket] = (this.#sent[bucket] ?? 0) + 1
    this.#bytes[bucket] = (this.#bytes[bucket] ?? 0) + sentBytes
  }

  all(bucket: number): number {
    return this.#all[bucket] ?? 0
  }

  sent(bucket: number): number {
    return this.#sent[bucket] ?? 0
  }

  bytes(bucket: number): number {
    return this.#bytes[bucket] ?? 0
  }

  #grow(bucket: number): void {
    const length = Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(bucket + 1)))
    const [all, sent, bytes] = [new Uint32Array(length), new Uint32Array(length), new Float64Array(length)]
    all.set(this.#all)
    sent.set(this.#sent)
    bytes.set(this.#bytes)
    this.#all = all
    this.#sent = sent
    this.#bytes = bytes
  }

  #widen(): void {
    this.#widthNs *= 2
    for (let bucket = 0; bucket < this.#used; bucket += 2) {
      const half = bucket / 2
      this.#all[half] = this.all(bucket) + this.all(bucket + 1)
      this.#sent[half] = this.sent(bucket) + this.sent(bucket + 1)
      this.#bytes[half] = this.bytes(bucket) + this.bytes(bucket + 1)
    }
    const kept = Math.ceil(this.#used / 2)
    this.#all.fill(0, kept)
    this.#sent.fill(0, kept)
    this.#bytes.fill(0, kept)
    this.#used = kept
  }
}

/** A timeline laid onto the run: all its times later by `shiftNs` of recorded time. */
export interface PlacedTimeline {
  readonly timeline: RateTimeline
  readonly shiftNs: number
}

/** Seconds of a run that are told apart; in a longer one each bucket is several. */
const MAX_SECONDS = 262_144

/**
 * The most that comes in one second of the run when recorded time is divided by `speed`, up to `endNs` of recorded time.
 * `value`: what a bucket of a timeline weighs that begins at `fromNs` of recorded time.
 */
export function peakPerSecond(
  placed: readonly PlacedTimeline[],
  value: (timeline: RateTimeline, bucket: number, fromNs: number) => number,
  speed: number,
  endNs: number,
): number {
  let lastNs = 0
  for (const { timeline, shiftNs } of placed) lastNs = Math.max(lastNs, shiftNs + timeline.length * timeline.widthNs)
  const slotNs = Math.max(1e9, Math.min(lastNs, endNs) / speed / MAX_SECONDS)
  const slots = new Float64Array(Math.ceil(lastNs / speed / slotNs) + 2)
  for (const { timeline, shiftNs } of placed) {
    for (let bucket = 0; bucket < timeline.length; bucket++) {
      const fromNs = shiftNs + bucket * timeline.widthNs
      if (fromNs > endNs) break
      const weight = value(timeline, bucket, fromNs)
      if (weight > 0) spread(slots, slotNs, fromNs / speed, timeline.widthNs / speed, weight)
    }
  }
  let most = 0
  for (const weight of slots) if (weight > most) most = weight
  return (most * 1e9) / slotNs
}

/** A bucket that is shorter than a slot belongs to the slot it begins in; a longer one is spread over those it covers. */
function spread(slots: Float64Array, slotNs: number, fromNs: number, widthNs: number, weight: number): void {
  const first = Math.floor(fromNs / slotNs)
  const count = Math.max(1, Math.round(widthNs / slotNs))
  for (let slot = first; slot < Math.min(first + count, slots.length); slot++)
    slots[slot] = (slots[slot] ?? 0) + weight / count
}
