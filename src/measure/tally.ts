import { NEVER_SENT, SHOT_ERRORS, type ShotError } from '../core/outcome.ts'
import { BUCKET_COUNT } from './buckets.ts'
import { forEachCount } from './counter-pages.ts'
import { Histogram } from './histogram.ts'
import {
  BLOCKED_ROW,
  COUNTS,
  FIRST_ERROR,
  type IntervalSnapshot,
  LAG_ROW,
  MISMATCHES,
  RESPONSE_TIME,
  routeOfRow,
  SUMS_PER_ROW,
  UNRECORDED,
} from './interval.ts'

/** Outcomes of one route (or of several), counted. Adding tallies is all that merging needs: in any order, in any grouping. */
export class Tally {
  /** Of replies and timeouts. */
  readonly responseTime: Histogram = new Histogram()
  readonly serviceTime: Histogram = new Histogram()
  /** Replies by status code. */
  readonly statuses: Map<number, number> = new Map()
  readonly errors: Map<ShotError, number> = new Map()
  /** Replies whose status is not the recorded one. */
  mismatches = 0
  /** Replies to requests whose recorded status is not known. */
  unrecorded = 0
  bytesSent = 0
  bytesReceived = 0

  get replies(): number {
    return sum(this.statuses)
  }

  /** Replies whose recorded status is known: what mismatches are counted of. */
  get comparable(): number {
    return this.replies - this.unrecorded
  }

  get failures(): number {
    return sum(this.errors)
  }

  /** Every shot has one outcome. */
  get shots(): number {
    return this.replies + this.failures
  }

  /** Shots that were sent, or tried. */
  get sent(): number {
    return NEVER_SENT.reduce((sent, error) => sent - (this.errors.get(error) ?? 0), this.shots)
  }

  add(other: Tally): void {
    this.responseTime.add(other.responseTime)
    this.serviceTime.add(other.serviceTime)
    for (const [status, count] of other.statuses) increase(this.statuses, status, count)
    for (const [error, count] of other.errors) increase(this.errors, error, count)
    this.mismatches += other.mismatches
    this.unrecorded += other.unrecorded
    this.bytesSent += other.bytesSent
    this.bytesReceived += other.bytesReceived
  }

  /** Adds one counter of a counts row of a snapshot. */
  addCounter(place: number, count: number): void {
    if (place === MISMATCHES) this.mismatches += count
    else if (place === UNRECORDED) this.unrecorded += count
    else if (place >= FIRST_ERROR) increase(this.errors, SHOT_ERRORS[place - FIRST_ERROR] ?? 'none', count)
    else increase(this.statuses, place, count)
  }
}

/** Outcomes of all routes over a span of time: one second, ten, or the whole run. */
export class SpanTally {
  /** By ordinal of the route; only routes that had outcomes. */
  readonly routes: Map<number, Tally> = new Map()
  readonly blocked: Histogram = new Histogram()
  readonly lag: Histogram = new Histogram()
  /** Outcomes that were due during the warm-up, in no other figure. */
  warmup = 0

  /** All routes together, as a new tally. */
  total(): Tally {
    const total = new Tally()
    for (const tally of this.routes.values()) total.add(tally)
    return total
  }

  add(other: SpanTally): void {
    for (const [route, tally] of other.routes) this.#route(route).add(tally)
    this.blocked.add(other.blocked)
    this.lag.add(other.lag)
    this.warmup += other.warmup
  }

  addSnapshot(snapshot: IntervalSnapshot): void {
    this.warmup += snapshot.warmup
    forEachCount(snapshot.counts, BUCKET_COUNT, (row, index, count) => {
      const place = routeOfRow(row)
      if (place?.kind === COUNTS) this.#route(place.route).addCounter(index, count)
      else this.#histogram(row).addBucket(index, count)
    })
    for (const [position, row] of snapshot.rows.entries()) {
      const first = position * SUMS_PER_ROW
      const [total = 0, least = 0, most = 0] = snapshot.sums.subarray(first, first + SUMS_PER_ROW)
      const place = routeOfRow(row)
      if (place?.kind === COUNTS) {
        const tally = this.#route(place.route)
        tally.bytesSent += total
        tally.bytesReceived += most
      } else this.#histogram(row).addSums(total, least, most)
    }
  }

  #route(route: number): Tally {
    const known = this.routes.get(route)
    if (known !== undefined) return known
    const fresh = new Tally()
    this.routes.set(route, fresh)
    return fresh
  }

  #histogram(row: number): Histogram {
    if (row === BLOCKED_ROW) return this.blocked
    if (row === LAG_ROW) return this.lag
    const place = routeOfRow(row)
    const tally = this.#route(place?.route ?? 0)
    return place?.kind === RESPONSE_TIME ? tally.responseTime : tally.serviceTime
  }
}

function sum(counts: ReadonlyMap<unknown, number>): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}

function increase<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}
