import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNs } from '../../core/clock.ts'
import { DEFAULT_MAX_ROUTES } from '../../measure/routes.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import { GateWatch } from '../../measure/gates/gate-watch.ts'
import type { ThreadHealth } from '../../measure/health.ts'
import { Measurement } from '../../measure/measurement.ts'
import { SlowestShots } from '../../measure/slowest-shots.ts'
import type { FleetSummary } from '../../replay/fleet.ts'
import { Fleet } from '../../replay/fleet.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import type { Plan } from '../../replay/plan.ts'
import { scheduleShards } from '../../replay/schedule.ts'
import type { SenderCounters } from '../../replay/senders/sender.ts'
import type { Survey } from '../../replay/survey.ts'
import type { RunFacts } from '../../report/describe-run.ts'
import { describeRun } from '../../report/describe-run.ts'
import { isJudged } from '../../report/comparison-text.ts'
import { compareWithHistory } from '../../report/history.ts'
import { RunDirectory } from '../../report/run-directory.ts'
import type { Run } from '../../report/run.ts'
import { StageTallies } from '../../report/stage-tallies.ts'
import { AfterRun } from './after-run.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { PlannedReplay } from './planned-replay.ts'
import { LoadControl } from './load-control.ts'
import { publishRun } from './publish-run.ts'
import { addCounters } from './replay-progress.ts'
import { responseCheckOf, type RunCheck } from './replay-check.ts'
import { senderOptionsOf } from './replay-options.ts'
import { showReplay } from './replay-screen.ts'
import type { RunEnd } from './run-exit.ts'
import { exitOfRun } from './run-exit.ts'
import { runPlanOf, runRequestOf } from './run-facts.ts'
import type { StopSignals } from '../signals.ts'
import { slowestExchanges } from './slowest-exchanges.ts'
import { TargetWatching } from './target-watching.ts'
import type { Terminal } from '../terminal.ts'
import { VERSION } from '../version.ts'

/** Threads have their first shots before time 0; a schedule that takes longer to make them is late, and that would be ours. */
const PRIMING_MS = 300

/** Runs a planned replay on sending threads, reports it, and says by its exit code what it was worth. */
export async function runReplayFleet(replay: PlannedReplay, stop: StopSignals, terminal: Terminal): Promise<ExitCode> {
  const { plan, survey, options, flags } = replay
  const warmupNs = flags.warmup
  const facts = factsOf(replay)
  const { gateWatch, stopped } = watchGates(replay, terminal)
  const counters = new Map<number, SenderCounters>()
  const check = responseCheckOf(replay.check, options, survey)
  const slowest = new SlowestShots()
  let directory: RunDirectory | undefined
  const measurement = new Measurement({
    workers: flags.workers,
    onRow: (row) => {
      directory?.addRow(row)
      if (row.kind !== 'second') return
      gateWatch.add(row)
      facts.stageTallies?.add(row)
    },
  })
  const begun = { atNs: 0 }
  const health = new Map<number, ThreadHealth>()
  const into = { measurement, counters, health, check, slowest }
  const { fleet, watching, ...opened } = await openRun(replay, facts, into, begun, terminal)
  directory = opened.directory
  const drain = AbortSignal.any([stop.drain, stopped])
  const control = new LoadControl(plan, flags.maxRate, fleet, begun)
  const live = { measurement, counters, health, control, begun, check, stopping: () => drain.aborted }
  const screen = showReplay(replay, live, terminal)
  const afterRun = new AfterRun(terminal)
  let summary: FleetSummary
  try {
    await screen.ready
    watching?.begin()
    const checked = { ...replay, options: { ...options, check: check?.bodies } }
    summary = await drive(fleet, checked, { drain, now: stop.now }, begun)
  } catch (error) {
    await directory?.destroy()
    throw error
  } finally {
    await screen.close()
    await afterRun.attempt(() => watching?.close())
  }
  gateWatch.end()
  measurement.finish()
  const { abortedBy } = gateWatch
  const ended = endFactsOf(summary, plan, warmupNs, abortedBy, control)
  const found = {
    slowest: await slowestExchanges(slowest, survey, replay.readers, options.routes.names),
    ...(check === undefined ? {} : { check: check.findings() }),
  }
  const describe = (more: Partial<RunFacts>): Run => {
    const watched = watching === undefined ? {} : { target: watching.findings }
    const all = { ...facts, ...ended, ...found, ...watched, interrupted: stop.name() !== undefined, gateWatch, ...more }
    return describeRun(all, measurement, survey.recorded, options.routes.names)
  }
  const isCutShort = ended.stoppedBy !== undefined || stop.name() !== undefined
  const compared = await afterRun.attempt(() => comparisonOf(replay, describe, isCutShort))
  const run = describe(compared ?? {})
  await publishRun(run, measurement, directory, flags, afterRun, terminal)
  const end = { ...flags, signal: stop.name(), breaker: breakerReason(summary), abortedBy, lost: afterRun.lost }
  return conclude(run, end, terminal)
}

