import { availableParallelism } from 'node:os'
import { MeshError } from '../../core/errors.ts'
import { loadEvidenceOf, type MaskedLoad } from '../../measure/another-load.ts'
import { figuresOf } from '../../measure/figures.ts'
import type { GateSpan } from '../../measure/gates/reading.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import { judgeStep, MAX_BACKLOG_SHARE, type StepJudgement, stepSamplesFor } from '../../measure/capacity/judge-step.ts'
import type { CapacityLimit } from '../../measure/capacity/judge-step.ts'
import type { CapacityStep } from '../../measure/capacity/result.ts'
import type { StepOutcome } from '../../measure/capacity/search.ts'
import { SpanTally } from '../../measure/tally.ts'
import type { Verdict } from '../../measure/validity.ts'
import { judge } from '../../measure/validity.ts'
import type { Block, BlockResult } from '../../replay/block-sender.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import { planReplay } from '../../replay/plan.ts'
import { schedule } from '../../replay/schedule.ts'
import type { Survey } from '../../replay/survey.ts'
import type { FlagValues } from '../flags.ts'
import type { ReplayFlags } from './replay-flags.ts'

/** A step is sent so often at most before it counts as undecided; tries that our side disturbed are counted for themselves. */
export const MOST_TRIES = 3

/** The part of a step that is sent before it is measured, unless --warmup says how long. */
const WARMUP_SHARE = 0.2

/** A step that needs longer for its samples is refused: nobody waits that long to be told that a gate was too fine. */
const MOST_STEP_NS = 600e9

const SECOND_NS = 1e9

/** What all steps of a search have in common. */
export interface StepSettings {
  readonly survey: Survey
  readonly options: ScheduleOptions
  readonly gates: readonly Gate[]
  /** Measured in each, at least. Whole seconds. */
  readonly stepNs: number
  readonly warmupNs: number
  readonly maxErrorShare: number
  /** Requests a second of the recordings in a step at 1x, by which steps are made long enough for their gates. */
  readonly basePerSecond: number
}

/** How long a step is measured, and what goes before it. */
export function stepTimes(stepNs: number, warmupNs: number): { readonly stepNs: number; readonly warmupNs: number } {
  const measured = Math.max(SECOND_NS, Math.ceil(stepNs / SECOND_NS) * SECOND_NS)
  const warmup = warmupNs > 0 ? warmupNs : measured * WARMUP_SHARE
  return { stepNs: measured, warmupNs: Math.max(1, Math.ceil(warmup / SECOND_NS)) * SECOND_NS }
}

/**
 * What the plan of a run in blocks shows: its first. The options as they are where it is of one.
 *
 * @throws MeshError MESH_ERR_USAGE for flags that do not go with blocks.
 */
export function firstBlockOptions(options: ScheduleOptions, flags: FlagValues<ReplayFlags>): ScheduleOptions {
  if (!flags.findCapacity && flags.baseline === undefined) return options
  const name = flags.findCapacity ? '--find-capacity' : '--baseline'
  const others: readonly (readonly [flag: string, given: boolean])[] = [
    ['--baseline', flags.findCapacity && flags.baseline !== undefined],
    ['--stages', flags.stages !== undefined],
    ['--rate', flags.rate !== undefined],
    ['--speed max', flags.speed === 'max'],
    ['--duration', flags.duration !== undefined],
    ['--against', flags.against !== undefined],
    ['--check', flags.check !== undefined],
    ['--scrape', flags.scrape.length > 0],
    ['--watch-pid', flags.watchPid !== undefined],
  ]
  const other = others.find(([, given]) => given)?.[0]
  if (other !== undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `${name} and ${other} exclude each other`,
      remedy: 'give one of them',
    })
  }
  const { stepNs, warmupNs } = stepTimes(flags.step, flags.warmup)
  return { ...options, ending: 'loop', durationNs: stepNs + warmupNs, jitterNs: options.jitterNs ?? warmupNs / 2 }
}

