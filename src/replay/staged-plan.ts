import { formatDurationNs } from '../core/units.ts'
import type { RunClock } from './pacer.ts'
import type { PlacedTimeline } from './rate-timeline.ts'
import { peakPerSecond } from './rate-timeline.ts'
import type { ShotCount } from './shot-count.ts'
import type { Stage, Stages } from './stages.ts'

/** What one stage is expected to send. Times are of the run. */
export interface PlannedStage extends Stage {
  readonly fromNs: number
  /** How long shots are due in it: less than its duration where the recordings end before, or 0. */
  readonly playedNs: number
  /** Without those clones that may not come in (see `StageCopies`). */
  readonly shots: number
  readonly meanPerSecond: number
  readonly peakPerSecond: number
}

export interface PlannedStages {
  readonly kind: Stages['kind']
  /** The mean rate that rates are set against: of the recordings, amplified. */
  readonly basePerSecond: number
  readonly list: readonly PlannedStage[]
}

/** What is known of the run besides its stages. */
export interface StagedRun {
  readonly count: ShotCount
  readonly clock: RunClock
  /** Of a run of rates the greatest factor is taken from its stages. */
  readonly speed: number
  readonly durationNs: number
  /** Recorded time that is sent. */
  readonly sentSpanNs: number
  readonly layout: readonly PlacedTimeline[]
  /** All rounds of all recordings are in the layout. */
  readonly isLaidOut: boolean
  /** How often a request is sent on average, at a multiplier. */
  readonly copiesAt: (multiplier: number) => number
}

/** A line is taken as so many steps. */
const LINE_STEPS = 64

/** Shots, mean and peak of each stage: arithmetic on the timelines of the recordings. */
export function planStages({ kind, list }: Stages, run: StagedRun): PlannedStages {
  const planned: PlannedStage[] = []
  let fromNs = 0
  for (const stage of list) {
    const untilNs = Math.min(fromNs + stage.durationNs, run.durationNs)
    const playedNs = Math.max(0, untilNs - fromNs)
    const shots =
      playedNs === 0
        ? 0
        : Math.round(kind === 'rate' ? shotsOfRate(run, fromNs, untilNs) : shotsOf(stage, run, fromNs, untilNs))
    const meanPerSecond = playedNs === 0 ? 0 : (shots * 1e9) / playedNs
    const peak = playedNs === 0 ? 0 : peakOf(kind, stage, run, fromNs)
    planned.push({ ...stage, fromNs, playedNs, shots, meanPerSecond, peakPerSecond: Math.max(peak, meanPerSecond) })
    fromNs += stage.durationNs
  }
  return { kind, basePerSecond: run.count.meanPerSecond, list: planned }
}

/** What the user should know of stages that do not run as they are written. */
export function warnAboutStages({ list }: PlannedStages, durationNs: number, warnings: string[]): void {
  const askedNs = list.reduce((sum, stage) => sum + stage.durationNs, 0)
  if (durationNs < askedNs) {
    warnings.push(
      `the recordings end after ${formatDurationNs(durationNs)} of the stages' ${formatDurationNs(askedNs)}: --loop starts them over`,
    )
  }
  for (const [index, stage] of list.entries()) {
    if (stage.playedNs > 0 && stage.shots === 0) warnings.push(`stage ${index + 1} sends nothing`)
  }
}

function shotsOfRate({ count, clock }: StagedRun, fromNs: number, untilNs: number): number {
  return count.shotsUntil(clock.recordedNs(untilNs)) - count.shotsUntil(clock.recordedNs(fromNs))
}

function shotsOf(stage: Stage, run: StagedRun, fromNs: number, untilNs: number): number {
  const steps = stage.from === stage.to ? 1 : LINE_STEPS
  let shots = 0
  let before = run.count.requestsUntil(run.clock.recordedNs(fromNs))
  for (let step = 1; step <= steps; step++) {
    const after = run.count.requestsUntil(run.clock.recordedNs(fromNs + ((untilNs - fromNs) * step) / steps))
    const middleNs = ((untilNs - fromNs) * (step - 0.5)) / steps
    shots += (after - before) * run.copiesAt(stage.from + (stage.to - stage.from) * (middleNs / stage.durationNs))
    before = after
  }
  return shots
}

/** The busiest second of what was recorded for this stage, at its greatest factor: a line's peak is at most that. */
function peakOf(kind: Stages['kind'], stage: Stage, run: StagedRun, fromNs: number): number {
  const most = Math.max(stage.from, stage.to)
  if (most === 0) return 0
  const [beginNs, endNs] = [run.clock.recordedNs(fromNs), run.clock.recordedNs(fromNs + stage.durationNs)]
  const base = run.count.meanPerSecond
  const speed = kind === 'rate' ? (base > 0 ? most / base : 1) : run.speed
  const copies = kind === 'rate' ? run.copiesAt(1) : Math.max(most, run.copiesAt(most))
  return peakPerSecond(
    run.layout,
    (timeline, bucket, atNs) => {
      const isInside = !run.isLaidOut || (atNs + timeline.widthNs > beginNs && atNs < endNs)
      return isInside ? timeline.sent(bucket) * copies : 0
    },
    speed,
    run.sentSpanNs,
  )
}
