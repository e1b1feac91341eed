import { bucketMiddleNs } from './buckets.ts'
import { figuresOf, type LatencyFigures } from './figures.ts'
import type { Histogram } from './histogram.ts'
import type { IntervalSnapshot } from './interval.ts'
import { SpanTally } from './tally.ts'
import { type Pace, Timeline } from './timeline.ts'

const SECOND_NS = 1e9

/** Seconds whose rows carry a histogram per route together: what an HDR histogram a route and second would cost is ten times as much. */
export const SECONDS_PER_BLOCK = 10

/** A second waits this long for workers that are silent (idle ones post nothing), then its row is written without them. */
const MAX_OPEN_SECONDS = 3

/** Default seconds that are kept for a dashboard. */
const RECENT_SECONDS = 120

/** All outcomes that ended in one second, by the workers' clocks. Late ones are in the next row: each outcome is in exactly one. */
export interface SecondRow {
  readonly kind: 'second'
  readonly second: number
  readonly tally: SpanTally
}

/** The same outcomes again, by ten seconds: for the histograms of routes. */
export interface BlockRow {
  readonly kind: 'block'
  readonly fromSecond: number
  /** Included. */
  readonly toSecond: number
  readonly tally: SpanTally
}

export type IntervalRow = SecondRow | BlockRow

/** One second in a few numbers, for a dashboard. */
export interface RecentSecond {
  readonly second: number
  readonly shots: number
  readonly sent: number
  readonly replies: number
  readonly failures: number
  readonly responseTime: LatencyFigures
  readonly serviceTime: LatencyFigures
  readonly lag: LatencyFigures
  readonly blocked: LatencyFigures
  /** Response times as pairs of octave and count, rising: octave n is from 2^n to 2^(n+1) nanoseconds. */
  readonly octaves: readonly (readonly [octave: number, count: number])[]
}

export interface MeasurementOptions {
  /** Sending threads that post snapshots. */
  readonly workers: number
  /** Takes each row when it is complete, in order of time. The row is handed over: nothing changes it any more. */
  readonly onRow?: (row: IntervalRow) => void
  /** Default 120. */
  readonly recentSeconds?: number
}

/**
 * Adds what the sending threads recorded: the whole run, and rows by the second that leave as they are complete.
 *
 * ```
 * worker 0 --snapshot-\                    /--> onRow(second) … onRow(block of ten)
 * worker 1 --snapshot---> add -> seconds --
 * worker 2 --snapshot-/      \-> total, timeline, recent
 * ```
 * Summing the second rows, or the block rows, equals the total exactly. Memory: the total, ten seconds, and the last `recentSeconds`
 * in numbers, however long the run.
 */
export class Measurement {
  /** The whole run so far. */
  readonly total: SpanTally = new SpanTally()
  readonly timeline: Timeline = new Timeline()
  readonly #onRow: ((row: IntervalRow) => void) | undefined
  readonly #recentSeconds: number
  readonly #recent: RecentSecond[] = []
  readonly #open = new Map<number, SpanTally>()
  /** How far each worker's snapshots reach. */
  readonly #reachedNs: number[]
  #nextSecond = 0
  #block: { fromSecond: number; toSecond: number; tally: SpanTally } | undefined

  constructor(options: MeasurementOptions) {
    this.#onRow = options.onRow
    this.#recentSeconds = options.recentSeconds ?? RECENT_SECONDS
    this.#reachedNs = Array.from({ length: options.workers }, () => 0)
  }

  /** The last seconds, oldest first. */
  get recent(): readonly RecentSecond[] {
    return this.#recent
  }

  pace(): Pace {
    return this.timeline.pace()
  }

  add(snapshot: IntervalSnapshot): void {
    this.total.addSnapshot(snapshot)
    this.timeline.add(snapshot.schedule)
    const middle = Math.floor((snapshot.fromNs + snapshot.toNs) / 2 / SECOND_NS)
    const second = Math.max(middle, this.#nextSecond)
    const tally = this.#open.get(second) ?? new SpanTally()
    tally.addSnapshot(snapshot)
    this.#open.set(second, tally)
    this.#reachedNs[snapshot.worker] = Math.max(this.#reachedNs[snapshot.worker] ?? 0, snapshot.toNs)
    this.#closeUntil(this.#completeUntil())
  }

  /** No more snapshots come: writes the rows that are left. */
  finish(): void {
    this.#closeUntil(Number.POSITIVE_INFINITY)
    this.#endBlock()
  }

  /** Seconds before this one get no more outcomes. */
  #completeUntil(): number {
    const reached = Math.floor(Math.min(...this.#reachedNs) / SECOND_NS)
    const newest = Math.max(...this.#open.keys())
    return Math.max(reached, newest - MAX_OPEN_SECONDS)
  }

  #closeUntil(end: number): void {
    const complete = [...this.#open.keys()].filter((second) => second < end).sort((a, b) => a - b)
    for (const second of complete) {
      const tally = this.#open.get(second)
      if (tally === undefined) continue
      this.#open.delete(second)
      this.#nextSecond = second + 1
      this.#remember(second, tally)
      this.#addToBlock(second, tally)
      this.#onRow?.({ kind: 'second', second, tally })
    }
  }

  #remember(second: number, tally: SpanTally): void {
    const total = tally.total()
    this.#recent.push({
      second,
      shots: total.shots,
      sent: total.sent,
      replies: total.replies,
      failures: total.failures,
      responseTime: figuresOf(total.responseTime),
      serviceTime: figuresOf(total.serviceTime),
      lag: figuresOf(tally.lag),
      blocked: figuresOf(tally.blocked),
      octaves: octavesOf(total.responseTime),
    })
    if (this.#recent.length > this.#recentSeconds) this.#recent.shift()
  }

  #addToBlock(second: number, tally: SpanTally): void {
    if (this.#onRow === undefined) return
    const block = Math.floor(second / SECONDS_PER_BLOCK)
    if (this.#block !== undefined && Math.floor(this.#block.fromSecond / SECONDS_PER_BLOCK) !== block) this.#endBlock()
    this.#block ??= { fromSecond: second, toSecond: second, tally: new SpanTally() }
    this.#block.toSecond = second
    this.#block.tally.add(tally)
  }

  #endBlock(): void {
    const block = this.#block
    this.#block = undefined
    if (block !== undefined) this.#onRow?.({ kind: 'block', ...block })
  }
}

function octavesOf(histogram: Histogram): readonly (readonly [octave: number, count: number])[] {
  const octaves = new Map<number, number>()
  histogram.forEachBucket((bucket, count) => {
    const octave = Math.floor(Math.log2(Math.max(1, bucketMiddleNs(bucket))))
    octaves.set(octave, (octaves.get(octave) ?? 0) + count)
  })
  return [...octaves]
}
