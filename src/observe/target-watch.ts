import { toMeshError } from '../core/errors.ts'
import type { Reading, Readings, TargetSource } from './source.ts'

/** What one source said at one time of the run. Counters are rates, of the time since the source was last read. */
export interface TargetSample {
  /** By the clock that the watch was given. */
  readonly atNs: number
  /** Place of the source in the list that is watched. */
  readonly source: number
  readonly values: ReadonlyMap<string, number>
  /** Why there are no values; '' where there are. */
  readonly failure: string
}

/** One series of a source over the run so far. */
export interface MetricSummary {
  /** As the source names it; of a counter with `/s` behind it. */
  readonly name: string
  readonly count: number
  readonly mean: number
  readonly most: number
  readonly last: number
}

/** What became of one source. */
export interface SourceSummary {
  readonly kind: TargetSource['kind']
  readonly name: string
  /** Times that it was read, and times that it could not be. */
  readonly reads: number
  readonly failures: number
  /** Why the last of those failed; '' for none. */
  readonly lastFailure: string
  /** What was left out of the last page that was read; '' for nothing. */
  readonly note: string
  readonly metrics: readonly MetricSummary[]
}

interface Watched {
  readonly source: TargetSource
  readonly metrics: Map<string, { count: number; mean: number; most: number; last: number }>
  readonly counters: Map<string, { readonly atNs: number; readonly value: number }>
  reads: number
  failures: number
  lastFailure: string
  note: string
  busy: boolean
}

/** Series of one source over a whole run; labels that come and go (a pod's name) would make them endless. */
const MAX_SERIES = 100

/**
 * Reads what tells of the target beside a run, every so often. A source that cannot be read is counted, and
 * never ends a run; one that is slow misses its turns.
 */
export class TargetWatch {
  readonly #watched: readonly Watched[]
  readonly #nowNs: () => number
  readonly #onSample: (sample: TargetSample) => void
  readonly #stop = new AbortController()
  #timer: NodeJS.Timeout | undefined

  /** `onSample` takes what was read. */
  constructor(sources: readonly TargetSource[], nowNs: () => number, onSample: (sample: TargetSample) => void) {
    this.#nowNs = nowNs
    this.#onSample = onSample
    this.#watched = sources.map((source) => {
      const empty = { reads: 0, failures: 0, lastFailure: '', note: '', busy: false }
      return { source, metrics: new Map(), counters: new Map(), ...empty }
    })
  }

  /** Reads at once, for what rates are to be of, and then every `intervalMs`. */
  start(intervalMs: number): void {
    void this.readAll()
    this.#timer = setInterval(() => void this.readAll(), intervalMs)
  }

  /** Reads all sources that are not being read. Never rejects. */
  async readAll(): Promise<void> {
    await Promise.all(this.#watched.map((watched, place) => this.#read(watched, place)))
  }

  /** Reads no more; what is under way is dropped. */
  close(): void {
    clearInterval(this.#timer)
    this.#stop.abort()
  }

  summaries(): readonly SourceSummary[] {
    return this.#watched.map(({ source, metrics, reads, failures, lastFailure, note }) => ({
      kind: source.kind,
      name: source.name,
      reads,
      failures,
      lastFailure,
      note,
      metrics: [...metrics].map(([name, figures]) => ({ name, ...figures })),
    }))
  }

  async #read(watched: Watched, place: number): Promise<void> {
    if (watched.busy || this.#stop.signal.aborted) return
    watched.busy = true
    try {
      const found = await watched.source.read(this.#stop.signal)
      if (!this.#stop.signal.aborted) this.#take(watched, place, found)
    } catch (thrown) {
      if (this.#stop.signal.aborted) return
      watched.reads += 1
      watched.failures += 1
      watched.lastFailure = toMeshError(thrown).message
      // What a counter did while nobody could see it would be told as one peak.
      watched.counters.clear()
      this.#onSample({ atNs: this.#nowNs(), source: place, values: new Map(), failure: watched.lastFailure })
    } finally {
      watched.busy = false
    }
  }

  #take(watched: Watched, place: number, { readings, note }: Readings): void {
    const atNs = this.#nowNs()
    watched.reads += 1
    watched.note = note
    const values = new Map<string, number>()
    for (const reading of readings) {
      const value = valueOf(watched, reading, atNs)
      if (value === undefined) continue
      const name = reading.kind === 'counter' ? `${reading.name}/s` : reading.name
      const known = watched.metrics.get(name)
      if (known === undefined && watched.metrics.size >= MAX_SERIES) continue
      values.set(name, value)
      if (known === undefined) watched.metrics.set(name, { count: 1, mean: value, most: value, last: value })
      else {
        known.count += 1
        // Step by step: a sum of values that are as large as numbers can be is infinite, which JSON has no number for.
        known.mean += value / known.count - known.mean / known.count
        known.most = Math.max(known.most, value)
        known.last = value
      }
    }
    if (values.size > 0) this.#onSample({ atNs, source: place, values, failure: '' })
  }
}

/** Of a counter its rate since it was last read; undefined for the first time, and where it began anew. */
function valueOf({ counters }: Watched, { name, kind, value }: Reading, atNs: number): number | undefined {
  if (kind === 'gauge') return value
  const before = counters.get(name)
  if (before !== undefined || counters.size < MAX_SERIES) counters.set(name, { atNs, value })
  if (before === undefined || value < before.value || atNs <= before.atNs) return undefined
  const rate = ((value - before.value) / (atNs - before.atNs)) * 1e9
  return Number.isFinite(rate) ? rate : undefined
}
