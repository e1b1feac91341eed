import type { Severity } from './gate-result.ts'
import type { GateMetric } from './metric.ts'

export const COMPARISONS = ['<=', '>=', '==', '<', '>'] as const
/** `==` is for counts only. */
export type Comparison = (typeof COMPARISONS)[number]

/** What a metric is compared with. */
export type GateLimit =
  /** In the metric's unit: nanoseconds, a share of 0 to 1, a rate per second, a count. */
  | { readonly kind: 'value'; readonly value: number }
  /** A share of what was offered: `98% of target`. */
  | { readonly kind: 'target'; readonly share: number }
  /** A multiple of what earlier runs had, `1.10 * history`, or of what another target had in this run, `110% of baseline`. */
  | { readonly kind: 'history' | 'baseline'; readonly factor: number }

/**
 * One condition on a run: `p99{route="GET /cart"} < 400ms`. It says what has to hold; with `abortAfterSeconds` what must not: where it
 * holds for so many seconds in a row, it stops the run.
 */
export interface Gate {
  /** As the user wrote it. */
  readonly text: string
  readonly severity: Severity
  readonly metric: GateMetric
  /** Only requests of this route; undefined: all. */
  readonly route: string | undefined
  readonly comparison: Comparison
  readonly limit: GateLimit
  /** Undefined: it is judged once, at the end. */
  readonly abortAfterSeconds: number | undefined
}

const TESTS: Readonly<Record<Comparison, (actual: number, limit: number) => boolean>> = {
  '<': (actual, limit) => actual < limit,
  '<=': (actual, limit) => actual <= limit,
  '>': (actual, limit) => actual > limit,
  '>=': (actual, limit) => actual >= limit,
  '==': (actual, limit) => actual === limit,
}

/** Does `actual` stand to `limit` as the comparison says? */
export function holds(actual: number, comparison: Comparison, limit: number): boolean {
  return TESTS[comparison](actual, limit)
}
