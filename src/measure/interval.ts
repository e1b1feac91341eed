import { type Outcome, type OutcomeRecorder, SHOT_ERRORS, type ShotError } from '../core/outcome.ts'
import { BUCKET_COUNT, bucketOf } from './buckets.ts'
import { CounterPages, type PageCounts, pagesPerRow } from './counter-pages.ts'

/**
 * Rows of an interval: blocked and lag of all shots, then for each route response time, service time and counts.
 * A histogram's counters are its buckets; those of the counts are status codes (below 1,000), errors, mismatches, and replies to
 * requests whose reply was not recorded.
 */
export const BLOCKED_ROW = 0
export const LAG_ROW = 1
const FIRST_ROUTE_ROW = 2
const ROWS_PER_ROUTE = 3
export const RESPONSE_TIME = 0
export const SERVICE_TIME = 1
export const COUNTS = 2

/** Places in a counts row: status code `n` at `n`, error `SHOT_ERRORS[i]` at `FIRST_ERROR + i`. */
export const FIRST_ERROR = 1008
export const MISMATCHES = 1024
export const UNRECORDED = 1025

/** Sums beside a row: of a histogram its sum, minimum and maximum in ns, of a counts row bytes sent, infinity, bytes received. */
export const SUMS_PER_ROW = 3
const PAGES_PER_ROW = pagesPerRow(BUCKET_COUNT)

/** Seconds of a run that are told apart in the schedule; what is later counts in the last. Eleven days. */
const MAX_SECONDS = 1_000_000

const NONE: ShotError = 'none'
const ERROR_PLACES: ReadonlyMap<ShotError, number> = new Map(SHOT_ERRORS.map((error, index) => [error, index]))

/**
 * What one sending thread recorded between two calls of `take`: plain data for `postMessage`, its memory transferable
 * (`snapshotBuffers`). Small where little was recorded. `Measurement.add` reads it.
 */
export interface IntervalSnapshot {
  readonly worker: number
  /** From the last take to this one, in nanoseconds from the run's origin. */
  readonly fromNs: number
  readonly toNs: number
  /** Outcomes in it, without those of the warm-up. */
  readonly outcomes: number
  /** Outcomes that were due during the warm-up: counted here and nowhere else. */
  readonly warmup: number
  /** Histograms and counts, see the row constants. */
  readonly counts: PageCounts
  /** Rows that were touched, and three sums each. */
  readonly rows: Uint32Array<ArrayBuffer>
  readonly sums: Float64Array<ArrayBuffer>
  /** Three numbers a second of the run: the second, shots that were due in it, shots that were sent in it. */
  readonly schedule: Uint32Array<ArrayBuffer>
}

export interface IntervalRecorderOptions {
  /** Ordinal of the sending thread. */
  readonly worker: number
  /** Routes that are expected; grows when a higher one comes. */
  readonly routeCount: number
  /** Where the first interval begins. Default 0, the run's origin. */
  readonly fromNs?: number
  /** Outcomes due before this are left out of every figure, and counted. Default: no warm-up. */
  readonly warmupNs?: number
}

/**
 * Counts outcomes on the sending thread. `record` allocates nothing in a steady state and takes well under a microsecond; the thread calls
 * `take` once a second and once at the end,
 * and posts what it gets.
 *
 * Response and service time are recorded for replies and for timeouts: who gave up waited at least that long, and a target
 * must not look faster for losing its slowest. Other errors are counted only: a refusal takes no time and would flatter the
 * percentiles. Blocked and lag are recorded for every shot that was sent or tried, so not for `shed` and `aborted`.
 */
export class IntervalRecorder implements OutcomeRecorder {
  readonly #worker: number
  #warmupNs: number
  #fromNs: number
  #routes: number
  #outcomes = 0
  #warmup = 0
  readonly #counters: CounterPages
  #sums: Float64Array<ArrayBuffer>
  readonly #schedule = new SecondCounts()

