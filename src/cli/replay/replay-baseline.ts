import { monotonicNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import { formatCount, formatDurationNs } from '../../core/units.ts'
import { blockOrder, BlockPairs, LEAST_PAIRS, MOST_PAIRS, type Side } from '../../measure/comparison/block-pairs.ts'
import type { Comparison } from '../../measure/comparison/finding.ts'
import type { MaskedLoad } from '../../measure/another-load.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import type { GeneratorHealth } from '../../measure/health.ts'
import { Measurement } from '../../measure/measurement.ts'
import { SlowestShots } from '../../measure/slowest-shots.ts'
import { DEFAULT_MAX_ROUTES } from '../../measure/routes.ts'
import { anotherLoadReason, type Verdict, type VerdictReason, withLoadOfAll } from '../../measure/validity.ts'
import type { Block, BlockResult, BlockSenderOptions } from '../../replay/block-sender.ts'
import { BlockSender } from '../../replay/block-sender.ts'
import type { FleetSummary } from '../../replay/fleet.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import type { Target } from '../../replay/senders/target.ts'
import type { RunFacts } from '../../report/describe-run.ts'
import { describeRun } from '../../report/describe-run.ts'
import { RunDirectory } from '../../report/run-directory.ts'
import type { Run } from '../../report/run.ts'
import { AfterRun } from './after-run.ts'
import { blockAt, excusedVerdict, stepTimes, verdictOfBlock } from './capacity-steps.ts'
import type { ExitCode } from '../exit-codes.ts'
import { publishRun } from './publish-run.ts'
import { addCounters } from './replay-progress.ts'
import { senderOptionsOf } from './replay-options.ts'
import type { PlannedReplay } from './planned-replay.ts'
import { breakerReason, conclude, factsOf } from './replay-run.ts'
import { maskedOf } from './run-facts.ts'
import type { StopSignals } from '../signals.ts'
import { slowestExchanges } from './slowest-exchanges.ts'
import type { Terminal } from '../terminal.ts'

/** Pairs that our own side disturbed are replaced, up to this part of those that were asked for. */
const REPLACED_SHARE = 0.5

/** The other target. */
export interface Baseline {
  readonly url: string
  readonly target: Target
}

/** How the comparison goes, for the plan. */
export function baselinePlanLines(
  { options, flags, survey }: Omit<PlannedReplay, 'readers' | 'sending' | 'target'>,
  url: string,
): readonly string[] {
  const { warmupNs, durationNs } = blocksOf({ options, flags, survey })
  const allNs = 2 * flags.pairs * (durationNs + 1e9)
  return [
    `  baseline   ${url}`,
    `  blocks     ${formatCount(flags.pairs)} pairs of the same requests: ${formatDurationNs(warmupNs)} of warm-up, ${formatDurationNs(durationNs - warmupNs)} measured`,
    `  takes      about ${formatDurationNs(allNs)}, and half as long again where our own side disturbs it`,
  ]
}

/** Requests that are planned to be measured at the candidate. */
export function baselineShots({ plan, flags }: Pick<PlannedReplay, 'plan' | 'flags'>): number {
  const { stepNs, warmupNs } = stepTimes(flags.step, flags.warmup)
  return (plan.shots * flags.pairs * stepNs) / (stepNs + warmupNs)
}

/** The flags that give a comparison so many times as many samples: more blocks, or longer ones. */
export function moreBlocks({ pairs, step, warmup }: PlannedReplay['flags'], factor: number): string {
  const { stepNs } = stepTimes(step, warmup)
  const longer = `--step ${Math.ceil((stepNs * factor) / 1e9)}s`
  const morePairs = Math.ceil(pairs * factor)
  return morePairs <= MOST_PAIRS ? `--pairs ${morePairs} or ${longer}` : longer
}

function blocksOf({ options, flags, survey }: Pick<PlannedReplay, 'options' | 'flags' | 'survey'>): Block {
  const { stepNs, warmupNs } = stepTimes(flags.step, flags.warmup)
  const settings = { survey, options, gates: [], stepNs, warmupNs, maxErrorShare: 1, basePerSecond: 0 }
  return blockAt(settings, options.amplify, stepNs)
}

/** `--baseline`: the same requests to two targets in turns, and what differs. */
export async function runBaseline(
  replay: PlannedReplay,
  baseline: Baseline,
  stop: StopSignals,
  terminal: Terminal,
): Promise<ExitCode> {
  const { flags, options, survey } = replay
  const measurement = new Measurement({ workers: flags.workers, onRow: (row) => directory?.addRow(row) })
  let directory: RunDirectory | undefined
  const facts = factsOf(replay)
  const slowest = new SlowestShots()
  const describe = (more: Partial<RunFacts>): Run =>
    describeRun({ ...facts, interrupted: true, ...more }, measurement, survey.recorded, options.routes.names)
  if (flags.output !== undefined) {
    directory = await RunDirectory.create(flags.output, describe({ gates: [] }), options.routes.names)
  }
  const originNs = monotonicNs()
  const open = (target: Target, events: Pick<BlockSenderOptions, 'onSnapshot' | 'onSlowest'>): Promise<BlockSender> =>
    BlockSender.open(survey, {
      workers: flags.workers,
      options: { ...senderOptionsOf(flags, target), durationNs: undefined },
      routeCount: DEFAULT_MAX_ROUTES,
      originNs,
      ...events,
    })
  const opened: BlockSender[] = []
  let blocks
  let summaries
  try {
    const ofBaseline = await open(baseline.target, {})
    opened.push(ofBaseline)
    const ofCandidate = await open(replay.target, {
      onSnapshot: (snapshot) => measurement.add(snapshot),
      onSlowest: (numbers) => slowest.add(numbers),
    })
    opened.push(ofCandidate)
    blocks = new AlternatingBlocks(replay, baseline, { baseline: ofBaseline, candidate: ofCandidate }, terminal)
    await blocks.send(stop.drain)
    summaries = { baseline: await ofBaseline.close(stop.now), candidate: await ofCandidate.close(stop.now) }
  } catch (error) {
    await Promise.allSettled(opened.map((sender) => sender.close(AbortSignal.abort())))
    await (blocks === undefined ? directory?.discard() : directory?.destroy())
    throw error
  }
  measurement.finish()
  const breaker = breakerOf(summaries)
  const run = describe({
    interrupted: stop.name() !== undefined,
    finishedAt: new Date(),
    ...(blocks.health === undefined ? {} : { health: blocks.health }),
    counters: addCounters(summaries.candidate.workers.map(({ counters }) => counters)),
    windowNs: blocks.measuredNs,
    slowest: await slowestExchanges(slowest, survey, replay.readers, options.routes.names),
    ...blocks.facts(baseline.url),
    ...(breaker === undefined ? {} : { stoppedBy: 'the breaker stopped the run' }),
  })
  const afterRun = new AfterRun(terminal)
  await publishRun(run, measurement, directory, flags, afterRun, terminal)
  return conclude(run, { ...flags, signal: stop.name(), breaker, abortedBy: undefined, lost: afterRun.lost }, terminal)
}

/** Which side tripped the breaker, and why; undefined where none did. */
function breakerOf(summaries: Readonly<Record<Side, FleetSummary>>): string | undefined {
  for (const side of ['candidate', 'baseline'] as const) {
    const reason = breakerReason(summaries[side])
    if (reason !== undefined) return `the ${side}: ${reason}`
  }
  return undefined
}

/** Sends pairs of blocks and keeps their figures. */
class AlternatingBlocks {
  readonly #replay: PlannedReplay
  readonly #baseline: Baseline
  readonly #senders: Readonly<Record<Side, BlockSender>>
  readonly #terminal: Terminal
  readonly #pairs: BlockPairs
  readonly #skipped: { name: string; why: string }[] = []
  #invalid: Verdict | undefined
  #excused: Verdict | undefined
  readonly #masked: MaskedLoad | undefined
  /** Why the load of either side was not the recorded one: of the first block of it where it was not. */
  #anotherLoad: Partial<Record<Side, VerdictReason | undefined>> = {}
  /** Of the candidate's last block. */
  health: GeneratorHealth | undefined

  constructor(
    replay: PlannedReplay,
    baseline: Baseline,
    senders: Readonly<Record<Side, BlockSender>>,
    terminal: Terminal,
  ) {
    this.#replay = replay
    this.#masked = maskedOf(replay.plan, replay.survey).masked
    this.#baseline = baseline
    this.#senders = senders
    this.#terminal = terminal
    const gates = replay.gates.filter(({ limit }) => limit.kind === 'baseline')
    this.#pairs = new BlockPairs(gates, replay.options.routes.names)
  }

  /** Of the candidate's blocks. */
  get measuredNs(): number {
    return this.#senders.candidate.measuredNs
  }

  /** Ends when there are as many pairs as were asked for, when too many were disturbed, or when the signal aborts. */
  async send(signal: AbortSignal): Promise<void> {
    const { flags } = this.#replay
    const most = flags.pairs + Math.ceil(flags.pairs * REPLACED_SHARE)
    for (const [index, first] of blockOrder(most + (most % 2), flags.seed).entries()) {
      if (this.#pairs.count >= flags.pairs || index >= most) return
      const second: Side = first === 'baseline' ? 'candidate' : 'baseline'
      const results: Partial<Record<Side, BlockResult>> = {}
      for (const side of [first, second]) {
        const result = await this.#senders[side].send(this.#blockOf(side), signal)
        if (result === undefined) return
        results[side] = result
      }
      this.#take(index + 1, results)
    }
  }

  /** What the run's description needs of it. */
  facts(name: string): Partial<RunFacts> {
    const { flags, gates } = this.#replay
    const isEnough = this.#pairs.count >= Math.min(flags.pairs, LEAST_PAIRS)
    const comparison: Comparison = {
      with: 'baseline',
      name,
      used: this.#pairs.count,
      needed: LEAST_PAIRS,
      blockNs: stepTimes(flags.step, flags.warmup).stepNs,
      skipped: this.#skipped,
      findings: isEnough ? this.#pairs.findings() : [],
    }
    const isWhole = this.#pairs.count >= flags.pairs
    return {
      gates,
      moreSamples: (factor) => moreBlocks(flags, factor),
      findings: { comparison },
      reference: (gate: Gate, value: number) => {
        const found = this.#pairs.gateRatio(gate)
        return found === undefined ? undefined : value / found.ratio.ratio
      },
      // Blocks that our side disturbed were left out one by one, unless --on-invalid warn kept them.
      verdict: withLoadOfAll(
        (isWhole ? undefined : this.#invalid) ?? this.#excused ?? { name: 'VALID', reasons: [] },
        this.#loadOfAll(),
      ),
    }
  }

  /** Pairs that are left out tell of the load only where there are no others. */
  #noteLoad(isTaken: boolean, ofCandidate: Verdict, ofBaseline: Verdict): void {
    if (this.#pairs.count === 0 && isTaken) this.#anotherLoad = {}
    if (this.#pairs.count > 0 && !isTaken) return
    this.#anotherLoad.candidate ??= anotherLoadReason(ofCandidate)
    this.#anotherLoad.baseline ??= anotherLoadReason(ofBaseline)
  }

  #loadOfAll(): VerdictReason | undefined {
    const { candidate, baseline } = this.#anotherLoad
    if (candidate !== undefined || baseline === undefined) return candidate
    return { ...baseline, what: `at the baseline, ${baseline.what}` }
  }

  #blockOf(side: Side): Block {
    const { options } = this.#replay
    if (side === 'candidate') return blocksOf(this.#replay)
    const { host, pathname } = new URL(this.#baseline.url)
    const rewrite = { ...options.rewrite, authority: host, pathPrefix: pathname.replace(/\/$/, '') }
    const ofBaseline: ScheduleOptions = { ...options, rewrite }
    return blocksOf({ ...this.#replay, options: ofBaseline })
  }

  #take(pair: number, { baseline, candidate }: Partial<Record<Side, BlockResult>>): void {
    if (baseline === undefined || candidate === undefined) {
      throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a block of either side' })
    }
    this.health = candidate.health
    const ofCandidate = verdictOfBlock(candidate, this.#replay.flags, this.#masked)
    const ofBaseline = verdictOfBlock(baseline, this.#replay.flags, this.#masked)
    const verdicts = [ofCandidate, ofBaseline]
    const disturbed = verdicts.find(({ name }) => name === 'INVALID')
    this.#noteLoad(disturbed === undefined, ofCandidate, ofBaseline)
    const of = `pair ${formatCount(pair)}`
    if (disturbed === undefined) {
      this.#excused ??= verdicts.map(excusedVerdict).find((verdict) => verdict !== undefined)
      this.#pairs.add(baseline.tally, candidate.tally)
      this.#terminal.say(`${of}: measured`)
      return
    }
    this.#invalid = disturbed
    const why = disturbed.reasons[0]?.what ?? 'our own side disturbed it'
    this.#skipped.push({ name: of, why: 'our own side disturbed them' })
    this.#terminal.say(`${of}: left out, ${why}`)
  }
}
