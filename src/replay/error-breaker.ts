import type { Outcome, OutcomeRecorder } from '../core/outcome.ts'

/** When a run is to be stopped because the target only fails. */
export interface BreakerLimits {
  /** Share of errors above which it trips. Default 0.5. */
  readonly maxErrorShare: number
  /** Shots that must have ended within the window before the share means anything. Default 100. */
  readonly minShots: number
  /** How far it looks back. Default 10 s. */
  readonly windowNs: number
  /**
   * At rates at which `minShots` do not end within the window: so many errors in a row, which ended over the window or longer without
   * one success between them, trip it too. Default 20: of a target that does half of its work they would be one chance in a million.
   * Not where `maxErrorShare` is 1, which lets all fail.
   */
  readonly minErrorsInRow: number
}

export const DEFAULT_BREAKER_LIMITS: BreakerLimits = {
  maxErrorShare: 0.5,
  minShots: 100,
  windowNs: 10e9,
  minErrorsInRow: 20,
}

const SLOTS = 10

/**
 * Watches outcomes on their way to a recorder and trips once when too many are errors. An error is a shot without a reply, or
 * a 5xx where none was recorded. Shots that were never sent (shed, aborted, or for want of a value from an
 * earlier reply, which counted itself) count neither way: a slow target is a result, not an error. Two rules:
 * the share of errors in a window, and, for low rates, errors in a row without one success for as long as the window.
 */
export class ErrorBreaker implements OutcomeRecorder {
  readonly #recorder: OutcomeRecorder
  readonly #limits: BreakerLimits
  readonly #onTrip: (reason: string) => void
  readonly #slotNs: number
  readonly #shots = new Float64Array(SLOTS)
  readonly #errors = new Float64Array(SLOTS)
  #slot = 0
  #windowShots = 0
  #windowErrors = 0
  #inRow = 0
  /** When the first of those in a row ended. */
  #inRowSinceNs = 0
  #tripped = false

  constructor(recorder: OutcomeRecorder, limits: BreakerLimits, onTrip: (reason: string) => void) {
    this.#recorder = recorder
    this.#limits = limits
    this.#onTrip = onTrip
    this.#slotNs = limits.windowNs / SLOTS
  }

  record(outcome: Outcome): void {
    this.#recorder.record(outcome)
    const { error } = outcome
    if (error === 'shed' || error === 'aborted' || error === 'correlation_lost') return
    const slot = Math.floor(outcome.doneNs / this.#slotNs)
    if (slot > this.#slot) this.#advance(slot)
    const place = slot % SLOTS
    this.#shots[place] = (this.#shots[place] ?? 0) + 1
    this.#windowShots++
    if (error === 'none' && (outcome.status < 500 || outcome.recordedStatus >= 500)) {
      this.#inRow = 0
      return
    }
    if (this.#inRow === 0) this.#inRowSinceNs = outcome.doneNs
    this.#inRow++
    this.#errors[place] = (this.#errors[place] ?? 0) + 1
    this.#windowErrors++
    this.#judge(outcome.doneNs)
  }

  #judge(nowNs: number): void {
    const { maxErrorShare, minShots, windowNs, minErrorsInRow } = this.#limits
    if (this.#tripped || maxErrorShare >= 1) return
    const rowNs = nowNs - this.#inRowSinceNs
    if (this.#inRow >= minErrorsInRow && rowNs >= windowNs) {
      this.#tripped = true
      this.#onTrip(`all of the last ${this.#inRow} shots (${Math.round(rowNs / 1e9)} s) were errors`)
      return
    }
    if (this.#windowShots < minShots || this.#windowErrors <= maxErrorShare * this.#windowShots) return
    this.#tripped = true
    const percent = Math.round((100 * this.#windowErrors) / this.#windowShots)
    this.#onTrip(
      `${percent} % of the last ${this.#windowShots} shots (${Math.round(windowNs / 1e9)} s) were errors, more than ` +
        `the ${Math.round(100 * maxErrorShare)} % allowed`,
    )
  }

  #advance(slot: number): void {
    for (let passed = Math.max(this.#slot + 1, slot - SLOTS + 1); passed <= slot; passed++) {
      const place = passed % SLOTS
      this.#windowShots -= this.#shots[place] ?? 0
      this.#windowErrors -= this.#errors[place] ?? 0
      this.#shots[place] = 0
      this.#errors[place] = 0
    }
    this.#slot = slot
  }
}
