/**
 * How many pieces one direction remembers beyond its newest. Only a decoder that holds bytes back makes it remember any: a
 * head that trickles in byte by byte. At the bound every other piece is forgotten, so times become coarser, never absent.
 */
export const MAX_ARRIVALS = 4096

/**
 * When each byte of one direction of a connection arrived. Bytes come in pieces, each with one time; an offset belongs to
 * the newest piece that does not begin after it. Pieces whose bytes are all accounted for are forgotten, so in the usual case,
 * where every message ends with its segment, one piece is all there is.
 *
 * ```
 * offsets  0 ........ 512 ........ 1024 ......
 * pieces   | 10.0 ms  | 10.4 ms    | 11.0 ms (newest)
 * ```
 */
export class ArrivalTimes {
  /** Older pieces, by their first offset, still needed. */
  #starts: number[] = []
  #timesNs: number[] = []
  #newestStart = 0
  #newestNs = 0

  /** A piece arrives whose first byte is at `start`. All bytes before `settled` are accounted for: nobody will ask for them. */
  arrive(start: number, atNs: number, settled: number): void {
    if (settled >= start) {
      if (this.#starts.length > 0) this.#forget()
    } else {
      this.#starts.push(this.#newestStart)
      this.#timesNs.push(this.#newestNs)
      if (this.#starts.length > MAX_ARRIVALS) this.#thin()
    }
    this.#newestStart = start
    this.#newestNs = atNs
  }

  /** The time of the byte at `offset`; of the oldest piece that is remembered where that one is not. */
  at(offset: number): number {
    if (offset >= this.#newestStart) return this.#newestNs
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#starts[middle] ?? 0) <= offset) low = middle + 1
      else high = middle
    }
    return this.#timesNs[Math.max(0, low - 1)] ?? this.#newestNs
  }

  /** How many pieces are remembered, the newest included. */
  get pieces(): number {
    return this.#starts.length + 1
  }

  #forget(): void {
    this.#starts = []
    this.#timesNs = []
  }

  /** Keeps every other piece and the first: the time of a message's first byte stays exact. */
  #thin(): void {
    this.#starts = this.#starts.filter((_, index) => index % 2 === 0)
    this.#timesNs = this.#timesNs.filter((_, index) => index % 2 === 0)
  }
}
