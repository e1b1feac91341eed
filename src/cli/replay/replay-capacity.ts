import { monotonicNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import { formatDurationNs } from '../../core/units.ts'
import type { CapacityResult } from '../../measure/capacity/result.ts'
import type { SearchBounds } from '../../measure/capacity/search.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import { Measurement } from '../../measure/measurement.ts'
import { SlowestShots } from '../../measure/slowest-shots.ts'
import { DEFAULT_MAX_ROUTES } from '../../measure/routes.ts'
import { anotherLoadReason, type Verdict, withLoadOfAll } from '../../measure/validity.ts'
import { BlockSender } from '../../replay/block-sender.ts'
import { DEFAULT_BREAKER_LIMITS } from '../../replay/error-breaker.ts'
import { capacityHeadline, multiplierText } from '../../report/capacity-text.ts'
import type { RunFacts } from '../../report/describe-run.ts'
import { describeRun } from '../../report/describe-run.ts'
import { RunDirectory } from '../../report/run-directory.ts'
import type { Run } from '../../report/run.ts'
import { AfterRun } from './after-run.ts'
import { CapacitySearcher, CHECK_TIMES } from './capacity-searcher.ts'
import { measuredNsAt, MOST_TRIES, type StepSettings, stepTimes } from './capacity-steps.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import { publishRun } from './publish-run.ts'
import { addCounters } from './replay-progress.ts'
import { senderOptionsOf } from './replay-options.ts'
import type { PlannedReplay } from './planned-replay.ts'
import { factsOf } from './replay-run.ts'
import { lostText } from './run-exit.ts'
import type { StopSignals } from '../signals.ts'
import { slowestExchanges } from './slowest-exchanges.ts'
import type { Terminal } from '../terminal.ts'

/** Below this part of where the search begins nothing is tried. */
const LEAST_OF_START = 1 / 16

/** Steps between the last doubling and a bracket of 5 % either way, and the check. */
const BISECTIONS = 3

/** What a search is going to do: said before anything is sent. */
export interface CapacityPlan {
  readonly settings: StepSettings
  readonly bounds: SearchBounds
}

/** @throws MeshError MESH_ERR_USAGE where gates, flags or recordings cannot carry a search. */
export function planCapacity({
  survey,
  plan,
  options,
  flags,
  gates,
}: Omit<PlannedReplay, 'readers' | 'sending' | 'target' | 'url'>): CapacityPlan {
  const strict = gates.filter(({ severity }) => severity === 'fail')
  checkCapacityGates(strict)
  const times = stepTimes(flags.step, flags.warmup)
  const perSecond = (plan.meanPerSecond ?? 0) / plan.amplify
  const peak = (plan.peakPerSecond ?? 0) / plan.amplify
  const most = Math.min(flags.maxMultiplier, peak > 0 ? flags.maxRate / peak : Infinity)
  const start = Math.min(flags.amplify, most)
  const settings: StepSettings = {
    survey,
    options,
    gates: strict,
    ...times,
    maxErrorShare: flags.maxErrorRate ?? DEFAULT_BREAKER_LIMITS.maxErrorShare,
    basePerSecond: perSecond,
  }
  measuredNsAt(settings, start)
  return { settings, bounds: { start, least: start * LEAST_OF_START, most } }
}

function checkCapacityGates(gates: readonly Gate[]): void {
  const refuse = (what: string, remedy: string): never => {
    throw new MeshError('MESH_ERR_USAGE', { what, where: '--find-capacity', remedy })
  }
  if (gates.length === 0) refuse('a search needs a gate to hold', "give --gate 'p99 < 250ms'")
  for (const { text, abortAfterSeconds, metric, limit } of gates) {
    if (abortAfterSeconds !== undefined) refuse(`the gate ${text} stops a run`, 'steps end by themselves: leave it out')
    if (metric.unit === 'per_second' && limit.kind === 'value') {
      refuse(`the gate ${text} is a rate, and that is what is searched`, `compare it with a share: 98% of target`)
    }
    if (metric.unit === 'count')
      refuse(`the gate ${text} counts, and steps differ in length`, 'gate a rate: error_rate < 1%')
  }
}

/** The search in three lines: what is tried, how long each step takes, and how long all of it may take. */
export function capacityPlanLines({ settings, bounds }: CapacityPlan): readonly string[] {
  const { start, most } = bounds
  const measuredNs = measuredNsAt(settings, start)
  const doublings = Math.max(0, Math.ceil(Math.log2(most / start)))
  const stepNs = measuredNs + settings.warmupNs + 1e9
  const usual = Math.min(doublings, 3) + 1 + BISECTIONS + CHECK_TIMES
  const mostSteps = (doublings + 1 + 2 * BISECTIONS + 2 * CHECK_TIMES) * MOST_TRIES
  return [
    `  search     from ${multiplierText(start)} up to ${multiplierText(most)}: doubles, then bisects to +/- 5 %`,
    `  step       ${formatDurationNs(settings.warmupNs)} of warm-up, ${formatDurationNs(measuredNs)} measured, then until all is answered`,
    `  takes      about ${formatDurationNs(usual * stepNs)}, at most ${formatDurationNs(mostSteps * stepNs)}, and what the target needs to recover`,
  ]
}

/** `--find-capacity`: sends steps until it is known what the target holds. */
export async function runCapacitySearch(
  replay: PlannedReplay,
  { settings, bounds }: CapacityPlan,
  stop: StopSignals,
  terminal: Terminal,
): Promise<ExitCode> {
  const { flags, options, survey } = replay
  const facts = { ...factsOf(replay), gates: [] }
  const slowest = new SlowestShots()
  let directory: RunDirectory | undefined
  const measurement = new Measurement({ workers: flags.workers, onRow: (row) => directory?.addRow(row) })
  const describe = (more: Partial<RunFacts>): Run =>
    describeRun({ ...facts, interrupted: true, ...more }, measurement, survey.recorded, options.routes.names)
  let sender: BlockSender
  try {
    if (flags.output !== undefined) {
      directory = await RunDirectory.create(flags.output, describe({}), options.routes.names)
    }
    sender = await BlockSender.open(survey, {
      workers: flags.workers,
      options: { ...senderOptionsOf(flags, replay.target), breaker: undefined, durationNs: undefined },
      routeCount: DEFAULT_MAX_ROUTES,
      originNs: monotonicNs(),
      onSnapshot: (snapshot) => measurement.add(snapshot),
      onSlowest: (numbers) => slowest.add(numbers),
    })
  } catch (error) {
    await directory?.discard()
    throw error
  }
  const searcher = new CapacitySearcher(replay, settings, sender, stop.drain, terminal)
  let summary
  try {
    await searcher.search(bounds)
    summary = await sender.close(stop.now)
  } catch (error) {
    await sender.close(AbortSignal.abort()).catch(() => undefined)
    await directory?.destroy()
    throw error
  }
  measurement.finish()
  const interrupted = stop.name() !== undefined
  const capacity = searcher.result()
  const verdict = verdictOf(searcher, capacity, interrupted)
  const run = describe({
    interrupted,
    finishedAt: new Date(),
    ...(searcher.health === undefined ? {} : { health: searcher.health }),
    counters: addCounters(summary.workers.map(({ counters }) => counters)),
    windowNs: sender.measuredNs,
    slowest: await slowestExchanges(slowest, survey, replay.readers, options.routes.names),
    verdict: withLoadOfAll(verdict, searcher.anotherLoad),
    findings: { capacity },
  })
  const afterRun = new AfterRun(terminal)
  await publishRun(run, measurement, directory, flags, afterRun, terminal)
  const isExcused = searcher.excused !== undefined && verdict === searcher.excused
  const end = { signal: stop.name(), exitZero: flags.exitZero, lost: afterRun.lost, isExcused }
  return conclude(capacity, run.verdict, end, terminal)
}

/** What the whole of it is worth: our own side at its limit makes it INVALID, the target at its limit is what was looked for. */
function verdictOf(
  { starved, excused }: Pick<CapacitySearcher, 'starved' | 'excused'>,
  { low, limitedBy, why }: CapacityResult,
  interrupted: boolean,
): Verdict {
  if (starved !== undefined) return starved
  if (interrupted) {
    const what = 'the search was stopped before its end: this is what was found until then'
    return { name: 'VALID', reasons: [{ code: 'interrupted', verdict: 'VALID', what, remedy: '' }] }
  }
  if (low === null && limitedBy === 'unknown') {
    return { name: 'INVALID', reasons: [{ code: 'no_data', verdict: 'INVALID', what: why, remedy: 'a longer --step' }] }
  }
  if (excused !== undefined) return excused
  return { name: 'VALID', reasons: [] }
}

/** The exit code, and the last line on stderr. */
function conclude(
  capacity: CapacityResult,
  verdict: Verdict,
  end: {
    readonly signal: 'SIGINT' | 'SIGTERM' | undefined
    readonly exitZero: boolean
    readonly lost: MeshError | undefined
    /** The verdict is INVALID, and `--on-invalid warn` says that this is no failure. */
    readonly isExcused: boolean
  },
  terminal: Terminal,
): ExitCode {
  if (end.signal !== undefined) {
    const code = end.signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
    terminal.warn(`exit ${code}: interrupted by ${end.signal}`)
    return code
  }
  const code = codeOf(capacity, end.isExcused ? undefined : verdict)
  if (end.lost !== undefined && (code === EXIT.ok || end.exitZero)) {
    terminal.warn(`exit ${EXIT.couldNotRun}: ${lostText(end.lost)}`)
    return EXIT.couldNotRun
  }
  const another = anotherLoadReason(verdict) === undefined ? '' : '; the load was not the recorded one, see the verdict'
  const disturbed = end.isExcused ? '; our own side disturbed steps of it: the interval cannot be trusted' : ''
  const doubt = another + disturbed
  const line = `: ${capacityHeadline(capacity)}${doubt}`
  if (code === EXIT.ok && doubt === '') terminal.say(`exit 0${line}`)
  else
    terminal.warn(
      end.exitZero && code !== EXIT.ok ? `exit 0 (${code} without --exit-zero)${line}` : `exit ${code}${line}`,
    )
  return end.exitZero ? EXIT.ok : code
}

/** Nothing holds: as a gate that fails. What was found and does not hold in its check was not found. */
function codeOf({ low, check }: CapacityResult, verdict: Verdict | undefined): ExitCode {
  if (verdict?.name === 'INVALID') return EXIT.notValid
  return low === null || check === 'failed' ? EXIT.checkFailed : EXIT.ok
}
