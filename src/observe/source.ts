/** One value of a source: a counter grows and is told as a rate, a gauge as it is. */
export interface Reading {
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly value: number
}

/** What a source had at a moment. */
export interface Readings {
  readonly readings: readonly Reading[]
  /** What was chosen and is not among them, a sentence; '' for nothing. */
  readonly note: string
}

/** Somewhere that tells how the target fares. `read` rejects with a `MeshError` where it does not, and gives up by itself. */
export interface TargetSource {
  readonly kind: 'scrape' | 'process'
  /** As it is shown: a URL, `pid 4711`. */
  readonly name: string
  read(signal: AbortSignal): Promise<Readings>
}
