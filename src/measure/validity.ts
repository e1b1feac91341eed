import { OWN_ERRORS } from '../core/outcome.ts'
import { formatCount, formatDurationNs, formatShare } from '../core/units.ts'
import { anotherLoad, LOAD_CODES, type LoadEvidence } from './another-load.ts'
import { samplesFor } from './figures.ts'
import type { GeneratorHealth } from './health.ts'
import type { Histogram } from './histogram.ts'

/**
 * `VALID`: nothing on our side disturbed the numbers. `SATURATED`: the target did not keep up; the numbers are right, and are a
 * result. `INVALID`: we disturbed them; they say nothing about the target.
 */
export const VERDICTS = ['VALID', 'SATURATED', 'INVALID'] as const
export type VerdictName = (typeof VERDICTS)[number]

/** One finding. `remedy` is '' where nothing is to be done. */
export interface VerdictReason {
  readonly code: ReasonCode
  /** What the finding makes of the run; `VALID` for a mere note. */
  readonly verdict: VerdictName
  readonly what: string
  readonly remedy: string
}

/** Findings of our own doing that a run may still come out of; those of its end only are not among them. */
export const OWN_REASON_CODES = [
  'lag',
  'behind',
  'no_ports',
  'no_descriptors',
  'cpu_wait',
  'cpu_steal',
  'loop_delay',
] as const

const OTHER_REASON_CODES = [
  'nothing_sent',
  'no_replies',
  'masked',
  'refused',
  'unissued',
  'few_samples',
  'no_data',
  'blocked',
  'shed',
  'slow',
  'closed_loop',
  'interrupted',
  'operator',
] as const
export const REASON_CODES: readonly [...typeof OWN_REASON_CODES, ...typeof OTHER_REASON_CODES] = [
  ...OWN_REASON_CODES,
  ...OTHER_REASON_CODES,
]
export type ReasonCode = (typeof REASON_CODES)[number]

/** The worst of its reasons. */
export interface Verdict {
  readonly name: VerdictName
  readonly reasons: readonly VerdictReason[]
}

/** A quantile on which a gate rests, with the samples it has. */
export interface GatedQuantile {
  /** As the user wrote it: `p99 < 250ms`. */
  readonly gate: string
  readonly quantile: number
  readonly samples: number
}

/** What a verdict is made from. */
export interface RunEvidence extends LoadEvidence {
  /** `closed`: shots have no due times (`--speed max`); a shot leaves when a connection is free. */
  readonly loop: 'open' | 'closed'
  readonly responseTime: Histogram
  readonly serviceTime: Histogram
  readonly blocked: Histogram
  readonly lag: Histogram
  readonly health?: GeneratorHealth
  /** CPUs of this machine. Default: unknown, and then nobody is told to use more of them. */
  readonly cpus?: number
  /** How shots were awaited. Default: `precise`. */
  readonly pacing?: 'precise' | 'eco'
  readonly gates?: readonly GatedQuantile[]
  /** Why gates could not be judged, a sentence each: what was asked has no answer, whatever the numbers are worth. */
  readonly withoutData?: readonly string[]
  readonly interrupted?: boolean
  /** What an operator changed of the load while it ran, a sentence; '' or undefined: nothing. */
  readonly operator?: string
}

/** Bounds of a valid run. Defaults in `DEFAULT_VALIDITY_LIMITS`, each with its reason. */
export interface ValidityLimits {
  readonly maxLagNs: number
  readonly maxLagShareOfService: number
  readonly maxLagShareOfResponse: number
  readonly leastAchievedShare: number
  readonly maxWaitShare: number
  readonly maxStealShare: number
  readonly maxLoopDelayNs: number
  readonly maxBlockedNs: number
}

export const DEFAULT_VALIDITY_LIMITS: ValidityLimits = {
  // Precise pacing reaches 0.4 to 1.2 ms on a busy machine of two cores.
  maxLagNs: 2e6,
  // Lag of a tenth of what is measured is lost in it.
  maxLagShareOfService: 0.1,
  // And what is a fiftieth of the slowest replies changes no digit of them that is read.
  maxLagShareOfResponse: 0.02,
  // Two in a hundred are within the noise of a window's edges.
  leastAchievedShare: 0.98,
  // A thread that spins gives its CPU away now and then without harm; one that waits a quarter of its time reads replies late.
  maxWaitShare: 0.25,
  // Below that, virtual machines steal all the time.
  maxStealShare: 0.1,
  // A loop that comes round this late stamps replies this late.
  maxLoopDelayNs: 10e6,
  // Shorter waits come from two requests that were recorded close together.
  maxBlockedNs: 10e6,
}