  constructor(options: IntervalRecorderOptions) {
    this.#worker = options.worker
    this.#warmupNs = options.warmupNs ?? Number.NEGATIVE_INFINITY
    this.#fromNs = options.fromNs ?? 0
    this.#routes = Math.max(1, options.routeCount)
    const rows = FIRST_ROUTE_ROW + this.#routes * ROWS_PER_ROUTE
    this.#counters = new CounterPages(rows, BUCKET_COUNT)
    this.#sums = emptySums(rows)
  }

  record(outcome: Outcome): void {
    const { dueNs, sentNs, doneNs, error, status } = outcome
    if (dueNs < this.#warmupNs) {
      this.#warmup += 1
      return
    }
    if (outcome.route >= this.#routes) this.#growRoutes(outcome.route + 1)
    this.#outcomes += 1
    const row = FIRST_ROUTE_ROW + outcome.route * ROWS_PER_ROUTE
    const counters = this.#counters
    const sums = this.#sums
    addBytes(sums, row + COUNTS, outcome.bytesSent, outcome.bytesReceived)
    if (error === NONE) {
      counters.count(row + COUNTS, status >= 0 && status < 1000 ? status : 0)
      const { recordedStatus } = outcome
      if (recordedStatus !== status) counters.count(row + COUNTS, recordedStatus === 0 ? UNRECORDED : MISMATCHES)
    } else {
      counters.count(row + COUNTS, FIRST_ERROR + (ERROR_PLACES.get(error) ?? 0))
      if (error === 'aborted') return
      if (error === 'shed' || error === 'correlation_lost') {
        this.#schedule.count(dueNs, -1)
        return
      }
    }
    this.#schedule.count(dueNs, sentNs)
    if (error === NONE || error === 'timeout') {
      observe(counters, sums, row + RESPONSE_TIME, doneNs - dueNs)
      observe(counters, sums, row + SERVICE_TIME, doneNs - sentNs)
    }
    const readyNs = outcome.readyNs > dueNs ? outcome.readyNs : dueNs
    observe(counters, sums, BLOCKED_ROW, readyNs - dueNs)
    observe(counters, sums, LAG_ROW, sentNs - readyNs)
  }

  /** From now on, outcomes due before this are left out, and counted as warm-up. Nanoseconds from the run's origin. */
  measureFrom(dueNs: number): void {
    this.#warmupNs = dueNs
  }

