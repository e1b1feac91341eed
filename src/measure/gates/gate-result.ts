import { formatCount, formatDurationNs, formatRate } from '../../core/units.ts'

/** `fail`: the run's exit code says so. `warn`: it is only shown. */
export const SEVERITIES = ['fail', 'warn'] as const
export type Severity = (typeof SEVERITIES)[number]

export const GATE_UNITS = ['ns', 'ratio', 'per_second', 'count'] as const
export type GateUnit = (typeof GATE_UNITS)[number]

/**
 * `no_data`: it could not be judged, for want of samples or because the run was stopped before its end; a gate that fails a run fails it
 * then too. `aborted`: it stopped the run.
 */
export const GATE_OUTCOMES = ['passed', 'failed', 'no_data', 'aborted'] as const
export type GateOutcome = (typeof GATE_OUTCOMES)[number]

/** What became of one gate. */
export interface GateResult {
  /** As the user wrote it. */
  readonly gate: string
  readonly severity: Severity
  readonly outcome: GateOutcome
  /** What was measured, and what it was compared with, in `unit`; null where there is none. */
  readonly actual: number | null
  readonly limit: number | null
  /** A ratio is a share of 0 to 1. */
  readonly unit: GateUnit
  /** What the metric rests on: requests, replies or durations. */
  readonly samples: number
  /** One sentence: what was measured against the limit, or why there is no data. */
  readonly what: string
}

const FORMATS: Readonly<Record<GateUnit, (value: number) => string>> = {
  ns: formatDurationNs,
  ratio: (value) => `${Number((value * 100).toPrecision(3))} %`,
  per_second: formatRate,
  count: formatCount,
}

/** A value of a gate, for people: `312ms`, `0.52 %`, `812/s`, `1,234`. */
export function formatGateValue(value: number, unit: GateUnit): string {
  return FORMATS[unit](value)
}
