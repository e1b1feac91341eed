import { formatCount, formatMany } from '../../core/units.ts'
import { samplesFor } from '../figures.ts'
import { LEAST_PAIRS } from '../comparison/block-pairs.ts'
import type { GatedQuantile, RunEvidence } from '../validity.ts'
import type { Comparison, Gate } from './gate.ts'
import { holds } from './gate.ts'
import { formatGateValue, type GateResult } from './gate-result.ts'
import type { GateWatch } from './gate-watch.ts'
import { type GateSpan, limitOf, readMetric, type Reading } from './reading.ts'

/** What a finished run is judged by. */
export interface GateEvidence extends GateSpan {
  readonly routeNames: readonly string[]
  /** What the gates that stop a run saw while it went on. */
  readonly watch?: GateWatch | undefined
  /** Why the run ended before its end (`the run was interrupted`): then no gate is judged that did not end it. */
  readonly cutShort?: string | undefined
  /** How a run gets so many times as many samples (`--pairs 20`). Default: nothing is said of it. */
  readonly moreSamples?: ((factor: number) => string) | undefined
}

/** What became of each gate, in their order. A gate without data has not passed. */
export function judgeGates(gates: readonly Gate[], evidence: GateEvidence): readonly GateResult[] {
  return gates.map((gate) => {
    if (gate.abortAfterSeconds !== undefined) return judgeAbort(gate, evidence)
    if (evidence.cutShort !== undefined) return noData(gate, 0, `not judged: ${evidence.cutShort}`)
    return judgeGate(gate, evidence)
  })
}

/**
 * What the results mean for the validity of the run: quantiles by which it fails, with their samples, and why others have no data. Nothing
 * where the run was cut short: then its gates are no question.
 */
export function gateValidity(
  gates: readonly Gate[],
  results: readonly GateResult[],
  cutShort: string | undefined,
): Required<Pick<RunEvidence, 'gates' | 'withoutData'>> {
  const quantiles: GatedQuantile[] = []
  const withoutData: string[] = []
  for (const [index, { gate, severity, outcome, samples, what }] of results.entries()) {
    if (severity !== 'fail' || cutShort !== undefined) continue
    const parsed = gates[index]
    const quantity = parsed?.metric.quantity
    if (quantity?.kind === 'quantile' && parsed?.abortAfterSeconds === undefined && samples > 0) {
      quantiles.push({ gate, quantile: quantity.quantile, samples })
    } else if (outcome === 'no_data') withoutData.push(`gate "${gate}" has no data: ${what}`)
  }
  return { gates: quantiles, withoutData }
}

function judgeGate(gate: Gate, evidence: GateEvidence): GateResult {
  const { metric, comparison } = gate
  const reading = readMetric(gate, evidence, evidence.routeNames)
  const { value, samples } = reading
  const lacking = whatIsLacking(gate, reading, evidence.moreSamples)
  if (value === undefined || lacking !== undefined) return noData(gate, samples, lacking ?? 'nothing was measured')
  const limit = limitOf(gate, evidence, value)
  if (limit === undefined) return noData(gate, samples, missingLimit(gate))
  const passed = holds(value, comparison, limit)
  return {
    ...gateFacts(gate),
    outcome: passed ? 'passed' : 'failed',
    actual: value,
    limit,
    samples,
    what: `${metric.name}${ofRoute(gate)} is ${comparedText(value, gate, limit, passed)}`,
  }
}