/** Makes everything that a run needs before its first shot: all of it, or nothing. */
async function openRun(
  replay: PlannedReplay,
  facts: Omit<RunFacts, 'interrupted'>,
  into: MeasuredBy,
  begun: { readonly atNs: number },
  terminal: Terminal,
): Promise<{
  readonly directory: RunDirectory | undefined
  readonly watching: TargetWatching | undefined
  readonly fleet: Fleet
}> {
  const { flags, survey, options } = replay
  let directory: RunDirectory | undefined
  let watching: TargetWatching | undefined
  try {
    if (flags.output !== undefined) {
      const { names } = options.routes
      const first = describeRun({ ...facts, interrupted: true }, into.measurement, survey.recorded, names)
      directory = await RunDirectory.create(flags.output, first, names)
    }
    watching = await TargetWatching.start(flags, begun, directory?.path, terminal)
    return { directory, watching, fleet: await openFleet(replay, into) }
  } catch (error) {
    // A file that cannot be closed either is no reason to keep it.
    await watching?.close().catch(() => undefined)
    await directory?.discard()
    throw error
  }
}

/** What earlier runs say of it, where that was asked for; a run that was cut short is compared with nothing. */
async function comparisonOf(
  { flags: { against }, gates }: PlannedReplay,
  describe: (more: Partial<RunFacts>) => Run,
  isCutShort: boolean,
): Promise<Partial<RunFacts>> {
  if (against === undefined || isCutShort) return {}
  const { comparison, reference } = await compareWithHistory(describe({}), against, gates)
  return { findings: { comparison }, reference }
}

/** What hears of the sending threads. */
interface MeasuredBy {
  readonly measurement: Measurement
  readonly counters: Map<number, SenderCounters>
  readonly health: Map<number, ThreadHealth>
  readonly check: RunCheck | undefined
  readonly slowest: SlowestShots
}

/** Sending threads whose seconds go into the measurement. */
function openFleet({ flags, target }: PlannedReplay, into: MeasuredBy): Promise<Fleet> {
  return Fleet.open({
    workers: flags.workers,
    options: senderOptionsOf(flags, target),
    routeCount: DEFAULT_MAX_ROUTES,
    warmupNs: flags.warmup,
    onInterval: ({ worker, snapshot, counters, health }) => {
      if (snapshot !== undefined) into.measurement.add(snapshot)
      into.counters.set(worker, counters)
      into.health.set(worker, health)
    },
    check: into.check?.fleet,
    onSlowest: (numbers) => into.slowest.add(numbers),
  })
}

/** What is known of a run before its first shot. */
export function factsOf(replay: PlannedReplay): Omit<RunFacts, 'interrupted'> {
  const { options, plan, flags, survey, gates } = replay
  const planned = runPlanOf(plan, survey)
  return {
    runId: options.rewrite.runId,
    version: VERSION,
    startedAt: new Date(),
    asked: runRequestOf(replay),
    plan: planned,
    ...(planned.stages === undefined ? {} : { stageTallies: new StageTallies(planned.stages.list) }),
    warmupNs: flags.warmup,
    gates,
  }
}

