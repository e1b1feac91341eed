import { Histogram } from '../histogram.ts'
import { type SpanTally, Tally } from '../tally.ts'
import type { BodyCheck } from '../reply-check.ts'
import type { Gate } from './gate.ts'
import type { CountName, Latency, Quantity } from './metric.ts'

/** What metrics are read from: the outcomes of a span of time. */
export interface GateSpan {
  readonly tally: SpanTally
  /** All routes of `tally` together. */
  readonly total: Tally
  readonly spanNs: number
  /** Shots that were due in the span, and those of them that were sent before it was over; undefined where that is not known yet. */
  readonly offered?: { readonly due: number; readonly sent: number }
  /** What comparing whole replies found; undefined where none were, or it is not known yet. */
  readonly bodies?: BodyCheck | undefined
  /** What the gate's metric was at the baseline or in earlier runs, by what it is now; undefined where nothing tells. */
  readonly reference?: (gate: Gate, value: number) => number | undefined
}

/** A metric's value and what it rests on. `value` is undefined where nothing tells it. */
export interface Reading {
  readonly value: number | undefined
  readonly samples: number
}

const NOTHING: Reading = { value: undefined, samples: 0 }

/** Reads the metric of a gate; `routeNames` are those of the tally's ordinals. */
export function readMetric(gate: Gate, span: GateSpan, routeNames: readonly string[]): Reading {
  if (gate.metric.quantity.kind === 'body_mismatch_rate') return bodyMismatches(gate.route, span.bodies)
  return readQuantity(gate.metric.quantity, span, tallyOf(gate.route, span, routeNames))
}

/** The value that a gate's metric is compared with where it is `value`; undefined where the span does not tell. */
export function limitOf(gate: Gate, { offered, spanNs, reference }: GateSpan, value: number): number | undefined {
  const { limit } = gate
  if (limit.kind === 'value') return limit.value
  if (limit.kind !== 'target') {
    const before = reference?.(gate, value)
    return before === undefined ? undefined : limit.factor * before
  }
  if (offered === undefined || spanNs <= 0) return undefined
  return (limit.share * offered.due * 1e9) / spanNs
}

/** The durations that a gate's quantile, maximum or mean is of; empty for metrics of another kind. */
export function histogramOfGate(gate: Gate, span: GateSpan, routeNames: readonly string[]): Histogram {
  const { quantity } = gate.metric
  if (!('latency' in quantity)) return new Histogram()
  return histogramOf(quantity.latency, span.tally, tallyOf(gate.route, span, routeNames))
}

/** All routes, or one; an empty tally where it had no outcome. */
function tallyOf(route: string | undefined, { tally, total }: GateSpan, routeNames: readonly string[]): Tally {
  if (route === undefined) return total
  return tally.routes.get(routeNames.indexOf(route)) ?? new Tally()
}

/** Of the replies that were compared: all, or of one route. */
function bodyMismatches(route: string | undefined, bodies: BodyCheck | undefined): Reading {
  const found = route === undefined ? bodies : bodies?.routes.find((one) => one.route === route)
  return found === undefined ? NOTHING : share(found.differing, found.compared)
}

function readQuantity(
  quantity: Exclude<Quantity, { kind: 'body_mismatch_rate' }>,
  span: GateSpan,
  tally: Tally,
): Reading {
  if ('latency' in quantity) return readLatency(quantity, histogramOf(quantity.latency, span.tally, tally))
  if (quantity.kind === 'status') return share(statusCount(tally, quantity.from, quantity.to), tally.replies)
  if (quantity.kind === 'count') {
    if (quantity.count === 'mismatches' && tally.comparable === 0) return NOTHING
    return counted(COUNTS[quantity.count](tally), tally)
  }
  return RATES[quantity.kind](span, tally)
}

const RATES: Readonly<
  Record<'error_rate' | 'mismatch_rate' | 'achieved_rate' | 'rps', (span: GateSpan, tally: Tally) => Reading>
> = {
  error_rate: (_, tally) => share(errorCount(tally), requestCount(tally)),
  mismatch_rate: (_, tally) => share(tally.mismatches, tally.comparable),
  achieved_rate: achievedRate,
  rps: ({ spanNs }, tally) => (spanNs <= 0 ? NOTHING : counted((tally.replies * 1e9) / spanNs, tally)),
}

function readLatency(quantity: Extract<Quantity, { latency: Latency }>, histogram: Histogram): Reading {
  const { count } = histogram
  if (count === 0) return NOTHING
  if (quantity.kind === 'quantile') return { value: histogram.quantileNs(quantity.quantile), samples: count }
  return { value: quantity.kind === 'max' ? histogram.maxNs : histogram.meanNs, samples: count }
}

const COUNTS: Readonly<Record<CountName, (tally: Tally) => number>> = {
  requests: requestCount,
  replies: (tally) => tally.replies,
  errors: errorCount,
  mismatches: (tally) => tally.mismatches,
  timeouts: (tally) => tally.errors.get('timeout') ?? 0,
  shed: (tally) => tally.errors.get('shed') ?? 0,
}

function histogramOf(latency: Latency, span: SpanTally, tally: Tally): Histogram {
  if (latency === 'response') return tally.responseTime
  if (latency === 'service') return tally.serviceTime
  return latency === 'lag' ? span.lag : span.blocked
}

/** Shots that were due, without those that the end of the run cut off. */
function requestCount(tally: Tally): number {
  return tally.shots - (tally.errors.get('aborted') ?? 0)
}

/** Requests that a user would have seen fail: no reply (a shed one had none either), or one of 500 and above. */
function errorCount(tally: Tally): number {
  return tally.failures - (tally.errors.get('aborted') ?? 0) + statusCount(tally, 500, 599)
}

function statusCount(tally: Tally, from: number, to: number): number {
  let count = 0
  for (const [status, replies] of tally.statuses) if (status >= from && status <= to) count += replies
  return count
}

function share(part: number, whole: number): Reading {
  return whole === 0 ? NOTHING : { value: part / whole, samples: whole }
}

/** No reply is a count too, but only where something was asked. */
function counted(value: number, tally: Tally): Reading {
  const samples = requestCount(tally)
  return samples === 0 ? NOTHING : { value, samples }
}

function achievedRate({ offered, spanNs }: GateSpan): Reading {
  if (offered === undefined || offered.due === 0 || spanNs <= 0) return NOTHING
  return { value: (offered.sent * 1e9) / spanNs, samples: offered.due }
}
