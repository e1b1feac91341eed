import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { TestContext } from 'vitest'
import { StealWatch, ThreadWatch } from '../../src/measure/health.ts'
import type { Run } from '../../src/report/run.ts'

/** Where others took more of the machine than this, what was measured on it says nothing. The first is the bound of mesh's own verdict. */
const MAX_STEAL_SHARE = 0.1
const MAX_WAIT_SHARE = 0.5
const MAX_STALL_MS = 200

/** The delay monitor looks this often. */
const LOOK_MS = 10

/** What the test's own process, where targets and clients live, saw of the machine since it was made. */
export class MachineWatch {
  readonly #steal = new StealWatch()
  readonly #thread = new ThreadWatch('test')
  readonly #delay = monitorEventLoopDelay({ resolution: LOOK_MS })

  constructor() {
    this.#delay.enable()
  }

  /** Why what was measured meanwhile says nothing, by the machine or by the run's own word; undefined: nothing disturbed it. Ends the watch. */
  disturbance(run?: Run): string | undefined {
    this.#delay.disable()
    const stallMs = this.#delay.max / 1e6 - LOOK_MS
    const stealShare = this.#steal.read() ?? 0
    const waitShare = this.#thread.read().waitShare ?? 0
    if (stealShare > MAX_STEAL_SHARE) return `a hypervisor took ${percent(stealShare)} of it`
    if (waitShare > MAX_WAIT_SHARE) return `the test waited ${percent(waitShare)} of its time for a CPU`
    if (stallMs > MAX_STALL_MS) return `the test stood still for ${Math.round(stallMs)} ms`
    if (run?.verdict.name !== 'INVALID') return undefined
    const reasons = run.verdict.reasons.filter(({ verdict }) => verdict === 'INVALID')
    return `the run says so: ${reasons.map(({ what }) => what).join(', ')}`
  }
}

/**
 * Skips what follows in a test of measured times, with the reason, where the machine was not ours while they were measured. What holds on any
 * machine is asserted before.
 */
export function skipWhereDisturbed(context: TestContext, watch: MachineWatch, run?: Run): void {
  const why = watch.disturbance(run)
  context.skip(why !== undefined, `others disturbed the machine: ${why}`)
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