/** And after its last. */
function endFactsOf(
  summary: FleetSummary,
  plan: Plan,
  warmupNs: number,
  abortedBy: Gate | undefined,
  control: LoadControl,
): Pick<RunFacts, 'finishedAt' | 'health' | 'counters' | 'stoppedBy' | 'windowNs' | 'operator'> {
  const stoppedBy = whatStopped(summary, abortedBy)
  const windowNs = measuredWindowNs(plan, warmupNs, summary, control)
  return {
    operator: control.changes,
    finishedAt: new Date(),
    health: summary.health,
    counters: addCounters(summary.workers.map((worker) => worker.counters)),
    ...(stoppedBy === undefined ? {} : { stoppedBy }),
    ...(windowNs === undefined ? {} : { windowNs }),
  }
}

/** Gates that can stop the run; `stopped` aborts when one does. */
function watchGates(
  { gates, options }: PlannedReplay,
  terminal: Terminal,
): { readonly gateWatch: GateWatch; readonly stopped: AbortSignal } {
  const stop = new AbortController()
  const gateWatch = new GateWatch(gates, options.routes.names, (gate) => {
    terminal.warn(`mesh: ${gate.text}: no more is sent`)
    stop.abort()
  })
  return { gateWatch, stopped: stop.signal }
}

/** Says last what the run is worth. */
export function conclude(run: Run, end: RunEnd, terminal: Terminal): ExitCode {
  const { code, line } = exitOfRun(run, end)
  if (line === undefined) return code
  const isSure = run.comparison === undefined || isJudged(run.comparison)
  if (isSure && run.gates.every(({ outcome }) => outcome === 'passed') && code === EXIT.ok) terminal.say(line)
  else terminal.warn(line)
  return code
}

/** Feeds the threads until the schedule ends, and waits until they have. */
async function drive(
  fleet: Fleet,
  { survey, plan, options }: PlannedReplay,
  stop: Pick<StopSignals, 'drain' | 'now'>,
  begun: { atNs: number },
): Promise<FleetSummary> {
  const feeding = new AbortController()
  const onDrain = (): void => {
    fleet.stop()
    feeding.abort()
  }
  const onNow = (): void => fleet.abandon()
  stop.drain.addEventListener('abort', onDrain)
  stop.now.addEventListener('abort', onNow)
  try {
    const fed = feed(fleet, survey, plan, options, feeding.signal)
    await Promise.race([fed, pause(PRIMING_MS)])
    begun.atNs = monotonicNs()
    fleet.begin(begun.atNs)
    if (stop.drain.aborted) onDrain()
    if (stop.now.aborted) onNow()
    const summary = await Promise.race([fleet.finished, fed.then(() => fleet.finished)])
    feeding.abort()
    return summary
  } finally {
    stop.drain.removeEventListener('abort', onDrain)
    stop.now.removeEventListener('abort', onNow)
    await fleet.close()
  }
}

async function feed(
  fleet: Fleet,
  survey: Survey,
  plan: Plan,
  options: ScheduleOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { shard, batch } of scheduleShards(survey, plan, options, signal)) {
      if (!(await fleet.submit(shard, batch, signal))) return
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  fleet.end()
}

/** Rates are over the time in which shots were due, not over the whole seconds that it touches. */
function measuredWindowNs(
  plan: Plan,
  warmupNs: number,
  summary: FleetSummary,
  { tempo }: LoadControl,
): number | undefined {
  const endNs = Math.max(0, ...summary.workers.map((worker) => worker.endNs))
  if (plan.durationNs === undefined || plan.durationNs === Infinity || summary.ending !== 'finished') {
    return endNs > warmupNs ? endNs - warmupNs : undefined
  }
  const lastNs = tempo.runNs(plan.durationNs)
  return lastNs > warmupNs ? lastNs - warmupNs : undefined
}

/** Undefined where it ran to its end, or a signal ended it. */
function whatStopped(summary: FleetSummary, abortedBy: Gate | undefined): string | undefined {
  if (abortedBy !== undefined) return `the gate ${abortedBy.text} stopped the run`
  return breakerReason(summary) === undefined ? undefined : 'the breaker stopped the run'
}

/** Why the breaker tripped; undefined where it did not. */
export function breakerReason({ ending, reason }: FleetSummary): string | undefined {
  return ending === 'breaker' ? (reason ?? 'too many errors') : undefined
}
