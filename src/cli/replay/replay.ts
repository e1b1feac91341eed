import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { openRecordings } from '../../archive/open.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import type { RecordingReader } from '../../core/recording.ts'
import { holdsPseudonym } from '../../mask/pseudonym.ts'
import { formatDurationNs } from '../../core/units.ts'
import { checkGates, sampleWarnings } from '../../measure/gates/check-gates.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import type { Plan } from '../../replay/plan.ts'
import { checkPlan, planReplay } from '../../replay/plan.ts'
import { checkReachable, resolveTarget } from '../../replay/senders/resolve-target.ts'
import { listRuns } from '../../report/history.ts'
import { surveyRecordings } from '../../replay/survey.ts'
import { AuthCommand } from './auth-command.ts'
import type { Config } from '../config.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import { required } from '../flags.ts'
import type { CheckSettings } from './replay-check.ts'
import { checkSettingsOf } from './replay-check.ts'
import { firstBlockOptions } from './capacity-steps.ts'
import { baselinePlanLines, baselineShots, moreBlocks, runBaseline } from './replay-baseline.ts'
import { capacityPlanLines, planCapacity, runCapacitySearch } from './replay-capacity.ts'
import { checkClosed, closedPlan, runClosedLoop } from './replay-closed.ts'
import type { ReplayFlags } from './replay-flags.ts'
import { readGates, REPLAY_FLAGS, REPLAY_GROUPS } from './replay-flags.ts'
import { replayInputs } from './replay-edits.ts'
import { scheduleOptionsOf, targetOptionsOf } from './replay-options.ts'
import { targetUrl } from '../target-url.ts'
import { runReplayFleet } from './replay-run.ts'
import { runPlanOf } from './run-facts.ts'
import { planText } from './plan-text.ts'
import type { Terminal } from '../terminal.ts'
import { sendingSettings } from './sending-settings.ts'
import { listenForStop } from '../signals.ts'
import { readUnsealing, sealedLines } from '../unsealing.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

/** `mesh replay`: many hosts' recordings onto one target. */
export function replayCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'replay',
      summary: 'merge recordings of many hosts, multiply them, send them to one target, and judge the run',
      examples: [
        'mesh replay host-a.mcap host-b.mcap host-c.mcap --to http://canary:8080 --plan',
        'mesh replay host-*.mcap --to http://canary:8080 --amplify 2.5 --warmup 10s -o run',
        "mesh replay host-*.mcap --to http://canary:8080 --gate 'p99 < 250ms' --gate 'error_rate < 1%'",
        'mesh replay host-a.mcap --to http://canary:8080 --speed max -c 50 --loop -d 30s --yes',
      ],
      words: '<file...>',
      flags: REPLAY_FLAGS,
      groups: REPLAY_GROUPS,
      run: async ({ flags, words, terminal, config }) => {
        const url = targetUrl(required(flags.to, 'to', '--to http://canary:8080'))
        if (new Set(words).size < words.length) {
          terminal.warn('mesh: a recording that is named twice is read once; --amplify multiplies')
        }
        const unsealing = readUnsealing(flags.unseal, (line) => terminal.warn(line))
        const readers = await openRecordings(words, process.stdin, 'many', unsealing?.openSeal)
        try {
          const sealLines = (await unsealing?.planLines(readers)) ?? sealedLines(readers)
          return await planAndRun(readers, sealLines, url, flags, terminal, config)
        } finally {
          await Promise.all(readers.map((reader) => reader.close()))
        }
      },
    },
    caller,
  )
}