  /** What was recorded since the last call, or undefined where nothing was. `nowNs` from the run's origin. */
  take(nowNs: number): IntervalSnapshot | undefined {
    const fromNs = this.#fromNs
    this.#fromNs = nowNs
    if (this.#outcomes === 0 && this.#warmup === 0) return undefined
    const counts = this.#counters.take()
    const rows = rowsOf(counts)
    const snapshot: IntervalSnapshot = {
      worker: this.#worker,
      fromNs,
      toNs: nowNs,
      outcomes: this.#outcomes,
      warmup: this.#warmup,
      counts,
      rows,
      sums: takeSums(this.#sums, rows),
      schedule: this.#schedule.take(),
    }
    this.#outcomes = 0
    this.#warmup = 0
    return snapshot
  }

  #growRoutes(routes: number): void {
    this.#routes = Math.max(routes, this.#routes * 2)
    const rows = FIRST_ROUTE_ROW + this.#routes * ROWS_PER_ROUTE
    this.#counters.growRows(rows)
    const sums = emptySums(rows)
    sums.set(this.#sums)
    this.#sums = sums
  }
}

/** Counts shots by the second in which they were due, and by that in which they were sent. */
class SecondCounts {
  #due = new Uint32Array(256)
  #sent = new Uint32Array(256)
  #first = MAX_SECONDS
  #last = -1

  /** `sentNs` below 0: it was not sent. */
  count(dueNs: number, sentNs: number): void {
    const due = this.#place(dueNs)
    this.#due[due] = (this.#due[due] ?? 0) + 1
    if (sentNs < 0) return
    const sent = this.#place(sentNs)
    this.#sent[sent] = (this.#sent[sent] ?? 0) + 1
  }

  take(): Uint32Array<ArrayBuffer> {
    const triples: number[] = []
    for (let second = this.#first; second <= this.#last; second++) {
      const [due, sent] = [this.#due[second] ?? 0, this.#sent[second] ?? 0]
      if (due > 0 || sent > 0) triples.push(second, due, sent)
    }
    this.#due.fill(0, Math.min(this.#first, this.#due.length), this.#last + 1)
    this.#sent.fill(0, Math.min(this.#first, this.#sent.length), this.#last + 1)
    this.#first = MAX_SECONDS
    this.#last = -1
    return Uint32Array.from(triples)
  }

  #place(ns: number): number {
    const second = ns > 0 ? Math.min(MAX_SECONDS - 1, Math.floor(ns / 1e9)) : 0
    if (second < this.#first) this.#first = second
    if (second > this.#last) this.#last = second
    if (second >= this.#due.length) {
      const length = Math.min(MAX_SECONDS, second * 2)
      const [due, sent] = [new Uint32Array(length), new Uint32Array(length)]
      due.set(this.#due)
      sent.set(this.#sent)
      this.#due = due
      this.#sent = sent
    }
    return second
  }
}

/** One duration into a histogram's row. Sums are passed, not read from the recorder: reading a private field costs more than adding. */
function observe(counters: CounterPages, sums: Float64Array, row: number, durationNs: number): void {
  const ns = durationNs > 0 ? durationNs : 0
  counters.count(row, bucketOf(ns))
  const first = row * SUMS_PER_ROW
  sums[first] = (sums[first] ?? 0) + ns
  if (ns < (sums[first + 1] ?? 0)) sums[first + 1] = ns
  if (ns > (sums[first + 2] ?? 0)) sums[first + 2] = ns
}

function addBytes(sums: Float64Array, row: number, sent: number, received: number): void {
  const first = row * SUMS_PER_ROW
  sums[first] = (sums[first] ?? 0) + sent
  sums[first + 2] = (sums[first + 2] ?? 0) + received
}

/** Sum 0, minimum infinite, maximum 0. */
function emptySums(rows: number): Float64Array<ArrayBuffer> {
  const sums = new Float64Array(rows * SUMS_PER_ROW)
  for (let place = 1; place < sums.length; place += SUMS_PER_ROW) sums[place] = Number.POSITIVE_INFINITY
  return sums
}

function takeSums(from: Float64Array, rows: Uint32Array): Float64Array<ArrayBuffer> {
  const sums = new Float64Array(rows.length * SUMS_PER_ROW)
  for (const [index, row] of rows.entries()) {
    const first = row * SUMS_PER_ROW
    sums.set(from.subarray(first, first + SUMS_PER_ROW), index * SUMS_PER_ROW)
    from[first] = 0
    from[first + 1] = Number.POSITIVE_INFINITY
    from[first + 2] = 0
  }
  return sums
}

function rowsOf(counts: PageCounts): Uint32Array<ArrayBuffer> {
  const rows = new Set<number>()
  for (const key of counts.keys) rows.add(Math.floor(key / PAGES_PER_ROW))
  return Uint32Array.from(rows)
}

/** The memory behind a snapshot, for the transfer list of `postMessage`. */
export function snapshotBuffers(snapshot: IntervalSnapshot): ArrayBuffer[] {
  const { counts, rows, sums, schedule } = snapshot
  return [counts.keys.buffer, counts.cells.buffer, rows.buffer, sums.buffer, schedule.buffer]
}

/** Which row of which route: `{ route, kind }`, kind as in `RESPONSE_TIME`, `SERVICE_TIME`, `COUNTS`. */
export function routeOfRow(row: number): { readonly route: number; readonly kind: number } | undefined {
  if (row < FIRST_ROUTE_ROW) return undefined
  const place = row - FIRST_ROUTE_ROW
  return { route: Math.floor(place / ROWS_PER_ROUTE), kind: place % ROWS_PER_ROUTE }
}
