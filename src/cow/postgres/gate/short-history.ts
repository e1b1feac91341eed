import type { SentStatement } from './sent-statement.ts'

/** What is short. */
export interface ShortTimes {
  /** A run within this was short. One that took somewhat longer says nothing: we may have been busy ourselves. */
  readonly shortMs: number
  /** A statement that takes longer is not short: others would wait for it. */
  readonly maxShortMs: number
}

/** With more rows, or longer ones, it is not short. */
const MAX_SHORT_ROWS = 100
export const MAX_SHORT_BYTES: number = 256 * 1024
/** Short runs, each by itself, after which a text is trusted to be short. */
const RUNS_TO_TRUST = 3
/** After a run that was not short, so many more are asked for each time. */
const DISTRUST = 4

/** Whether a text has always been short of late. Short statements of several clients share a transaction and a packet. */
export class ShortHistory {
  readonly #times: ShortTimes
  #left = RUNS_TO_TRUST
  #distrust = 1

  constructor(times: ShortTimes) {
    this.#times = times
  }

  get isShort(): boolean {
    return this.#left === 0
  }

  /** Told of a run by itself. */
  note({ durationNs, end }: SentStatement): void {
    const { shortMs, maxShortMs } = this.#times
    if (durationNs > maxShortMs * 1e6 || end.rows > MAX_SHORT_ROWS) this.lose()
    else if (this.#left > 0 && durationNs <= shortMs * 1e6 && end.kind === 'complete') this.#left--
  }

  /** It was not short. */
  lose(): void {
    this.#distrust = Math.min(this.#distrust * DISTRUST, MAX_DISTRUST)
    this.#left = RUNS_TO_TRUST * this.#distrust
  }
}

/** A text that is slow now and then runs alone for a while before it is trusted again. */
const MAX_DISTRUST = 64
