import { formatDurationNs } from '../../core/units.ts'
import { type Gate, holds } from '../gates/gate.ts'
import { formatGateValue } from '../gates/gate-result.ts'
import { type GateSpan, histogramOfGate, limitOf, readMetric } from '../gates/reading.ts'
import { normalQuantile } from '../statistics/normal.ts'
import { quantileBounds } from '../statistics/quantile-bounds.ts'
import { wilsonInterval } from '../statistics/wilson.ts'

/** Each answer to a gate is right with this probability, as far as samples are independent. */
export const STEP_CONFIDENCE = 0.99

/** What the target did not do. */
export type CapacityLimit = 'latency' | 'errors' | 'throughput'

/** What a step is judged by. */
export interface StepEvidence {
  readonly span: GateSpan
  /** Growth of what was unanswered, as a share of what was due. */
  readonly backlogShare: number
  /** Why it was cut short. */
  readonly broken: string | undefined
  readonly routeNames: readonly string[]
}

/** Whether a step held; `limit` and `what` say what decided where it did not hold. */
export interface StepJudgement {
  readonly outcome: 'held' | 'failed' | 'undecided'
  readonly limit: CapacityLimit | undefined
  readonly what: string
}

/** A backlog that grows by more than this share of what is due is no fluctuation: two in a hundred are within a window's edges. */
export const MAX_BACKLOG_SHARE = 0.02

/** Samples beyond a quantile below which it is not judged, however narrow its bound: ten slow replies may be one pause. */
const LEAST_BEYOND = 10

/** How many samples a step needs to hold by this gate: for a share, by Wilson's bound where nothing fails. */
export function stepSamplesFor({ metric: { quantity, unit }, limit }: Gate): number {
  // 10 / (1 - 0.99) is not 1,000 in binary.
  if (quantity.kind === 'quantile') return Math.ceil(LEAST_BEYOND / (1 - quantity.quantile) - 1e-6)
  if (unit !== 'ratio' || limit.kind !== 'value' || limit.value <= 0 || limit.value >= 1) return 0
  return Math.ceil((normalQuantile(STEP_CONFIDENCE) ** 2 * (1 - limit.value)) / limit.value) + 1
}

/** Judges a step by every gate, and by whether the target kept up. A gate's quantile or share has to be on its side of the limit with confidence. */
export function judgeStep(gates: readonly Gate[], evidence: StepEvidence): StepJudgement {
  if (evidence.broken !== undefined) return { outcome: 'failed', limit: 'errors', what: evidence.broken }
  const judgements = gates.map((gate) => judgeGateOfStep(gate, evidence))
  const failed = judgements.find(({ outcome }) => outcome === 'failed')
  if (failed !== undefined) return failed
  if (evidence.backlogShare > MAX_BACKLOG_SHARE) {
    const percent = formatGateValue(evidence.backlogShare, 'ratio')
    const what = `the target fell behind: ${percent} of what was due piled up unanswered`
    return { outcome: 'failed', limit: 'throughput', what }
  }
  return (
    judgements.find(({ outcome }) => outcome === 'undecided') ?? {
      outcome: 'held',
      limit: undefined,
      what: 'every gate holds',
    }
  )
}

function judgeGateOfStep(gate: Gate, { span, routeNames }: StepEvidence): StepJudgement {
  const { value, samples } = readMetric(gate, span, routeNames)
  const limit = value === undefined ? undefined : limitOf(gate, span, value)
  const limitedBy = limitedByGate(gate)
  const name = `${gate.metric.name}${gate.route === undefined ? '' : ` of ${gate.route}`}`
  if (limit === undefined || value === undefined || samples < leastSamples(gate)) {
    return { outcome: 'undecided', limit: limitedBy, what: `${name} rests on ${samples} samples` }
  }
  const { low, high } = boundsOf(gate, span, routeNames, value, samples)
  const [atLow, atHigh] = [holds(low, gate.comparison, limit), holds(high, gate.comparison, limit)]
  const outcome = atLow && atHigh ? 'held' : atLow || atHigh ? 'undecided' : 'failed'
  const { unit } = gate.metric
  const shown = `${formatGateValue(value, unit)}${rangeText(low, high, gate)}`
  return {
    outcome,
    limit: limitedBy,
    what: `${name} is ${shown}, and has to be ${gate.comparison} ${formatGateValue(limit, unit)}`,
  }
}

/** A share with few samples has a wide bound, which says so itself. */
function leastSamples(gate: Gate): number {
  return gate.metric.quantity.kind === 'quantile' ? stepSamplesFor(gate) : 1
}

function rangeText(low: number, high: number, { metric: { unit } }: Gate): string {
  if (low === high) return ''
  const most = high === Infinity ? '?' : formatGateValue(high, unit)
  return ` (${unit === 'ns' ? formatDurationNs(Math.round(low)) : formatGateValue(low, unit)} to ${most})`
}

/** Between which values the metric is, with confidence on either side; a value alone where no bound is known for it. */
function boundsOf(
  gate: Gate,
  span: GateSpan,
  routeNames: readonly string[],
  value: number,
  samples: number,
): { readonly low: number; readonly high: number } {
  const { quantity, unit } = gate.metric
  if (quantity.kind === 'quantile') {
    const bounds = quantileBounds(histogramOfGate(gate, span, routeNames), quantity.quantile, STEP_CONFIDENCE)
    return { low: bounds.lowerNs ?? 0, high: bounds.upperNs ?? Infinity }
  }
  // Both ends leave 1 - confidence outside, together twice that.
  if (unit === 'ratio') return wilsonInterval(Math.round(value * samples), samples, 2 * STEP_CONFIDENCE - 1)
  return { low: value, high: value }
}

function limitedByGate({ metric: { unit, quantity } }: Gate): CapacityLimit {
  if (unit === 'ns') return 'latency'
  return unit === 'per_second' || (quantity.kind === 'count' && quantity.count === 'shed') ? 'throughput' : 'errors'
}
