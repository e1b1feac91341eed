import type { Counts } from './run.ts'
import { Histogram } from '../measure/histogram.ts'

/** Spans that a run is told in, at most: a chart has no room for more, and each has its histograms. */
export const MAX_SPANS = 720

/** What happened in a span of a run. Spans are added: counts are summed, histograms added, percentiles taken of the sum. */
export interface Span {
  shots: number
  sent: number
  replies: number
  /** Replies by status code. */
  readonly statuses: Map<string, number>
  /** Shots without a reply, by class. */
  readonly errors: Map<string, number>
  readonly responseTime: Histogram
  readonly serviceTime: Histogram
  /** The worst second's; null where nothing was sent. */
  lagP99Ns: number | null
}

/** One second of a run, as `intervals.ndjson` has it. */
export interface SecondOfRun {
  readonly second: number
  readonly shots: number
  readonly sent: number
  readonly replies: number
  readonly statuses: Counts
  readonly errors: Counts
  readonly responseTime: Histogram
  readonly serviceTime: Histogram
  readonly lagP99Ns: number | null
  readonly routes: readonly { readonly route: number; readonly p99Ns: number | null }[]
}

/** What one metric of the target was over a run: the mean of each span, null where nothing was read. */
export interface TargetLine {
  /** Place in the run's list of what was watched. */
  readonly source: number
  readonly name: string
  /** Of its own: readings may be rarer than seconds. */
  readonly spanSeconds: number
  readonly values: readonly (number | null)[]
}

/**
 * A run over time, in at most 720 spans of equal length however long it was: when they are used up, each becomes twice as long.
 * About 10 MB.
 */
export class RunSeries {
  /** Length of a span in seconds: 1, 2, 4, … */
  spanSeconds = 1
  /** Of the run, up to the last in which anything happened. */
  seconds = 0
  readonly spans: Span[] = []
  /** By route: the worst second's p99 of response time, span by span; null where it had no reply. */
  readonly routeP99Ns: Map<number, (number | null)[]> = new Map()
  /** What the target told of itself meanwhile. */
  target: readonly TargetLine[] = []
  /** Seconds that could not be read, of a file that was cut or damaged. */
  unread = 0

  add(row: SecondOfRun): void {
    this.seconds = Math.max(this.seconds, row.second + 1)
    while (row.second / this.spanSeconds >= MAX_SPANS) this.#widen()
    const place = Math.floor(row.second / this.spanSeconds)
    while (this.spans.length <= place) this.spans.push(emptySpan())
    const span = this.spans[place]
    if (span !== undefined) addTo(span, row)
    for (const { route, p99Ns } of row.routes) {
      const spans = this.routeP99Ns.get(route) ?? []
      this.routeP99Ns.set(route, spans)
      while (spans.length <= place) spans.push(null)
      spans[place] = greater(spans[place] ?? null, p99Ns)
    }
  }

  #widen(): void {
    this.spanSeconds *= 2
    const old = this.spans.splice(0)
    for (const [index, span] of old.entries()) {
      if (index % 2 === 0) this.spans.push(span)
      else addTo(this.spans.at(-1) ?? emptySpan(), span)
    }
    for (const spans of this.routeP99Ns.values()) {
      const seconds = spans.splice(0)
      for (let index = 0; index < seconds.length; index += 2) {
        spans.push(greater(seconds[index] ?? null, seconds[index + 1] ?? null))
      }
    }
  }
}

function emptySpan(): Span {
  return {
    shots: 0,
    sent: 0,
    replies: 0,
    statuses: new Map(),
    errors: new Map(),
    responseTime: new Histogram(),
    serviceTime: new Histogram(),
    lagP99Ns: null,
  }
}

function addTo(span: Span, other: Omit<SecondOfRun, 'second' | 'routes'> | Span): void {
  span.shots += other.shots
  span.sent += other.sent
  span.replies += other.replies
  addCounts(span.statuses, other.statuses)
  addCounts(span.errors, other.errors)
  span.responseTime.add(other.responseTime)
  span.serviceTime.add(other.serviceTime)
  span.lagP99Ns = greater(span.lagP99Ns, other.lagP99Ns)
}

function addCounts(to: Map<string, number>, counts: Counts | ReadonlyMap<string, number>): void {
  for (const [name, count] of counts instanceof Map ? counts : Object.entries(counts)) {
    to.set(name, (to.get(name) ?? 0) + count)
  }
}

function greater(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.max(a, b)
}
