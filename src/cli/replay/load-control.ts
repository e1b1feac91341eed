import { monotonicNs } from '../../core/clock.ts'
import { formatRate } from '../../core/units.ts'
import type { Fleet } from '../../replay/fleet.ts'
import type { Plan } from '../../replay/plan.ts'
import { Tempo } from '../../replay/tempo.ts'
import type { OperatorChange } from '../../report/operator.ts'

/** A key makes the rate a tenth of the planned one more or less. */
const STEP = 0.1
const LEAST_SPEED = 0.1
/** The schedule is made some seconds ahead: beyond this it would run dry. */
const MOST_SPEED = 4

/** Keystrokes that are kept; who presses more has no more effect. */
const MAX_CHANGES = 1000

/** What an operator does to the load of a run while it goes on, and the record of it. */
export class LoadControl {
  readonly tempo: Tempo = new Tempo()
  readonly #changes: OperatorChange[] = []
  readonly #plan: Pick<Plan, 'speed' | 'stages' | 'peakPerSecond'>
  readonly #maxPerSecond: number
  readonly #change: Pick<Fleet, 'retime'>
  readonly #origin: { readonly atNs: number }
  /** The speed that a pause interrupted. */
  #speed = 1

  /** `origin.atNs` is when the run began, by the monotonic clock; 0: it has not. `maxPerSecond`: no change asks for a higher peak. */
  constructor(
    plan: Pick<Plan, 'speed' | 'stages' | 'peakPerSecond'>,
    maxPerSecond: number,
    fleet: Pick<Fleet, 'retime'>,
    origin: { readonly atNs: number },
  ) {
    this.#plan = plan
    this.#maxPerSecond = maxPerSecond
    this.#change = fleet
    this.#origin = origin
  }

  get changes(): readonly OperatorChange[] {
    return this.#changes
  }

  /** Pauses, or goes on. Returns why it cannot, or what it did. */
  pauseOrResume(): string {
    const refusal = this.#refusal()
    if (refusal !== undefined) return refusal
    if (this.tempo.speed === 0) {
      this.#to(this.#speed)
      return 'goes on'
    }
    this.#to(0)
    return 'paused: nothing more is sent until p; the report will say so'
  }

  /** A tenth of the planned rate more (`by` 1) or less (-1). Returns why it cannot, or what it did. */
  step(by: 1 | -1): string {
    const refusal = this.#refusal()
    if (refusal !== undefined) return refusal
    const speed = Math.round((this.#speed + by * STEP) * 10) / 10
    if (speed < LEAST_SPEED || speed > MOST_SPEED) {
      return `the rate stays between ${LEAST_SPEED}x and ${MOST_SPEED}x the planned one`
    }
    const peak = (this.#plan.peakPerSecond ?? 0) * speed
    if (by > 0 && peak > this.#maxPerSecond) {
      return `the peak would be ${formatRate(peak)}, more than --max-rate ${formatRate(this.#maxPerSecond)}`
    }
    this.#speed = speed
    if (this.tempo.speed !== 0) this.#to(speed)
    return `${speed}x the planned rate from now on; the report will say so`
  }

  #refusal(): string | undefined {
    if (this.#origin.atNs === 0) return 'the run has not begun'
    if (this.#plan.speed === 'max') return 'a closed loop has no rate to change: it sends as fast as replies come'
    if (this.#plan.stages !== undefined) return 'the stages of this run say how much it sends'
    return this.#changes.length >= MAX_CHANGES ? 'too many changes' : undefined
  }

  #to(speed: number): void {
    const atNs = monotonicNs() - this.#origin.atNs
    this.tempo.change(atNs, speed)
    this.#changes.push({ atNs, speed })
    this.#change.retime(atNs, speed)
  }
}