/** How long a step at this multiplier has to be measured. @throws MeshError MESH_ERR_USAGE where that is too long. */
export function measuredNsAt(settings: StepSettings, multiplier: number, factor = 1): number {
  const needed = Math.max(0, ...settings.gates.map(stepSamplesFor))
  const perSecond = settings.basePerSecond * multiplier
  // A tenth more: the load is not the same in every second.
  const neededNs = perSecond > 0 ? ((1.1 * needed) / perSecond) * SECOND_NS : 0
  const stepNs = Math.ceil(Math.max(settings.stepNs * factor, neededNs) / SECOND_NS) * SECOND_NS
  if (stepNs <= MOST_STEP_NS) return stepNs
  throw new MeshError('MESH_ERR_USAGE', {
    what: `a step at ${multiplier}x has ${perSecond.toPrecision(3)} requests a second, too few for gates that need ${needed} samples`,
    where: '--gate',
    remedy: 'gate a lower quantile, or begin at a higher --amplify',
  })
}

/** The schedule of one step. */
export function blockAt(settings: StepSettings, multiplier: number, measuredNs: number): Block {
  const { survey, warmupNs, maxErrorShare } = settings
  const durationNs = warmupNs + measuredNs
  const jitterNs = settings.options.jitterNs ?? warmupNs / 2
  const options: ScheduleOptions = { ...settings.options, amplify: multiplier, ending: 'loop', durationNs, jitterNs }
  return { plan: planReplay(survey, options), options, warmupNs, durationNs, maxErrorShare }
}

/** Requests of the recordings in the measured part of a step, each once. Reads them once. */
export async function recordedShots(settings: StepSettings, measuredNs: number, signal: AbortSignal): Promise<number> {
  const { plan, options, warmupNs } = blockAt(settings, 1, measuredNs)
  let count = 0
  for await (const { dueNs } of schedule(settings.survey, plan, options, signal)) {
    for (const atNs of dueNs) if (atNs >= warmupNs) count += 1
  }
  return count
}

/** What is known of a step that was sent once or several times. */
export interface StepTally {
  readonly results: readonly BlockResult[]
  /** Of each of them, by the rules that runs are judged by. */
  readonly verdicts: readonly Verdict[]
}

/** Was this block disturbed by our own side, and was it of the recorded load? `masked` is of the plan. */
export function verdictOfBlock(
  block: BlockResult,
  flags: { readonly pacing: 'precise' | 'eco' | undefined; readonly onInvalid: 'fail' | 'warn' },
  masked: MaskedLoad | undefined,
): Verdict {
  const total = block.tally.total()
  const { blocked, lag } = block.tally
  const verdict = judge({
    loop: 'open',
    pace: block.pace,
    ...loadEvidenceOf(total, masked),
    responseTime: total.responseTime,
    serviceTime: total.serviceTime,
    blocked,
    lag,
    health: block.health,
    cpus: availableParallelism(),
    pacing: flags.pacing ?? 'precise',
  })
  const isExcused = flags.onInvalid === 'warn' && verdict.name === 'INVALID' && block.pace.sent > 0
  return isExcused ? { ...verdict, name: 'VALID' } : verdict
}

/**
 * What a block that `--on-invalid warn` let count makes of the whole measurement: it stays INVALID, and only its exit code is excused.
 * Undefined where nothing was excused.
 */
export function excusedVerdict({ name, reasons }: Verdict): Verdict | undefined {
  const isExcused = name !== 'INVALID' && reasons.some(({ verdict }) => verdict === 'INVALID')
  return isExcused ? { name: 'INVALID', reasons } : undefined
}

/** What decided a step. */
export interface DecidedStep {
  readonly step: CapacityStep
  readonly limit: CapacityLimit | 'generator' | undefined
  /** Worth another try. */
  readonly isOpen: boolean
  /** The verdict of the last disturbed try. */
  readonly starved: Verdict | undefined
}

