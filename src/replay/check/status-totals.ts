import type { StatusChange } from '../../measure/reply-check.ts'
import { MAX_CHECK_ROWS } from '../../measure/reply-check.ts'
import { NUMBERS_PER_CHANGE } from './status-changes.ts'

/** Different changes of a run that are told apart; the tallies count those beyond it all the same. */
const MAX_CHANGES = 20_000

/** Which status became which, of all sending threads. */
export class StatusTotals {
  readonly #totals = new Map<string, { route: number; recorded: number; now: number; count: number }>()

  /** Adds what a thread counted: see `StatusChanges.take`. */
  add(numbers: Uint32Array): void {
    for (let at = 0; at < numbers.length; at += NUMBERS_PER_CHANGE) {
      const [route = 0, recorded = 0, now = 0, count = 0] = numbers.subarray(at, at + NUMBERS_PER_CHANGE)
      const key = `${route} ${recorded} ${now}`
      const total = this.#totals.get(key)
      if (total !== undefined) total.count += count
      else if (this.#totals.size < MAX_CHANGES) this.#totals.set(key, { route, recorded, now, count })
    }
  }

  /** The most frequent changes. */
  rows(routeNames: readonly string[]): readonly StatusChange[] {
    const sorted = [...this.#totals.values()].sort((a, b) => b.count - a.count || a.route - b.route)
    return sorted
      .slice(0, MAX_CHECK_ROWS)
      .map(({ route, ...change }) => ({ route: routeNames[route] ?? '', ...change }))
  }
}
