/** What is compared in a second on the thread that makes requests, at up to 0.1 ms each: a tenth of a core. */
export const MAX_REPLIES_PER_SECOND = 1_000

/** Recorded replies in bytes; the target's are about as many again. */
export const MAX_BYTES_PER_SECOND: number = 4 * 1024 * 1024

/** Of each route so many replies are compared whatever the rate, so that rare routes are among them. */
export const FIRST_OF_ROUTE = 100

/** How many replies may be compared: a second's worth at a time, refilled as time goes by. */
export class SampleBudget {
  readonly #nowNs: () => number
  #replies = MAX_REPLIES_PER_SECOND
  #bytes = MAX_BYTES_PER_SECOND
  #atNs: number

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs
    this.#atNs = nowNs()
  }

  get hasRoom(): boolean {
    const nowNs = this.#nowNs()
    const share = (nowNs - this.#atNs) / 1e9
    this.#atNs = nowNs
    this.#replies = Math.min(MAX_REPLIES_PER_SECOND, this.#replies + share * MAX_REPLIES_PER_SECOND)
    this.#bytes = Math.min(MAX_BYTES_PER_SECOND, this.#bytes + share * MAX_BYTES_PER_SECOND)
    return this.#replies > 0 && this.#bytes > 0
  }

  /** One more is compared, whether there was room or not. */
  spend(bytes: number): void {
    this.#replies -= 1
    this.#bytes -= bytes
  }
}
