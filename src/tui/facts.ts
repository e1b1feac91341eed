import type { LatencyFigures } from '../measure/figures.ts'
import type { GateResult } from '../measure/gates/gate-result.ts'
import type { Counts } from '../report/run.ts'

/** Seconds that sparklines and the heat strip show, at most. */
export const SHOWN_SECONDS = 60

/** What the dashboard shows large: all of it, the routes, the replies and errors, or its keys. */
export const VIEWS = ['all', 'routes', 'errors', 'help'] as const
export type View = (typeof VIEWS)[number]

/** One second of a run on the dashboard. Latencies are response times of what ended in it; null: nothing did. */
export interface ShownSecond {
  readonly due: number
  readonly sent: number
  readonly replies: number
  readonly failures: number
  readonly p50Ns: number | null
  readonly p90Ns: number | null
  readonly p99Ns: number | null
  readonly p999Ns: number | null
  readonly lagP99Ns: number | null
  /** Pairs of octave and count, by rising octave: octave n is of response times from 2^n to 2^(n+1) nanoseconds. */
  readonly octaves: readonly (readonly [octave: number, count: number])[]
}

export interface ShownRoute {
  readonly name: string
  readonly replies: number
  readonly failures: number
  readonly p50Ns: number | null
  readonly p99Ns: number | null
}

/** How our own side does: `near` where it comes close to what would make the run invalid, `bad` where it would be by now. */
export interface ShownHealth {
  readonly level: 'good' | 'near' | 'bad'
  /** Why it is not good, the worst first. */
  readonly reasons: readonly string[]
  /** The thread that waited most for a CPU; undefined: the system does not tell. */
  readonly waitShare: number | undefined
  readonly loopDelayP99Ns: number | undefined
}

/** Everything that one frame of the dashboard shows: plain data, made on the main thread and posted to the one that draws. */
export interface DashboardFacts {
  readonly target: string
  readonly view: View
  readonly columns: number
  readonly rows: number
  readonly elapsedNs: number
  /** By the plan and the operator's changes; null: no end, or paused. */
  readonly leftNs: number | null
  /** Of the schedule, 0 to 1; null where it has no end. */
  readonly progress: number | null
  /** `stage 2 of 3, 5m0s:3x, 1m20s left`; '' where there are none. */
  readonly stage: string
  /** 0: paused. 1: as planned. */
  readonly speed: number
  readonly state: 'waiting' | 'warming up' | 'running' | 'stopping'
  readonly loop: 'open' | 'closed'
  readonly unanswered: number
  readonly connections: number
  /** Oldest first, at most `SHOWN_SECONDS`. */
  readonly seconds: readonly ShownSecond[]
  /** Of the whole run so far, the warm-up left out. */
  readonly total: {
    readonly replies: number
    readonly responseTime: LatencyFigures
    readonly statuses: Counts
    readonly errors: Counts
    readonly mismatches: number
  }
  /** What the response check found so far; '' where there is none. */
  readonly check: string
  /** The slowest first. */
  readonly routes: readonly ShownRoute[]
  readonly health: ShownHealth
  readonly gates: readonly GateResult[]
  /** What was said meanwhile, the latest last. */
  readonly notes: readonly string[]
  /** There is a keyboard. */
  readonly keys: boolean
}
