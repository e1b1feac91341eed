/**
 * What became of a step of the search. `undecided`: too near the limit to tell at that confidence, however often it was repeated. `starved`: our own
 * side disturbed it, so that it says nothing about the target.
 */
export const STEP_OUTCOMES = ['held', 'failed', 'undecided', 'starved'] as const
export type StepOutcome = (typeof STEP_OUTCOMES)[number]

/** Where the search begins and how far it goes, in multipliers of the recorded load. */
export interface SearchBounds {
  readonly start: number
  /** Nothing below is tried, nor above `most`. */
  readonly least: number
  readonly most: number
}

/** The bracket is narrowed until its ends are this far apart: 5 % either way of what is between them. */
export const BRACKET_RATIO = 1.1

/** From an undecided step upwards, where nothing has failed yet: the limit is near. */
const NEAR_RATIO = 1.25

/** Steps at most, repeats not counted: two brackets from end to end of a thousandfold range take fewer. */
const MAX_STEPS = 40

/**
 * Looks for the greatest multiplier that holds: doubles from the start until a step fails (or halves until one holds), then bisects on
 * the logarithm between the greatest that held and the least that failed. Pure: the caller sends the steps.
 *
 * A step that stays undecided bounds nothing; the search goes on to either side of it, so that it ends up within the bracket. A later step that
 * fails below one that had held takes that one back.
 */
export class CapacitySearch {
  readonly #bounds: SearchBounds
  readonly #held = new Set<number>()
  readonly #undecided = new Set<number>()
  #failed: number | undefined
  #steps = 0
  #starved = false

  constructor(bounds: SearchBounds) {
    this.#bounds = bounds
  }

  /** The greatest multiplier that held with none below it failing; undefined: none has. */
  get low(): number | undefined {
    return greatest([...this.#held].filter((multiplier) => multiplier < (this.#failed ?? Infinity)))
  }

  /** The least that failed. */
  get high(): number | undefined {
    return this.#failed
  }

  /** The multiplier to try next; undefined: there is no more to find out. */
  next(): number | undefined {
    if (this.#starved || this.#steps >= MAX_STEPS) return undefined
    const { low, high } = this
    if (low === undefined) return this.#downwards()
    const between = [...this.#undecided].filter((one) => one > low && one < (high ?? Infinity))
    const nearest = Math.min(high ?? Infinity, ...between)
    if (nearest !== Infinity && nearest / low > BRACKET_RATIO) return Math.sqrt(nearest * low)
    if (high === undefined) {
      const [from, ratio] = between.length > 0 ? [Math.max(...between), NEAR_RATIO] : [low, 2]
      return from >= this.#bounds.most ? undefined : Math.min(from * ratio, this.#bounds.most)
    }
    const furthest = Math.max(low, ...between)
    return high / furthest > BRACKET_RATIO ? Math.sqrt(high * furthest) : undefined
  }

  record(multiplier: number, outcome: StepOutcome): void {
    this.#steps += 1
    if (outcome === 'held') this.#held.add(multiplier)
    else if (outcome === 'undecided') this.#undecided.add(multiplier)
    else if (outcome === 'starved') this.#starved = true
    else this.#failed = Math.min(this.#failed ?? Infinity, multiplier)
  }

  /** Nothing has held yet. */
  #downwards(): number | undefined {
    const { start, least } = this.#bounds
    const tried = [...this.#undecided, ...(this.#failed === undefined ? [] : [this.#failed])]
    if (tried.length === 0) return start
    const lowest = Math.min(...tried)
    return lowest <= least ? undefined : Math.max(lowest / 2, least)
  }
}

function greatest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values)
}
