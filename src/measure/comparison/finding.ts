/**
 * `worse` and `better` are significant after the correction for how many questions were asked, and large enough to matter; `same` is neither;
 * `too_few`: nothing can be said.
 */
export const FINDING_ANSWERS = ['worse', 'better', 'same', 'too_few'] as const
export type FindingAnswer = (typeof FINDING_ANSWERS)[number]

/** One metric of one route against what it was before. */
export interface Finding {
  /** Null: all routes together. */
  readonly route: string | null
  /** `p50`, `p95`, `error_rate`. */
  readonly metric: string
  /** Of `before` and `now`: nanoseconds, or a share of 0 to 1. */
  readonly unit: 'ns' | 'ratio'
  readonly before: number | null
  readonly now: number | null
  /** Now over before, less one; of a share, now less before. Null where nothing is known. */
  readonly change: number | null
  /** Ends of its 95 % interval, where there is one. */
  readonly low: number | null
  readonly high: number | null
  /** Adjusted by Benjamini and Hochberg for all findings that were judged. */
  readonly pValue: number | null
  readonly answer: FindingAnswer
}

/** What a run was compared with, and what came of it. */
export interface Comparison {
  /** `baseline`: blocks of the same run at another target. `history`: earlier runs. */
  readonly with: 'baseline' | 'history'
  /** The other target, or the directory of the earlier runs. */
  readonly name: string
  /** Pairs of blocks, or earlier runs, that were used; and how many there had to be. */
  readonly used: number
  readonly needed: number
  /** How long each block was measured; null for earlier runs. */
  readonly blockNs: number | null
  /** What was not used, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[]
  readonly findings: readonly Finding[]
}

/** Less than this is no matter, however sure: of a duration, and of a share in itself. */
export const LEAST_CHANGE = { ns: 0.05, ratio: 0.001 } as const

/** The share of false ones among findings, on average. */
export const FALSE_DISCOVERY_RATE = 0.05
