import { ArrivalTimes } from './arrival-times.ts'

/**
 * One direction of a connection: how far it has come, how much of it is accounted for, and when its bytes arrived.
 *
 * ```
 * 0 ........ settled .......... offset
 *   events or   |  held by the    |  next byte
 *   gaps        |  decoder        |
 * ```
 */
export class CapturedStream {
  readonly times: ArrivalTimes = new ArrivalTimes()
  /** Where the next byte will be, gaps included. */
  offset = 0
  /** Set once no more bytes come: what a message is told that is cut by this. */
  ended: 'close' | 'end' | undefined
  /** It ended, every byte is accounted for and no message of it is open. */
  over = false
  #unaccounted = 0

  /** Every byte that arrived was named by an event. */
  get allAccounted(): boolean {
    return this.#unaccounted === 0
  }

  /** Bytes arrive; gives the offset of the first. */
  arrive(length: number, atNs: number): number {
    const start = this.offset
    this.times.arrive(start, atNs, start - this.#unaccounted)
    this.offset = start + length
    this.#unaccounted += length
    return start
  }

  /** Bytes were lost here: they count in offsets and are accounted for by whoever calls. */
  skip(length: number): void {
    this.offset += length
  }

  /**
   * An event accounts for `[start, end)`. Gives its length, never more than is open: a decoder that names a byte twice
   * does not unbalance a ledger.
   */
  account(start: number, end: number): number {
    const length = Math.max(0, Math.min(end - start, this.#unaccounted))
    this.#unaccounted -= length
    return length
  }

  /** Bytes that arrived and that no event has named; accounted for from now on. */
  takeUnaccounted(): number {
    const length = this.#unaccounted
    this.#unaccounted = 0
    return length
  }
}