/** Judges a run. Only what we did wrong makes it INVALID; what the target did is a result. */
export function judge(evidence: RunEvidence, limits: ValidityLimits = DEFAULT_VALIDITY_LIMITS): Verdict {
  const load = anotherLoad(evidence).map(({ code, what, remedy }) => note(code, what, remedy))
  const isMasked = load.some(({ code }) => code === 'masked')
  const reasons = [
    ...ownErrors(evidence),
    ...emptiness(evidence),
    ...load,
    ...(evidence.loop === 'open' ? pacing(evidence, limits) : []),
    ...health(evidence, limits),
    ...gates(evidence),
    ...(evidence.loop === 'open' ? saturationOf(evidence, limits, isMasked) : closedLoop(evidence)),
    ...interruption(evidence),
    ...operation(evidence),
  ]
  const remedied = withoutVainRemedies(reasons)
  const worst = Math.max(0, ...remedied.map((reason) => VERDICTS.indexOf(reason.verdict)))
  const rank = (reason: VerdictReason): number => -VERDICTS.indexOf(reason.verdict)
  return { name: VERDICTS[worst] ?? 'INVALID', reasons: remedied.toSorted((a, b) => rank(a) - rank(b)) }
}

/** What a target does with a load of refusals says nothing of what it does with the recorded one, and no multiplier helps. */
function saturationOf(evidence: RunEvidence, limits: ValidityLimits, isMasked: boolean): readonly VerdictReason[] {
  const reasons = saturation(evidence, limits)
  return isMasked ? reasons.map(({ code, what }) => note(code, what, '')) : reasons
}

/** The reason why the load was not the recorded one; undefined where it was. */
export function anotherLoadReason({ reasons }: Verdict): VerdictReason | undefined {
  return reasons.find(({ code }) => isLoadCode(code))
}

/** A verdict on parts of a run, with what is to be said of the load of all of them instead of what it says of the load of one. */
export function withLoadOfAll({ name, reasons }: Verdict, found: VerdictReason | undefined): Verdict {
  const others = reasons.filter(({ code }) => !isLoadCode(code))
  const noteAt = others.findIndex(({ verdict }) => verdict === 'VALID')
  return {
    name,
    reasons: others.toSpliced(noteAt < 0 ? others.length : noteAt, 0, ...(found === undefined ? [] : [found])),
  }
}

function isLoadCode(code: ReasonCode): boolean {
  return LOAD_CODES.some((one) => one === code)
}

/** What follows from a want of CPU time. */
const SYMPTOMS: ReadonlySet<ReasonCode> = new Set(['lag', 'behind', 'loop_delay'])

/** Where a thread was starved, only the cure of that helps; where nothing answered, punctuality is not what to work on. */
function withoutVainRemedies(reasons: readonly VerdictReason[]): readonly VerdictReason[] {
  const explained = reasons.some(({ code }) => code === 'cpu_wait' || code === 'no_replies')
  if (!explained) return reasons
  return reasons.map((reason) => (SYMPTOMS.has(reason.code) ? { ...reason, remedy: '' } : reason))
}

function emptiness({ pace, replies }: RunEvidence): VerdictReason[] {
  if (pace.sent === 0) {
    const remedy = 'check filters and held-back methods in the plan (--plan)'
    return [invalid('nothing_sent', 'no request was sent: there is nothing to judge', remedy)]
  }
  if (replies > 0) return []
  const what = `nothing answered: none of ${formatCount(pace.sent)} requests got a reply, so there was nothing to judge`
  return [invalid('no_replies', what, 'see the errors; is the target up, and is it the right address?')]
}

const OWN_ERROR_REMEDIES: Readonly<Record<'no_ports' | 'no_descriptors', string>> = {
  no_ports: 'reuse connections (-c), give more addresses (--source-address), or widen ip_local_port_range',
  no_descriptors: 'raise `ulimit -n`, or cap connections with -c',
}

function ownErrors({ errors }: RunEvidence): VerdictReason[] {
  const reasons: VerdictReason[] = []
  for (const error of OWN_ERRORS) {
    const count = errors.get(error) ?? 0
    if (count === 0 || (error !== 'no_ports' && error !== 'no_descriptors')) continue
    const lacking = error === 'no_ports' ? 'local ports' : 'file descriptors'
    const what = `this machine ran out of ${lacking}: ${formatCount(count)} requests were not sent`
    reasons.push(invalid(error, what, OWN_ERROR_REMEDIES[error]))
  }
  return reasons
}

/** What helps against lateness. */
function lagRemedy(evidence: RunEvidence): string {
  const pacing = evidence.pacing === 'eco' ? '--pacing precise, ' : ''
  const workers = hasFreeCpu(evidence) ? 'more --workers, ' : ''
  return `give the generator a CPU of its own, ${pacing}${workers}or a lower rate`
}

