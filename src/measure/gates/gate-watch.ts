import type { SecondRow } from '../measurement.ts'
import { SpanTally } from '../tally.ts'
import type { Gate } from './gate.ts'
import { holds } from './gate.ts'
import { type GateSpan, readMetric } from './reading.ts'

/** What a gate that can stop a run has seen of it so far. */
export interface SeenSeconds {
  /** The value furthest on the wrong side; undefined: no second had one. */
  readonly worst: number | undefined
  /** Seconds in a row in which it held, at most. */
  readonly longest: number
  readonly samples: number
  readonly aborted: boolean
}

interface Watched {
  readonly gate: Gate
  readonly limit: number
  readonly afterSeconds: number
  worst: number | undefined
  inRow: number
  longest: number
  samples: number
  aborted: boolean
}

/** Later seconds than this are not filled in one by one. */
const MAX_GAP_SECONDS = 3600

/**
 * Watches a run second by second for gates of `for 10s => abort`: calls `onAbort` once, when the condition of one has held for so many
 * seconds in a row. Each second is judged by its own outcomes, those that ended in it. A second without a sample neither counts nor breaks
 * the row, except for rates and counts, which are 0 in it.
 */
export class GateWatch {
  readonly #watched: readonly Watched[]
  readonly #routeNames: readonly string[]
  readonly #onAbort: (gate: Gate) => void
  #lastSecond: number | undefined
  #abortedBy: Gate | undefined
  #ended = false

  /** `routeNames` may grow. Gates that judge the end of a run only are left alone. */
  constructor(gates: readonly Gate[], routeNames: readonly string[], onAbort: (gate: Gate) => void) {
    this.#watched = gates.flatMap((gate) => watchedOf(gate) ?? [])
    this.#routeNames = routeNames
    this.#onAbort = onAbort
  }

  /** The gate that stopped the run. */
  get abortedBy(): Gate | undefined {
    return this.#abortedBy
  }

  seen(gate: Gate): SeenSeconds | undefined {
    return this.#watched.find((watched) => watched.gate === gate)
  }

  /** The run has ended by itself: what is still to come is looked at, and stops nothing. */
  end(): void {
    this.#ended = true
  }

  /** Takes the next second, in order of time. What ends after the run was stopped is not looked at. */
  add({ second, tally }: SecondRow): void {
    if (this.#watched.length === 0 || this.#abortedBy !== undefined) return
    // Outcomes of the warm-up are not in the tally: a second of nothing else is not part of what is measured.
    if (tally.routes.size === 0) return
    const from = Math.max((this.#lastSecond ?? second - 1) + 1, second - MAX_GAP_SECONDS)
    this.#lastSecond = second
    for (let silent = from; silent < second && this.#abortedBy === undefined; silent++) this.#judge(new SpanTally())
    if (this.#abortedBy === undefined) this.#judge(tally)
  }

  #judge(tally: SpanTally): void {
    const span = { tally, total: tally.total(), spanNs: 1e9 }
    for (const watched of this.#watched) {
      const value = this.#valueOf(watched, span)
      if (value === undefined) continue
      const { gate, limit } = watched
      watched.worst = worse(watched.worst, value, gate)
      watched.inRow = holds(value, gate.comparison, limit) ? watched.inRow + 1 : 0
      watched.longest = Math.max(watched.longest, watched.inRow)
      if (this.#ended || watched.inRow < watched.afterSeconds || this.#abortedBy !== undefined) continue
      watched.aborted = true
      this.#abortedBy = gate
      this.#onAbort(gate)
    }
  }

  #valueOf(watched: Watched, span: GateSpan): number | undefined {
    const { unit } = watched.gate.metric
    const { value, samples } = readMetric(watched.gate, span, this.#routeNames)
    watched.samples += samples
    return value ?? (unit === 'count' || unit === 'per_second' ? 0 : undefined)
  }
}

function watchedOf(gate: Gate): Watched | undefined {
  if (gate.abortAfterSeconds === undefined || gate.limit.kind !== 'value') return undefined
  const seen = { worst: undefined, inRow: 0, longest: 0, samples: 0, aborted: false }
  return { gate, limit: gate.limit.value, afterSeconds: gate.abortAfterSeconds, ...seen }
}

/** What is nearer to stopping the run. */
function worse(before: number | undefined, value: number, { comparison }: Gate): number {
  if (before === undefined) return value
  return comparison === '<' || comparison === '<=' ? Math.min(before, value) : Math.max(before, value)
}
