/**
 * How a run's time goes beside its schedule's, for an operator who pauses a run or changes its rate: a line that is bent at each change.
 * Pure arithmetic; nanoseconds from the run's origin on either side. Without a change both are the same.
 */
export class Tempo {
  #runNs = 0
  #scheduleNs = 0
  #speed = 1
  /** Called after each change: whoever waits for a shot waits for another time now. */
  onChange: () => void = () => undefined

  /** Seconds of the schedule in one of the run; 0: paused. */
  get speed(): number {
    return this.#speed
  }

  /** From `atNs` of the run on, later than the last change, the schedule goes at `speed`. */
  change(atNs: number, speed: number): void {
    this.#scheduleNs = this.scheduleNs(atNs)
    this.#runNs = atNs
    this.#speed = speed
    this.onChange()
  }

  /** How far the schedule is at a time of the run, since the last change. */
  scheduleNs(runNs: number): number {
    return this.#scheduleNs + (runNs - this.#runNs) * this.#speed
  }

  /**
   * When in the run a moment of the schedule is: infinite while it is paused. A moment before the last change keeps its distance to it.
   */
  runNs(scheduleNs: number): number {
    const aheadNs = scheduleNs - this.#scheduleNs
    if (aheadNs <= 0) return this.#runNs + aheadNs
    return this.#speed === 0 ? Infinity : this.#runNs + aheadNs / this.#speed
  }
}
