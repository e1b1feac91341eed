import type { ShotError } from '../../core/outcome.ts'

/** So many connections must fail in a row, none succeeding between them, before any is held back. */
const FAILURES_BEFORE = 3
const FIRST_WAIT_NS = 10e6
/** A target that comes back is found again within this time. */
const MAX_WAIT_NS = 1e9

/**
 * Keeps a target that refuses every connection from being hammered at full speed. After three failures in a row, shots that
 * need a new connection fail at once with the same error, and one attempt is made after 10 ms, 20 ms, ... 1 s.
 */
export class BackOff {
  #failures = 0
  #lastFailureNs = -Infinity
  #retryAtNs = 0
  #trying = false
  #error: ShotError = 'refused'

  /** May a connection be tried now? */
  allows(nowNs: number): boolean {
    return this.#failures < FAILURES_BEFORE || (!this.#trying && nowNs >= this.#retryAtNs)
  }

  /** The error of the last attempt: what a shot that is held back ends with. */
  get error(): ShotError {
    return this.#error
  }

  tried(): void {
    if (this.#failures >= FAILURES_BEFORE) this.#trying = true
  }

  succeeded(): void {
    this.#failures = 0
    this.#trying = false
  }

  /** Attempts that were under way together when one failed count as one failure. */
  failed(error: ShotError, startedNs: number, nowNs: number): void {
    this.#error = error
    this.#trying = false
    if (startedNs < this.#lastFailureNs) return
    this.#lastFailureNs = nowNs
    this.#failures++
    const doublings = Math.max(0, this.#failures - FAILURES_BEFORE)
    this.#retryAtNs = nowNs + Math.min(MAX_WAIT_NS, FIRST_WAIT_NS * 2 ** doublings)
  }
}