/** A backlog that grows by this share of what is due leaves no doubt. */
const SURE_BACKLOG = 0.1

/**
 * Judges a step by all of its tries that our side did not disturb. One that failed is tried again, for a pause of a second may have been why: two have to
 * fail, unless requests piled up beyond doubt. Those that did not fail are judged together.
 */
export function decideStep(
  gates: readonly Gate[],
  { results, verdicts }: StepTally,
  about: {
    readonly routeNames: readonly string[]
    /** What it was to offer. */
    readonly multiplier: number
    /** What 1x would offer in one try. */
    readonly recorded: number
    readonly isCheck: boolean
  },
): DecidedStep {
  const sound = results.filter((result, index) => verdicts[index]?.name !== 'INVALID' || isDown(result))
  const votes = sound.map((result) => ({ result, ...judgeStep(gates, { ...pool([result]), ...about }) }))
  const failed = votes.filter(({ outcome }) => outcome === 'failed')
  const isFailed =
    failed.length > 1 || failed.some(({ result }) => result.broken !== undefined || result.backlogShare > SURE_BACKLOG)
  const counted = isFailed ? failed : votes.filter(({ outcome }) => outcome !== 'failed')
  const pooled = pool(counted.length > 0 ? counted.map(({ result }) => result) : results)
  const total = pooled.span.total
  const judged = judgeStep(gates, { ...pooled, ...about })
  const isSplit = !isFailed && failed.length > 0 && judged.outcome !== 'held'
  const judgement: StepJudgement = isSplit ? { ...(failed[0] ?? judged), outcome: 'undecided' } : judged
  const starved = sound.length === 0 ? verdicts.at(-1) : undefined
  const reason = starved?.reasons[0]?.what
  const outcome: StepOutcome = starved === undefined ? judgement.outcome : 'starved'
  const { offered, spanNs } = pooled.span
  const due = offered?.due ?? 0
  const recorded = about.recorded * pooled.blocks
  const multiplier = pooled.broken === undefined && recorded > 0 ? due / recorded : about.multiplier
  return {
    step: {
      multiplier,
      sustained: multiplier * (1 - MAX_BACKLOG_SHARE),
      perSecond: spanNs === 0 ? 0 : (due * 1e9) / spanNs,
      outcome,
      tries: results.length,
      isCheck: about.isCheck,
      what: reason ?? judgement.what,
      offered: due,
      errors: errorsOf(total.failures, total.statuses),
      responseTime: figuresOf(total.responseTime),
    },
    limit: starved === undefined ? judgement.limit : 'generator',
    isOpen:
      (outcome === 'undecided' || outcome === 'starved') &&
      Math.max(sound.length, results.length - sound.length) < MOST_TRIES,
    starved,
  }
}

/** Nothing answered: that is the target's doing, whatever else is to be said of the block. */
function isDown(block: BlockResult | undefined): boolean {
  return block !== undefined && block.pace.sent > 0 && block.tally.total().replies === 0
}

function errorsOf(failures: number, statuses: ReadonlyMap<number, number>): number {
  let errors = failures
  for (const [status, count] of statuses) if (status >= 500) errors += count
  return errors
}

interface Pooled {
  readonly span: GateSpan
  readonly backlogShare: number
  readonly broken: string | undefined
  readonly blocks: number
}

function pool(results: readonly BlockResult[]): Pooled {
  const tally = new SpanTally()
  let [spanNs, due, sent, backlog] = [0, 0, 0, 0]
  for (const result of results) {
    tally.add(result.tally)
    spanNs += result.windowNs
    due += result.pace.due
    sent += result.pace.sentInWindow
    backlog += result.backlogShare * result.pace.due
  }
  return {
    span: { tally, total: tally.total(), spanNs, offered: { due, sent } },
    backlogShare: due === 0 ? 0 : backlog / due,
    broken: results.find(({ broken }) => broken !== undefined)?.broken,
    blocks: results.length,
  }
}
