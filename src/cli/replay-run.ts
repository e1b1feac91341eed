import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNs } from '../core/clock.ts'
import { DEFAULT_MAX_ROUTES } from '../measure/routes.ts'
import { Measurement } from '../measure/measurement.ts'
import type { FleetSummary } from '../replay/fleet.ts'
import { Fleet } from '../replay/fleet.ts'
import type { ScheduleOptions } from '../replay/options.ts'
import type { Plan } from '../replay/plan.ts'
import { scheduleShards } from '../replay/schedule.ts'
import type { SenderCounters } from '../replay/senders/sender.ts'
import type { Target } from '../replay/senders/target.ts'
import type { Survey } from '../replay/survey.ts'
import type { RunFacts } from '../report/describe-run.ts'
import { describeRun } from '../report/describe-run.ts'
import { REPORTERS } from '../report/index.ts'
import { RunDirectory } from '../report/run-directory.ts'
import type { Run } from '../report/run.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT } from './exit-codes.ts'
import type { FlagValues } from './flags.ts'
import { addCounters, progressLine } from './replay-progress.ts'
import type { ReplayFlags } from './replay-flags.ts'
import { senderOptionsOf } from './replay-options.ts'
import { runPlanOf, runRequestOf } from './run-facts.ts'
import type { StopSignals } from './signals.ts'
import type { Terminal } from './terminal.ts'
import { VERSION } from './version.ts'

/** A replay that is planned, checked and ready to go. */
export interface PlannedReplay {
  readonly survey: Survey
  readonly plan: Plan
  readonly options: ScheduleOptions
  readonly target: Target
  readonly url: string
  readonly flags: FlagValues<ReplayFlags>
}

/** Threads have their first shots before time 0; a schedule that takes longer to make them is late, and that would be ours. */
const PRIMING_MS = 300
const PROGRESS_MS = 1000

/** Beyond it the eye does not find the way from a route to its figures. */
const MAX_REPORT_COLUMNS = 120

/** Runs a planned replay on sending threads, reports it, and says by its exit code what it was worth. */
export async function runReplayFleet(replay: PlannedReplay, stop: StopSignals, terminal: Terminal): Promise<ExitCode> {
  const { plan, survey, options, flags } = replay
  const warmupNs = flags.warmup
  const facts: Omit<RunFacts, 'interrupted'> = {
    runId: options.rewrite.runId,
    version: VERSION,
    startedAt: new Date(),
    asked: runRequestOf(plan, replay.url, flags),
    plan: runPlanOf(plan, survey),
    warmupNs,
  }
  const counters = new Map<number, SenderCounters>()
  let directory: RunDirectory | undefined
  const measurement = new Measurement({ workers: flags.workers, onRow: (row) => directory?.addRow(row) })
  if (flags.output !== undefined) {
    const first = describeRun({ ...facts, interrupted: true }, measurement, survey.recorded, options.routes.names)
    directory = await RunDirectory.create(flags.output, first, options.routes.names)
  }
  const fleet = await Fleet.open({
    workers: flags.workers,
    options: senderOptionsOf(flags, replay.target),
    routeCount: DEFAULT_MAX_ROUTES,
    warmupNs,
    onInterval: (worker, snapshot, sent) => {
      if (snapshot !== undefined) measurement.add(snapshot)
      counters.set(worker, sent)
    },
  })
  const begun = { atNs: 0 }
  const progress = setInterval(() => {
    const elapsedNs = begun.atNs === 0 ? 0 : monotonicNs() - begun.atNs
    terminal.progress(progressLine(measurement, counters, plan, elapsedNs, warmupNs))
  }, PROGRESS_MS)
  let summary: FleetSummary
  try {
    summary = await drive(fleet, replay, stop, begun)
  } catch (error) {
    await directory?.destroy()
    throw error
  } finally {
    clearInterval(progress)
  }
  measurement.finish()
  const interrupted = stop.name() !== undefined
  const windowNs = measuredWindowNs(plan, warmupNs, summary)
  const run = describeRun(
    {
      ...facts,
      interrupted,
      finishedAt: new Date(),
      health: summary.health,
      counters: addCounters(summary.workers.map((worker) => worker.counters)),
      ...(windowNs === undefined ? {} : { windowNs }),
    },
    measurement,
    survey.recorded,
    options.routes.names,
  )
  await directory?.close(run, measurement.total.total().responseTime)
  report(run, flags.json, terminal)
  if (directory !== undefined) terminal.say(`the run is in ${directory.path}/`)
  if (!flags.json) terminal.say(`verdict: ${run.verdict.name}`)
  if (summary.reason !== undefined) terminal.warn(`mesh: stopped by the breaker: ${summary.reason}`)
  return exitCodeOfRun(run, summary, stop)
}

/** Feeds the threads until the schedule ends, and waits until they have. */
async function drive(
  fleet: Fleet,
  { survey, plan, options }: PlannedReplay,
  stop: StopSignals,
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
function measuredWindowNs(plan: Plan, warmupNs: number, summary: FleetSummary): number | undefined {
  const endNs = Math.max(0, ...summary.workers.map((worker) => worker.endNs))
  if (plan.durationNs === undefined || plan.durationNs === Infinity || summary.ending !== 'finished') {
    return endNs > warmupNs ? endNs - warmupNs : undefined
  }
  return plan.durationNs > warmupNs ? plan.durationNs - warmupNs : undefined
}

function report(run: Run, json: boolean, terminal: Terminal): void {
  const style = { columns: Math.max(80, Math.min(MAX_REPORT_COLUMNS, terminal.columns)), colour: terminal.colour }
  const reporter = json ? REPORTERS.json : REPORTERS.text
  reporter.write(run, { write: (text) => terminal.out(text) }, style)
}

function exitCodeOfRun(run: Run, summary: FleetSummary, stop: StopSignals): ExitCode {
  const signal = stop.name()
  if (signal !== undefined) return signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  if (summary.ending === 'breaker') return EXIT.breaker
  return run.verdict.name === 'INVALID' ? EXIT.notValid : EXIT.ok
}
