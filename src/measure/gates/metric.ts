import { nearestName } from '../../core/nearest.ts'
import type { GateUnit } from './gate-result.ts'

/** Which durations a latency metric is of: of its route, or for lag and blocked of the whole run. */
const LATENCIES = ['response', 'service', 'lag', 'blocked'] as const
export type Latency = (typeof LATENCIES)[number]

/** What is read off the outcomes. Statuses are a code, or with `class` the codes of one hundred (5: 500 to 599). */
export type Quantity =
  | { readonly kind: 'quantile'; readonly latency: Latency; readonly quantile: number }
  | { readonly kind: 'max' | 'mean'; readonly latency: Latency }
  | { readonly kind: 'status'; readonly from: number; readonly to: number }
  | { readonly kind: Ratio | Rate }
  /** Of replies that were compared as a whole. */
  | { readonly kind: typeof BODY_RATIO }
  | { readonly kind: 'count'; readonly count: CountName }

const RATIOS = ['error_rate', 'mismatch_rate'] as const
type Ratio = (typeof RATIOS)[number]
const BODY_RATIO = 'body_mismatch_rate'
const RATES = ['achieved_rate', 'rps'] as const
type Rate = (typeof RATES)[number]
const COUNTS = ['requests', 'replies', 'errors', 'mismatches', 'timeouts', 'shed'] as const
/** Outcomes that are counted. */
export type CountName = (typeof COUNTS)[number]

/** What a gate judges. */
export interface GateMetric {
  readonly name: string
  readonly unit: GateUnit
  readonly quantity: Quantity
  /** Known for each route, or of the whole run only. */
  readonly scope: 'route' | 'run'
}

const PLAIN_NAMES: readonly string[] = [...RATIOS, BODY_RATIO, ...RATES, ...COUNTS]

/** What can be said of durations in short; the names that a mistyped one is compared with. */
const FIGURES = ['p50', 'p75', 'p90', 'p95', 'p99', 'p99.9', 'p99.99', 'max', 'mean'] as const
const KNOWN: readonly string[] = [
  ...PLAIN_NAMES,
  'status_5xx',
  ...LATENCIES.flatMap((latency) =>
    FIGURES.map((figure) => (latency === 'response' ? figure : `${latency}_${figure}`)),
  ),
]

/** What other tools call these. */
const SYNONYMS: Readonly<Record<string, string>> = {
  avg: 'mean',
  average: 'mean',
  median: 'p50',
  http_req_failed: 'error_rate',
  http_req_duration: 'p95',
  http_reqs: 'requests',
  latency: 'p99',
}

/** All metrics in a line, for who named another. */
export const METRICS_TEXT: string = `metrics are p50 to p99.99, max, mean (also with service_, lag_, blocked_), ${PLAIN_NAMES.join(', ')}, status_404, status_5xx`

/** The metric of that name, or undefined. */
export function metricOf(name: string): GateMetric | undefined {
  return plainMetric(name) ?? statusMetric(name) ?? latencyMetric(name)
}

function plainMetric(name: string): GateMetric | undefined {
  const ratio = RATIOS.find((known) => known === name)
  if (ratio !== undefined) return { name, unit: 'ratio', quantity: { kind: ratio }, scope: 'route' }
  if (name === BODY_RATIO) return { name, unit: 'ratio', quantity: { kind: BODY_RATIO }, scope: 'route' }
  const count = COUNTS.find((known) => known === name)
  if (count !== undefined) return { name, unit: 'count', quantity: { kind: 'count', count }, scope: 'route' }
  const rate = RATES.find((known) => known === name)
  if (rate === undefined) return undefined
  // What was due of one route in the window is not kept.
  return { name, unit: 'per_second', quantity: { kind: rate }, scope: rate === 'achieved_rate' ? 'run' : 'route' }
}

/** What to say of a name that is no metric's. */
export function metricRemedy(name: string): string {
  const ofK6 = /^p\((\d+(?:\.\d+)?)\)$/.exec(name)?.[1]
  const meant = ofK6 === undefined ? (SYNONYMS[name] ?? nearestName(name, KNOWN)) : `p${ofK6}`
  return meant === undefined || metricOf(meant) === undefined ? METRICS_TEXT : `did you mean ${meant}?`
}

function statusMetric(name: string): GateMetric | undefined {
  const [, hundred, rest] = /^status_([1-5])(\d\d|xx)$/.exec(name) ?? []
  if (hundred === undefined || rest === undefined) return undefined
  const first = Number(hundred) * 100
  const [from, to] = rest === 'xx' ? [first, first + 99] : [first + Number(rest), first + Number(rest)]
  return { name, unit: 'ratio', quantity: { kind: 'status', from, to }, scope: 'route' }
}

/** `p` and two figures at least: `p5` is not meant to be the fastest twentieth. */
const LATENCY = /^(?:(service|lag|blocked)_)?(?:(max|mean)|p(\d{2}(?:\.\d{1,2})?))$/

function latencyMetric(name: string): GateMetric | undefined {
  const match = LATENCY.exec(name)
  if (match === null) return undefined
  const latency = LATENCIES.find((known) => known === match[1]) ?? 'response'
  const scope = latency === 'response' || latency === 'service' ? 'route' : 'run'
  const [, , figure, percentile] = match
  if (figure === 'max' || figure === 'mean') return { name, unit: 'ns', quantity: { kind: figure, latency }, scope }
  // 99.9 / 100 is not 0.999 in binary.
  const quantile = Math.round(Number(percentile) * 100) / 10_000
  if (!(quantile >= 0.5)) return undefined
  return { name, unit: 'ns', quantity: { kind: 'quantile', latency, quantile }, scope }
}