async function planAndRun(
  readers: readonly RecordingReader[],
  sealLines: readonly string[],
  url: string,
  flags: FlagValues<ReplayFlags>,
  terminal: Terminal,
  config: Config | undefined,
): Promise<ExitCode> {
  const gates = gatesOf(flags, config, terminal)
  const check = checkSettingsOf(flags, config)
  const { authCommand } = flags
  const authorization =
    authCommand === undefined ? undefined : new AuthCommand(authCommand, (line) => terminal.warn(line))
  const given = scheduleOptionsOf(flags, url, readers, config, authorization)
  const options = firstBlockOptions(given, flags)
  checkClosed(flags, terminal)
  warnOfCuts(readers, terminal)
  if (flags.against !== undefined && !isMadeByOutput(flags.against, flags.output)) await listRuns(flags.against)
  const chosen = await replayInputs(readers, flags, config)
  const survey = await surveyRecordings(chosen.inputs, options, holdsPseudonym, new AbortController().signal)
  const plan = closedPlan(planReplay(survey, options), flags)
  const shown = [planText(plan, url), ...[...sealLines, ...chosen.planLines()].map((line) => `${line}\n`)].join('')
  for (const rule of chosen.idleRules()) terminal.warn(`mesh: the rule "${rule}" changes no request`)
  const refusal = refusalOf(plan, flags) ?? gateRefusal(gates, plan, options, flags, check)
  const capacity = flags.findCapacity ? planCapacity({ survey, plan, options, flags, gates, check }) : undefined
  const baselineUrl = flags.baseline === undefined ? undefined : targetUrl(flags.baseline, '--baseline')
  const blockText = [
    ...(capacity === undefined ? [] : capacityPlanLines(capacity)),
    ...(baselineUrl === undefined
      ? []
      : baselinePlanLines({ survey, plan, options, flags, gates, check, url }, baselineUrl)),
  ]
    .map((line) => `${line}\n`)
    .join('')
  if (flags.plan) {
    terminal.out(flags.json ? `${JSON.stringify(runPlanOf(plan, survey))}\n` : shown + blockText)
    if (refusal !== undefined)
      terminal.warn(`mesh: this plan would not run as it is: ${refusal.message} [${refusal.code}]`)
    else warnOfSamples(gates, plan, flags, terminal)
    return EXIT.ok
  }
  terminal.say((shown + blockText).trimEnd())
  if (refusal !== undefined) throw refusal
  warnOfSamples(gates, plan, flags, terminal)
  await authorization?.current()
  const target = await resolveTarget(targetOptionsOf(flags, url))
  await checkReachable(target)
  const baseline =
    baselineUrl === undefined
      ? undefined
      : { url: baselineUrl, target: await resolveTarget(targetOptionsOf(flags, baselineUrl)) }
  if (baseline !== undefined) await checkReachable(baseline.target)
  const stop = listenForStop((name) =>
    terminal.say(`${name}: sending no more, waiting for replies; once more ends it now`),
  )
  try {
    const sending = sendingSettings(flags, config)
    const replay = { readers, sending, survey, plan, options, target, url, flags, gates, check }
    if (capacity !== undefined) return await runCapacitySearch(replay, capacity, stop, terminal)
    if (baseline !== undefined) return await runBaseline(replay, baseline, stop, terminal)
    if (flags.closed !== undefined) return await runClosedLoop(replay, flags.closed, stop, terminal)
    return await runReplayFleet(replay, stop, terminal)
  } finally {
    stop.release()
  }
}

/** Those of the command line or the environment, else those of the settings file. */
function gatesOf(flags: FlagValues<ReplayFlags>, config: Config | undefined, terminal: Terminal): readonly Gate[] {
  if (flags.gate.length > 0 || config === undefined) return flags.gate
  const gates = readGates(config.gates, `${config.file}: gates`)
  if (gates.length === 0 || flags.closed === undefined) return gates
  terminal.warn(`mesh: --closed measures a ceiling, and judges nothing: the gates of ${config.file} are left out`)
  return []
}

function warnOfCuts(readers: readonly RecordingReader[], terminal: Terminal): void {
  for (const { info, ending } of readers) {
    if (ending !== 'cut') continue
    terminal.warn(
      `mesh: the recording of ${info.host} is CUT: its end is missing, for it was not closed or not copied whole`,
    )
  }
}

/** Says which gates will rest on too little. Steps of a search are made long enough for its gates. */
function warnOfSamples(gates: readonly Gate[], plan: Plan, flags: FlagValues<ReplayFlags>, terminal: Terminal): void {
  if (flags.findCapacity) return
  const warnings =
    flags.baseline === undefined
      ? sampleWarnings(gates, plan.shots)
      : sampleWarnings(gates, baselineShots({ plan, flags }), (factor) => moreBlocks(flags, factor))
  for (const warning of warnings) terminal.warn(`mesh: ${warning}`)
}

/** Why these gates cannot be judged in this run, undefined where they can. */
function gateRefusal(
  gates: readonly Gate[],
  plan: Plan,
  { routes }: ScheduleOptions,
  flags: FlagValues<ReplayFlags>,
  check: CheckSettings | undefined,
): MeshError | undefined {
  try {
    const comparedWith = flags.baseline !== undefined ? 'baseline' : flags.against === undefined ? undefined : 'history'
    const loop = plan.speed === 'max' ? 'closed' : 'open'
    checkGates(gates, { loop, routeNames: routes.names, comparedWith, check: check?.mode })
  } catch (error) {
    return toMeshError(error)
  }
  return undefined
}

/** Why this plan must not run as it is, undefined where it may. */
function refusalOf(plan: Plan, flags: FlagValues<ReplayFlags>): MeshError | undefined {
  try {
    checkPlan(plan, { confirmed: flags.yes, maxPerSecond: flags.closed === undefined ? flags.maxRate : Infinity })
  } catch (error) {
    return toMeshError(error)
  }
  if (plan.durationNs === undefined || flags.warmup < plan.durationNs) return undefined
  return new MeshError('MESH_ERR_USAGE', {
    what: `expected a warm-up shorter than the run of ${formatDurationNs(plan.durationNs)}, found ${formatDurationNs(flags.warmup)}`,
    where: '--warmup',
    remedy: 'nothing would be measured',
  })
}

/** The first run of `-o perf/one --against perf` makes the directory of earlier runs. */
function isMadeByOutput(against: string, output: string | undefined): boolean {
  return output !== undefined && dirname(resolve(output)) === resolve(against)
}