/** Is there a CPU that neither a sender nor the thread that makes the schedule needs? */
function hasFreeCpu({ cpus, health }: RunEvidence): boolean {
  if (cpus === undefined || health === undefined) return false
  let busy = 1
  for (const { cpuShare } of health.threads) busy += cpuShare ?? 1
  return cpus - busy >= 1
}

const LEAST_SHOTS_FOR_P99 = 1_000
const LEAST_SHOTS_FOR_P90 = 100

/** The quantile that lag is judged by: one with ten shots beyond it, so that a single late one does not condemn a short run. */
function lagQuantile(shots: number): { readonly name: string; readonly quantile: number } {
  if (shots >= LEAST_SHOTS_FOR_P99) return { name: 'p99', quantile: 0.99 }
  return shots >= LEAST_SHOTS_FOR_P90 ? { name: 'p90', quantile: 0.9 } : { name: 'p50', quantile: 0.5 }
}

/** Lag up to this is lost in what was measured. */
function lagBoundNs({ serviceTime, responseTime }: RunEvidence, limits: ValidityLimits): number {
  const ofService = limits.maxLagShareOfService * (serviceTime.quantileNs(0.5) ?? 0)
  const ofResponse = limits.maxLagShareOfResponse * (responseTime.quantileNs(0.99) ?? 0)
  return Math.max(limits.maxLagNs, ofService, ofResponse)
}

function pacing(evidence: RunEvidence, limits: ValidityLimits): VerdictReason[] {
  const reasons: VerdictReason[] = []
  const { name, quantile } = lagQuantile(evidence.lag.count)
  const lagNs = evidence.lag.quantileNs(quantile) ?? 0
  const boundNs = lagBoundNs(evidence, limits)
  if (lagNs > boundNs) {
    const what = `we sent late: lag ${name} is ${formatDurationNs(lagNs)}, more than ${formatDurationNs(boundNs)}`
    reasons.push(invalid('lag', what + starvation(evidence.health), lagRemedy(evidence)))
  }
  const { own } = shortfall(evidence)
  if (own > 1 - limits.leastAchievedShare) {
    const what = `we fell behind by ourselves: ${formatShare(own)} of the shots due were not sent in the window`
    reasons.push(invalid('behind', what, lagRemedy(evidence)))
  }
  return reasons
}

/** The share of due shots that missed the window, divided by whose waiting it was: lag is ours, blocked and shed the target's. */
function shortfall({ pace, lag, blocked, errors }: RunEvidence): { readonly own: number; readonly target: number } {
  if (pace.due === 0) return { own: 0, target: 0 }
  const shed = (errors.get('shed') ?? 0) + (errors.get('correlation_lost') ?? 0)
  const late = Math.max(0, pace.due - shed - pace.sentInWindow) / pace.due
  const waitedNs = lag.sumNs + blocked.sumNs
  const ownShare = waitedNs === 0 ? 0 : lag.sumNs / waitedNs
  return { own: late * ownShare, target: late * (1 - ownShare) }
}

function health(evidence: RunEvidence, limits: ValidityLimits): VerdictReason[] {
  const { health, serviceTime } = evidence
  if (health === undefined) return []
  const reasons: VerdictReason[] = []
  const { stealShare } = health
  if (stealShare !== undefined && stealShare > limits.maxStealShare) {
    const what = `the hypervisor gave ${formatShare(stealShare)} of this machine's CPU time to others`
    reasons.push(invalid('cpu_steal', what, 'run the generator on a machine of its own'))
  }
  const starved = longestWait(health)
  if (starved !== undefined && starved.share > limits.maxWaitShare) {
    const what = `${starved.name} waited for a CPU ${formatShare(starved.share)} of the time`
    reasons.push(invalid('cpu_wait', what, 'free a core: other programs, fewer --workers, or --pacing eco'))
  }
  const boundNs = Math.max(limits.maxLoopDelayNs, serviceTime.quantileNs(0.5) ?? 0)
  for (const thread of health.threads) {
    const delayNs = thread.loopDelayP99Ns ?? 0
    if (delayNs <= boundNs) continue
    const what = `the loop of ${thread.name} came round ${formatDurationNs(delayNs)} late (p99): replies were read late`
    reasons.push(invalid('loop_delay', what, hasFreeCpu(evidence) ? 'spread the load over more --workers' : ''))
  }
  return reasons
}

function longestWait(health: GeneratorHealth): { readonly name: string; readonly share: number } | undefined {
  let longest: { readonly name: string; readonly share: number } | undefined
  for (const { name, waitShare } of health.threads) {
    if (waitShare !== undefined && waitShare > (longest?.share ?? 0)) longest = { name, share: waitShare }
  }
  return longest
}

/** Why we may have lagged, as the end of a sentence. */
function starvation(health: GeneratorHealth | undefined): string {
  const longest = health === undefined ? undefined : longestWait(health)
  if (longest === undefined || longest.share < 0.05) return ''
  return ` (${longest.name} waited for a CPU ${formatShare(longest.share)} of the time)`
}

