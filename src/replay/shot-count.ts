import type { Survey, SurveyedRecording } from './survey.ts'

/** Where a recording lies in the run, in recorded time. */
export interface PlacedRecording {
  readonly offsetNs: number
  /** How long it is until it starts over, with `loop`. */
  readonly periodNs: number
}

/** Clones are spread evenly over the jitter; so many places of it stand for all. */
const JITTER_SAMPLES = 32

/** Halvings of a span of time: below a nanosecond from any day-long one. */
const BISECTIONS = 60

/** Doublings until a span holds as many shots as are wanted: from a nanosecond beyond any recording. */
const MAX_DOUBLINGS = 100

/**
 * How many shots a run has up to any moment of recorded time: the recordings where they lie, looped where the run has no end, each
 * request copied `copies` times on average, its clones spread over the jitter. Buckets of the timelines are taken as even.
 */
export class ShotCount {
  readonly #recordings: readonly CountedRecording[]
  readonly #endNs: number
  readonly #jitterNs: number
  readonly #copies: number

  /** `endNs`: no recorded request after it is sent; Infinity where the recordings loop. */
  constructor(
    survey: Survey,
    placed: readonly PlacedRecording[],
    run: { readonly endNs: number; readonly jitterNs: number; readonly copies: number },
  ) {
    this.#endNs = run.endNs
    this.#jitterNs = run.jitterNs
    this.#copies = run.copies
    this.#recordings = placed.flatMap(({ offsetNs, periodNs }, index) => {
      const recording = survey.recordings[index]
      if (recording === undefined || recording.sends === 0) return []
      return [new CountedRecording(recording, offsetNs, run.endNs === Infinity ? periodNs : Infinity)]
    })
  }

  /** When the last clone may leave, in recorded time. */
  get spanNs(): number {
    return this.#endNs + this.#jitterNs
  }

  /** All shots; Infinity for a run without an end. */
  get total(): number {
    return this.shotsUntil(this.spanNs)
  }

  /** Shots a second of recorded time, over the whole run or over each recording's period; what is over in one instant lasts a second. */
  get meanPerSecond(): number {
    if (this.spanNs < Infinity) return (this.total * 1e9) / (this.spanNs === 0 ? 1e9 : this.spanNs)
    return this.#recordings.reduce((sum, one) => sum + one.perSecond, 0) * this.#copies
  }

  /** Requests, each counted once, up to and with `spanNs`. */
  requestsUntil(spanNs: number): number {
    const untilNs = Math.min(spanNs, this.#endNs)
    return this.#recordings.reduce((sum, one) => sum + one.until(untilNs), 0)
  }

  /** Requests of the recordings that a run does not come to if it goes up to `spanNs`. */
  requestsBeyond(spanNs: number): number {
    const untilNs = Math.min(spanNs, this.#endNs)
    return this.#recordings.reduce((sum, one) => sum + Math.max(0, one.sends - one.until(untilNs)), 0)
  }

  shotsUntil(spanNs: number): number {
    if (this.#copies === 0) return 0
    const clones = Math.max(0, this.#copies - 1)
    const firsts = this.requestsUntil(spanNs) * (this.#copies - clones)
    if (clones === 0) return firsts
    if (this.#jitterNs === 0) return firsts + this.requestsUntil(spanNs) * clones
    let cloned = 0
    for (let sample = 0; sample < JITTER_SAMPLES; sample++) {
      const shiftNs = (this.#jitterNs * (sample + 0.5)) / JITTER_SAMPLES
      cloned += this.requestsUntil(spanNs - shiftNs) / JITTER_SAMPLES
    }
    return firsts + cloned * clones
  }

  /**
   * The factor on time with which the run has a mean of `perSecond`, over `durationNs` where it is cut there. The slowest of several:
   * the least squeezed.
   */
  speedFor(perSecond: number, durationNs: number): number {
    const mean = this.meanPerSecond
    if (mean === 0) return 1
    if (durationNs <= 0) return perSecond / mean
    const wanted = (perSecond * durationNs) / 1e9
    if (this.total <= wanted) return perSecond / mean
    let [tooShortNs, spanNs] = [0, Math.max(1, (durationNs * perSecond) / mean)]
    for (let doubling = 0; doubling < MAX_DOUBLINGS && this.shotsUntil(spanNs) < wanted; doubling++) spanNs *= 2
    for (let halving = 0; halving < BISECTIONS; halving++) {
      const middleNs = (tooShortNs + spanNs) / 2
      if (this.shotsUntil(middleNs) < wanted) tooShortNs = middleNs
      else spanNs = middleNs
    }
    return spanNs / durationNs
  }
}

/** The requests of one recording that are to be sent, over time. */
class CountedRecording {
  readonly sends: number
  readonly #offsetNs: number
  readonly #periodNs: number
  readonly #spanNs: number
  readonly #widthNs: number
  /** Requests before each bucket of the timeline, and after the last. */
  readonly #before: Float64Array

  /** `periodNs`: Infinity where it is played once. */
  constructor(recording: SurveyedRecording, offsetNs: number, periodNs: number) {
    const { timeline, sends, fromNs, toNs } = recording
    this.sends = sends
    this.#offsetNs = offsetNs
    this.#periodNs = periodNs
    this.#spanNs = toNs - fromNs
    this.#widthNs = timeline.widthNs
    this.#before = new Float64Array(timeline.length + 1)
    for (let bucket = 0; bucket < timeline.length; bucket++) {
      this.#before[bucket + 1] = (this.#before[bucket] ?? 0) + timeline.sent(bucket)
    }
  }

  get perSecond(): number {
    return (this.sends * 1e9) / this.#periodNs
  }

  /** Up to and with `runNs` of the run. */
  until(runNs: number): number {
    const ownNs = runNs - this.#offsetNs
    if (ownNs < 0) return 0
    if (this.#periodNs === Infinity) return this.#once(ownNs)
    if (ownNs === Infinity) return Infinity
    const rounds = Math.floor(ownNs / this.#periodNs)
    return rounds * this.sends + this.#once(ownNs - rounds * this.#periodNs)
  }

  #once(ownNs: number): number {
    if (ownNs >= this.#spanNs) return this.sends
    const bucket = Math.min(Math.floor(ownNs / this.#widthNs), this.#before.length - 1)
    const before = this.#before[bucket] ?? 0
    const within = (this.#before[bucket + 1] ?? before) - before
    return Math.min(this.sends, before + within * (ownNs / this.#widthNs - bucket))
  }
}