/** A gate that stops a run has passed where it did not, and saw something. */
function judgeAbort(gate: Gate, { watch, cutShort }: GateEvidence): GateResult {
  const seen = watch?.seen(gate)
  const limit = gate.limit.kind === 'value' ? gate.limit.value : null
  if (seen?.worst === undefined || seen.samples === 0) {
    return noData(gate, 0, cutShort === undefined ? `${nothingOf(gate)} in any second` : `not judged: ${cutShort}`)
  }
  const facts = { ...gateFacts(gate), actual: seen.worst, limit, samples: seen.samples }
  const held = `${gate.metric.name}${ofRoute(gate)} was ${WORDS[gate.comparison]} ${formatLimit(gate, limit)}`
  if (seen.aborted) {
    return { ...facts, outcome: 'aborted', what: `${held} for ${seconds(seen.longest)} in a row, which stops a run` }
  }
  if (cutShort !== undefined) return { ...noData(gate, seen.samples, `not judged: ${cutShort}`), limit }
  if (seen.longest >= (gate.abortAfterSeconds ?? Infinity)) {
    return { ...facts, outcome: 'failed', what: `${held} for ${seconds(seen.longest)} in a row when the run ended` }
  }
  const what = seen.longest === 0 ? `${held} in no second` : `${held} for at most ${seconds(seen.longest)} in a row`
  return { ...facts, outcome: 'passed', what }
}

function seconds(count: number): string {
  return formatMany(count, 'second')
}

const WORDS: Readonly<Record<Comparison, string>> = {
  '<': 'below',
  '<=': 'at most',
  '>': 'above',
  '>=': 'at least',
  '==': 'exactly',
}

/** `312ms, not below 250ms`. */
function comparedText(value: number, gate: Gate, limit: number, passed: boolean): string {
  const { unit } = gate.metric
  const [shown, limitShown] = [formatGateValue(value, unit), formatGateValue(limit, unit)]
  const share = shareText(gate)
  // Three figures may not tell the two apart.
  const by = shown === limitShown && value !== limit ? ` (by ${formatGateValue(Math.abs(value - limit), unit)})` : ''
  return `${shown}, ${passed ? '' : 'not '}${WORDS[gate.comparison]} ${limitShown}${share}${by}`
}

function shareText({ limit }: Gate): string {
  if (limit.kind === 'value') return ''
  return ` (${formatGateValue(limit.kind === 'target' ? limit.share : limit.factor, 'ratio')} of ${limit.kind})`
}

function formatLimit({ metric }: Gate, limit: number | null): string {
  return limit === null ? 'its limit' : formatGateValue(limit, metric.unit)
}

function missingLimit({ limit }: Gate): string {
  if (limit.kind === 'history') return 'there are too few earlier runs to compare with'
  return limit.kind === 'baseline'
    ? `it needs ${LEAST_PAIRS} pairs of blocks or more, with a reply in every block`
    : 'nothing was offered at a rate'
}

function whatIsLacking(
  gate: Gate,
  { value, samples }: Reading,
  moreSamples: GateEvidence['moreSamples'],
): string | undefined {
  if (value === undefined || samples === 0) return `${nothingOf(gate)} in this run`
  const { quantity } = gate.metric
  if (quantity.kind !== 'quantile') return undefined
  const needed = samplesFor(quantity.quantile)
  if (samples >= needed) return undefined
  const remedy = moreSamples === undefined ? '' : `: give ${moreSamples(needed / samples)}`
  return `${gate.metric.name}${ofRoute(gate)} rests on ${formatCount(samples)} samples and needs ${formatCount(needed)}${remedy}`
}

/** `no request of GET /cart`, `no reply`. */
function nothingOf(gate: Gate): string {
  const { quantity } = gate.metric
  const { kind } = quantity
  if (kind === 'body_mismatch_rate') return `no reply was compared${ofRoute(gate)}`
  if (kind === 'mismatch_rate' || (kind === 'count' && quantity.count === 'mismatches'))
    return `there was no reply with a recorded one to compare it with${ofRoute(gate)}`
  const ofReplies = kind === 'quantile' || kind === 'max' || kind === 'mean' || kind === 'status'
  return `there was no ${ofReplies ? 'reply' : 'request'}${ofRoute(gate)}`
}

function ofRoute({ route }: Gate): string {
  return route === undefined ? '' : ` of ${route}`
}

function noData(gate: Gate, samples: number, what: string): GateResult {
  const limit = gate.limit.kind === 'value' ? gate.limit.value : null
  return { ...gateFacts(gate), outcome: 'no_data', actual: null, limit, samples, what }
}

function gateFacts({ text, severity, metric }: Gate): Pick<GateResult, 'gate' | 'severity' | 'unit'> {
  return { gate: text, severity, unit: metric.unit }
}