function gates({ gates, withoutData }: RunEvidence): VerdictReason[] {
  const lacking = (gates ?? []).filter((gate) => gate.samples < samplesFor(gate.quantile))
  const few = lacking.map(({ gate, quantile, samples }) => {
    const what = `gate "${gate}" rests on ${formatCount(samples)} samples and needs ${formatCount(samplesFor(quantile))}`
    return invalid('few_samples', what, 'run longer, or gate a lower quantile')
  })
  return [...few, ...(withoutData ?? []).map((what) => invalid('no_data', what, ''))]
}

function saturation(evidence: RunEvidence, limits: ValidityLimits): VerdictReason[] {
  const reasons: VerdictReason[] = []
  const shed = evidence.errors.get('shed') ?? 0
  if (shed > 0) {
    const what = `${formatCount(shed)} requests were shed: too many were in flight, because the target was slow`
    reasons.push(saturated('shed', what, 'a lower multiplier; or --max-in-flight, if the cap is too low'))
  }
  const p99Ns = evidence.blocked.quantileNs(0.99) ?? 0
  const boundNs = Math.max(limits.maxBlockedNs, evidence.serviceTime.quantileNs(0.5) ?? 0)
  if (p99Ns > boundNs) reasons.push(waiting(p99Ns, evidence, limits))
  const { target } = shortfall(evidence)
  if (target > 1 - limits.leastAchievedShare) {
    const what = `the target took ${formatShare(1 - target)} of the offered load in the time that it was offered`
    reasons.push(saturated('slow', what, 'a lower multiplier shows what it can take'))
  }
  return reasons
}

/** A shot that we sent late makes the next ones of its connection wait: what is no longer than our own lag tells nothing of the target. */
function waiting(blockedNs: number, evidence: RunEvidence, limits: ValidityLimits): VerdictReason {
  const what = `requests waited for the reply before them: blocked p99 is ${formatDurationNs(blockedNs)}`
  const lagNs = evidence.lag.quantileNs(0.99) ?? 0
  if (lagNs > lagBoundNs(evidence, limits) && lagNs >= blockedNs) {
    return note('blocked', `${what}, and as late were we: lag p99 is ${formatDurationNs(lagNs)}`, lagRemedy(evidence))
  }
  return saturated('blocked', what, 'a lower multiplier shows what it can take')
}

const BUSY_SHARE = 0.9

/** Without due times there is no lag, no blocked time, and no saturation: the rate is the result. */
function closedLoop({ health }: RunEvidence): VerdictReason[] {
  const busiest = Math.max(0, ...(health?.threads ?? []).map((thread) => thread.cpuShare ?? 0))
  const what = 'closed loop: a shot left when a connection was free, so lag and blocked time do not apply'
  if (busiest < BUSY_SHARE) return [note('closed_loop', what, '')]
  const ceiling = `${what}; a sender used ${formatShare(busiest)} of a CPU, so the rate may be its ceiling, not the target's`
  return [note('closed_loop', ceiling, 'compare with more --workers: if the rate grows, it was ours')]
}

function interruption({ interrupted }: RunEvidence): VerdictReason[] {
  if (interrupted !== true) return []
  return [note('interrupted', 'the run was stopped before its end: this is what was measured until then', '')]
}

function operation({ operator = '' }: RunEvidence): VerdictReason[] {
  if (operator === '') return []
  const what = `the load is not the planned one: an operator ${operator}; gates are judged by what was offered`
  return [note('operator', what, 'compare it with no other run')]
}

function invalid(code: ReasonCode, what: string, remedy: string): VerdictReason {
  return { code, verdict: 'INVALID', what, remedy }
}

function saturated(code: ReasonCode, what: string, remedy: string): VerdictReason {
  return { code, verdict: 'SATURATED', what, remedy }
}

function note(code: ReasonCode, what: string, remedy: string): VerdictReason {
  return { code, verdict: 'VALID', what, remedy }
}

/**
 * The same limits, reached earlier: at a share of each, of what may go wrong. What a run comes close to is told by judging it by these.
 */
export function tightened(limits: ValidityLimits, share: number): ValidityLimits {
  return {
    maxLagNs: limits.maxLagNs * share,
    maxLagShareOfService: limits.maxLagShareOfService * share,
    maxLagShareOfResponse: limits.maxLagShareOfResponse * share,
    leastAchievedShare: 1 - (1 - limits.leastAchievedShare) * share,
    maxWaitShare: limits.maxWaitShare * share,
    maxStealShare: limits.maxStealShare * share,
    maxLoopDelayNs: limits.maxLoopDelayNs * share,
    maxBlockedNs: limits.maxBlockedNs * share,
  }
}
