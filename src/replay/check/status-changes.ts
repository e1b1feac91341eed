import type { Outcome, OutcomeRecorder } from '../../core/outcome.ts'

/** Different changes that one thread tells apart between two calls of `take`; the tallies count those beyond it all the same. */
const MAX_CHANGES = 4_096

/** Numbers a change: route, recorded status, status now, count. */
export const NUMBERS_PER_CHANGE = 4

/** A status takes so many values in a key. */
const STATUSES = 1_000

/**
 * Counts which status became which, by route, before it passes outcomes on: on the sending thread, where a reply that has its
 * recorded status costs one comparison.
 */
export class StatusChanges implements OutcomeRecorder {
  readonly #next: OutcomeRecorder
  readonly #warmupNs: number
  readonly #counts = new Map<number, number>()

  /** Outcomes due before `warmupNs` are not counted. */
  constructor(next: OutcomeRecorder, warmupNs: number) {
    this.#next = next
    this.#warmupNs = warmupNs
  }

  record(outcome: Outcome): void {
    const { recordedStatus, status } = outcome
    if (recordedStatus !== status && recordedStatus !== 0 && outcome.error === 'none') this.#count(outcome)
    this.#next.record(outcome)
  }

  /** What was counted since the last call, `NUMBERS_PER_CHANGE` numbers each; undefined: nothing. The caller owns the memory. */
  take(): Uint32Array<ArrayBuffer> | undefined {
    if (this.#counts.size === 0) return undefined
    const numbers = new Uint32Array(this.#counts.size * NUMBERS_PER_CHANGE)
    let at = 0
    for (const [key, count] of this.#counts) {
      const [statuses, now] = [Math.floor(key / STATUSES), key % STATUSES]
      numbers.set([Math.floor(statuses / STATUSES), statuses % STATUSES, now, count], at)
      at += NUMBERS_PER_CHANGE
    }
    this.#counts.clear()
    return numbers
  }

  #count({ route, recordedStatus, status, dueNs }: Outcome): void {
    if (dueNs < this.#warmupNs) return
    const key = (route * STATUSES + (recordedStatus % STATUSES)) * STATUSES + (status % STATUSES)
    const count = this.#counts.get(key)
    if (count !== undefined || this.#counts.size < MAX_CHANGES) this.#counts.set(key, (count ?? 0) + 1)
  }
}
