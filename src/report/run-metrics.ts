import { type LatencyFigures, QUANTILES, type QuantileName, quantileSupport } from '../measure/figures.ts'
import { VERDICTS } from '../measure/validity.ts'
import type { HistogramDocument, Run } from './run.ts'

/** One value of a metric, with what tells it from the others. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One metric of a run, for systems that keep such. Its unit is in its name, as Prometheus asks for; `unit` is UCUM's word for it. */
export interface RunMetric {
  readonly name: string
  readonly help: string
  readonly unit: 's' | '1' | '{request}' | '{request}/s'
  readonly values: readonly MetricValue[]
}

/** Routes that are told, the busiest first: a label of many values is what such systems suffer from. */
const MAX_ROUTES = 50

/** A run as metrics; quantiles that no sample carries are left out. */
export function runMetrics(run: Run): readonly RunMetric[] {
  return [...outcomeMetrics(run), ...loadMetrics(run), ...timeMetrics(run)].filter(({ values }) => values.length > 0)
}

function outcomeMetrics({ verdict, interrupted, gates, startedAt }: Run): readonly RunMetric[] {
  const passed = gates.map(({ gate, severity, outcome }) => {
    return { labels: { gate, severity, outcome }, value: outcome === 'passed' ? 1 : 0 }
  })
  const startSeconds = one(Date.parse(startedAt) / 1000)
  return [
    metric('mesh_run_verdict', 'The verdict of the run: 1 for what it is.', '1', verdictValues(verdict.name)),
    metric('mesh_run_interrupted', 'The run was stopped before its end.', '1', one(interrupted ? 1 : 0)),
    metric('mesh_run_start_time_seconds', 'When it began.', 's', startSeconds),
    metric('mesh_gate_passed', '1 passed, 0 not; a gate without data has not passed.', '1', passed),
  ]
}

function loadMetrics(run: Run): readonly RunMetric[] {
  const { achieved, totals } = run
  const perSecond = (count: number): readonly MetricValue[] =>
    one(achieved.windowNs > 0 ? (count * 1e9) / achieved.windowNs : 0)
  const replies = countValues('status', totals.statuses)
  const errors = countValues('error', totals.errors)
  return [
    metric('mesh_run_window_seconds', 'Time that rates are of.', 's', one(achieved.windowNs / 1e9)),
    metric('mesh_offered_rate', 'Requests due a second.', '{request}/s', perSecond(achieved.due)),
    metric('mesh_achieved_rate', 'Requests sent a second.', '{request}/s', perSecond(achieved.sent)),
    metric('mesh_requests', 'Requests due.', '{request}', one(achieved.due)),
    metric('mesh_replies', 'Replies by status.', '{request}', replies),
    metric('mesh_errors', 'Requests without a reply, by what happened.', '{request}', errors),
    metric('mesh_route_replies', 'Replies by route.', '{request}', routeReplies(run)),
  ]
}

function timeMetrics(run: Run): readonly RunMetric[] {
  const { responseTime, serviceTime, lag } = run.totals
  return [
    metric('mesh_response_time_seconds', 'From due to its reply.', 's', quantileValues(responseTime)),
    metric('mesh_service_time_seconds', 'From sent to its reply.', 's', quantileValues(serviceTime)),
    metric('mesh_lag_seconds', 'How late we sent.', 's', quantileValues(lag)),
    metric('mesh_route_response_time_seconds', 'From due to its reply, by route.', 's', routeTimes(run)),
  ]
}

/** The times of a run as they are spread. */
export interface TimeDistribution {
  readonly name: string
  readonly help: string
  readonly values: readonly { readonly labels: MetricValue['labels']; readonly document: HistogramDocument }[]
}

/** Times of a run, for systems that keep histograms; what was never measured is left out. */
export function timeDistributions(run: Run): readonly TimeDistribution[] {
  const { responseTime, serviceTime } = run.totals
  const routes = busiestRoutes(run).map(({ name, replayed }) => {
    return { labels: { route: name }, document: replayed.responseTime }
  })
  const all: readonly TimeDistribution[] = [
    { name: 'mesh_response_time', help: 'From due to its reply.', values: [{ labels: {}, document: responseTime }] },
    { name: 'mesh_service_time', help: 'From sent to its reply.', values: [{ labels: {}, document: serviceTime }] },
    { name: 'mesh_route_response_time', help: 'From due to its reply, by route.', values: routes },
  ]
  return all
    .map(({ name, help, values }) => {
      return { name: `${name}_distribution`, help, values: values.filter(({ document }) => document.count > 0) }
    })
    .filter(({ values }) => values.length > 0)
}

function metric(name: string, help: string, unit: RunMetric['unit'], values: readonly MetricValue[]): RunMetric {
  return { name, help, unit, values }
}

function one(value: number): readonly MetricValue[] {
  return [{ labels: {}, value }]
}

function verdictValues(name: Run['verdict']['name']): readonly MetricValue[] {
  return VERDICTS.map((verdict) => ({ labels: { verdict }, value: verdict === name ? 1 : 0 }))
}

function countValues(label: string, counts: Run['totals']['statuses']): readonly MetricValue[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }))
}

const QUANTILE_NAMES: readonly QuantileName[] = ['p50Ns', 'p90Ns', 'p99Ns', 'p999Ns']

function quantileValues(figures: LatencyFigures, labels: MetricValue['labels'] = {}): readonly MetricValue[] {
  return QUANTILE_NAMES.flatMap((name): MetricValue[] => {
    const ns = figures[name]
    if (ns === null || quantileSupport(QUANTILES[name], figures.count) === 'none') return []
    return [{ labels: { ...labels, quantile: String(QUANTILES[name]) }, value: ns / 1e9 }]
  })
}

function busiestRoutes(
  run: Run,
): readonly { readonly name: string; readonly replayed: NonNullable<Run['routes'][number]['replayed']> }[] {
  const sent = run.routes.flatMap(({ name, replayed }) => (replayed === null ? [] : [{ name, replayed }]))
  return sent.toSorted((a, b) => b.replayed.shots - a.replayed.shots).slice(0, MAX_ROUTES)
}

function routeReplies(run: Run): readonly MetricValue[] {
  return busiestRoutes(run).map(({ name, replayed }) => ({ labels: { route: name }, value: replayed.replies }))
}

function routeTimes(run: Run): readonly MetricValue[] {
  return busiestRoutes(run).flatMap(({ name, replayed }) => quantileValues(replayed.responseTime, { route: name }))
}
