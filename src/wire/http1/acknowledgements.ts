/**
 * Where in one direction's stream its sender's knowledge of the other direction grew: pairs of an offset and the number of
 * bytes that the sender had received when it sent the byte there. They are facts of the stream, not of how it was cut into
 * pushes, so decisions that rest on them are the same for any split.
 */
export class Acknowledgements {
  readonly #offsets: number[] = []
  readonly #values: number[] = []
  #forced = true

  /** Memory beyond the one place that every stream has. */
  get heldBytes(): number {
    return Math.max(0, this.#offsets.length - 1) * 16
  }

  /** The next bytes begin a place of their own, even where the sender learnt nothing: a gap ended there. */
  force(): void {
    this.#forced = true
  }

  /** Bytes from `offset` on were sent when `value` bytes had been received. `heldFrom`: nothing before it is asked for again. */
  note(offset: number, value: number, heldFrom: number): void {
    const last = this.#offsets.length - 1
    if (heldFrom === offset && last > 0) this.#keepLast(last)
    if (!this.#forced && this.#values.at(-1) === value) return
    this.#forced = false
    const at = heldFrom === offset ? 0 : this.#offsets.length
    this.#offsets[at] = offset
    this.#values[at] = value
  }

  #keepLast(last: number): void {
    this.#offsets.splice(0, last)
    this.#values.splice(0, last)
  }

  /** What the sender of the byte at `offset` had received. */
  at(offset: number): number {
    return this.#values[Math.max(0, this.#firstFrom(offset + 1) - 1)] ?? 0
  }

  /** The first place at or after `offset`, -1 where none is known. */
  next(offset: number): number {
    return this.#offsets[this.#firstFrom(offset)] ?? -1
  }

  /** Index of the first place at or after `offset`, by bisection: a hostile peer may learn something with every byte. */
  #firstFrom(offset: number): number {
    let low = 0
    let high = this.#offsets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#offsets[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
