import type { Run } from '../run.ts'
import type { RunSeries } from '../series.ts'

/**
 * What happened a second, by the spans of a run. The last span counts for the seconds that the run had of it. Where all was answered within a second of
 * the last shot, that second has no rate: it was hardly begun when nothing was left to come.
 */
export class SpanRates {
  readonly #spanSeconds: number
  readonly #seconds: number
  readonly #lastSpan: number

  constructor({ timeline }: Pick<Run, 'timeline'>, { spanSeconds, seconds }: RunSeries) {
    const sending = sendingSeconds(timeline)
    const isBrief = sending > 0 && seconds === sending + 1
    this.#spanSeconds = spanSeconds
    this.#seconds = Math.max(seconds, sending)
    this.#lastSpan = Math.ceil((isBrief ? sending : this.#seconds) / spanSeconds) - 1
  }

  /** Of so many in one span; null where it has none. */
  of(span: number, count: number): number | null {
    return span > this.#lastSpan ? null : this.everywhere(span, count)
  }

  /** Also of the second that was hardly begun: of what must not be missing. */
  everywhere(span: number, count: number): number {
    const seconds = Math.min(this.#spanSeconds, this.#seconds - span * this.#spanSeconds)
    return count / Math.max(1, seconds)
  }

  /** Of counts by second. */
  folded(counts: readonly number[]): (number | null)[] {
    const spans: number[] = []
    for (const [second, count] of counts.entries()) {
      const place = Math.floor(second / this.#spanSeconds)
      spans[place] = (spans[place] ?? 0) + count
    }
    return spans.map((count, place) => this.of(place, count))
  }
}

/** Until the last second in which a shot was due; in a closed loop, where none is, in which one was sent. */
function sendingSeconds({ due, sent }: Run['timeline']): number {
  const isSome = (count: number): boolean => count > 0
  const last = due.findLastIndex(isSome)
  return (last < 0 ? sent.findLastIndex(isSome) : last) + 1
}
