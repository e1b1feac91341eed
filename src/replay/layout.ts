import type { ScheduleOptions } from './options.ts'
import type { RunClock } from './pacer.ts'
import type { PlacedTimeline } from './rate-timeline.ts'
import type { PlacedRecording } from './shot-count.ts'
import type { Survey } from './survey.ts'

/** From `fromNs` of the run on, this many recordings are played, and the recorded traffic of one host this many times. */
export interface MultiplierStep {
  readonly fromNs: number
  readonly recordings: number
  readonly multiplier: number
}

/** A second-long recording beside a day-long one would be laid out 86,400 times; peaks are known long before. */
export const MAX_LAID_OUT = 1_000

/** The timelines as the run plays them; of an endless run two rounds of the longest recording, which show how they fall together; with stages all. */
export function layOut(
  survey: Survey,
  recordings: readonly PlacedRecording[],
  options: ScheduleOptions,
  sentSpanNs: number,
): readonly PlacedTimeline[] {
  const layout: PlacedTimeline[] = []
  const horizonNs = Math.min(
    sentSpanNs,
    (options.stages === undefined ? 2 : Infinity) *
      Math.max(0, ...recordings.map(({ offsetNs, periodNs }) => offsetNs + periodNs)),
  )
  for (const [index, { offsetNs, periodNs }] of recordings.entries()) {
    const timeline = survey.recordings[index]?.timeline
    if (timeline === undefined) continue
    layout.push({ timeline, shiftNs: offsetNs })
    if (options.ending !== 'loop') continue
    for (let shiftNs = offsetNs + periodNs; shiftNs < horizonNs && layout.length < MAX_LAID_OUT; shiftNs += periodNs) {
      layout.push({ timeline, shiftNs })
    }
  }
  return layout
}

/** How many recordings play at a time, and how often one host is sent then. */
export function multiplierSteps(
  recordings: readonly (PlacedRecording & { readonly spanNs: number })[],
  amplify: number,
  clock: RunClock,
  endNs: number,
  loops: boolean,
): readonly MultiplierStep[] {
  const changes: { atNs: number; by: number }[] = []
  for (const { offsetNs, spanNs } of recordings) {
    changes.push({ atNs: offsetNs, by: 1 })
    if (!loops && offsetNs + spanNs < endNs) changes.push({ atNs: offsetNs + spanNs, by: -1 })
  }
  const steps: MultiplierStep[] = []
  let playing = 0
  for (const { atNs, by } of changes.toSorted((a, b) => a.atNs - b.atNs)) {
    if (atNs > endNs) break
    playing += by
    const step = { fromNs: clock.dueNs(atNs), recordings: playing, multiplier: playing * amplify }
    if (steps.at(-1)?.fromNs === step.fromNs) steps.pop()
    steps.push(step)
  }
  return steps
}
