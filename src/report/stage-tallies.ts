import { figuresOf } from '../measure/figures.ts'
import type { SecondRow } from '../measure/measurement.ts'
import { Tally } from '../measure/tally.ts'
import type { RunStage } from './run.ts'
import type { StageResult } from './stage-result.ts'

/** Shots due and sent, second by second. */
interface Seconds {
  readonly due: readonly number[]
  readonly sent: readonly number[]
}

/**
 * Adds up a run stage by stage, a second with what ended in it belonging to the stage of its middle: so a border is as sharp as a
 * second, and replies that outlast a stage are the next one's; those that outlast the run, the last one's that was played.
 */
export class StageTallies {
  readonly #stages: readonly RunStage[]
  readonly #tallies: readonly Tally[]

  constructor(stages: readonly RunStage[]) {
    this.#stages = stages
    this.#tallies = stages.map(() => new Tally())
  }

  add({ second, tally }: SecondRow): void {
    this.#tallies[this.#stageOf(second)]?.add(tally.total())
  }

  results({ due, sent }: Seconds, warmupNs: number): readonly StageResult[] {
    const [offered, left] = [this.#sums(due), this.#sums(sent)]
    return this.#stages.map(({ fromNs, playedNs }, index) => {
      const tally = this.#tallies[index] ?? new Tally()
      const serverErrors = [...tally.statuses].reduce((sum, [status, count]) => sum + (status >= 500 ? count : 0), 0)
      return {
        offered: offered[index] ?? 0,
        windowNs: Math.max(0, fromNs + playedNs - Math.max(fromNs, warmupNs)),
        sent: left[index] ?? 0,
        replies: tally.replies,
        errors: tally.failures + serverErrors,
        responseTime: figuresOf(tally.responseTime),
      }
    })
  }

  #sums(counts: readonly number[]): readonly number[] {
    const sums = this.#stages.map(() => 0)
    for (const [second, count] of counts.entries()) {
      const place = this.#stageOf(second)
      sums[place] = (sums[place] ?? 0) + count
    }
    return sums
  }

  #stageOf(second: number): number {
    const middleNs = (second + 0.5) * 1e9
    const place = this.#stages.findLastIndex(({ fromNs, playedNs }) => playedNs > 0 && fromNs <= middleNs)
    return Math.max(0, place)
  }
}
