import type { LatencyFigures } from '../figures.ts'
import { kneeOf } from '../statistics/knee.ts'
import type { StepOutcome } from './search.ts'

/** One step of a search, its repeats together. */
export interface CapacityStep {
  /** `perSecond` over `basePerSecond`. */
  readonly multiplier: number
  /** What a step that holds shows to be sustained: `multiplier` less what may pile up unnoticed in it. */
  readonly sustained: number
  /** Offered a second. */
  readonly perSecond: number
  readonly outcome: StepOutcome
  /** How often it was sent. */
  readonly tries: number
  /** The check of the result, below what was found and for longer. */
  readonly isCheck: boolean
  /** One sentence: what decided. */
  readonly what: string
  readonly offered: number
  readonly errors: number
  readonly responseTime: LatencyFigures
}

/**
 * `generator`: our own side. `bound`: the most that was to be tried held. `unknown`: steps beyond what held could not be told. Null where nothing
 * held and nothing failed.
 */
export const CAPACITY_ENDS = ['latency', 'errors', 'throughput', 'generator', 'bound', 'unknown'] as const
export type CapacityEnd = (typeof CAPACITY_ENDS)[number]

/** What a search for the capacity of a target found; multipliers are of the recorded load. */
export interface CapacityResult {
  readonly gates: readonly string[]
  /** 1x, the recorded rate of a search: requests a second of that part of the recordings that its first step measures; and how long steps are. */
  readonly basePerSecond: number
  readonly stepNs: number
  /** Between `low` and `high`; without a `high` it is `low`, and that at least. Null: nothing held. */
  readonly multiplier: number | null
  /** What the target sustained in the greatest step that held, and the least that failed. */
  readonly low: number | null
  readonly high: number | null
  readonly limitedBy: CapacityEnd
  readonly why: string
  /** What became of the check below the result; null: there was none. */
  readonly check: StepOutcome | null
  /** Multiplier from which on the p99 of response times rises faster than the load; null where the steps show none. */
  readonly knee: number | null
  /** In the order in which they were sent. */
  readonly steps: readonly CapacityStep[]
}

/** Fewer points make no curve. */
const LEAST_KNEE_POINTS = 5

/** The multiplier at the knee of p99 over load. */
export function kneeOfSteps(steps: readonly CapacityStep[]): number | null {
  const points = steps.flatMap(({ multiplier, responseTime: { p99Ns }, outcome }) =>
    p99Ns === null || outcome === 'starved' ? [] : [{ x: multiplier, y: p99Ns }],
  )
  const ordered = points.toSorted((a, b) => a.x - b.x)
  if (ordered.length < LEAST_KNEE_POINTS) return null
  const knee = kneeOf(ordered)
  return knee === undefined ? null : (ordered[knee]?.x ?? null)
}
