import { NO_BYTES } from '../../core/bytes.ts'

/**
 * Bytes of one direction that wait for more: part of a head, or what cannot be read before the other direction is. Grows by
 * doubling; views of it stay valid until the next `append`.
 */
export class HeldBytes {
  #memory: Uint8Array = NO_BYTES
  #from = 0
  #to = 0

  get length(): number {
    return this.#to - this.#from
  }

  /** Bytes of memory. */
  get capacity(): number {
    return this.#memory.length
  }

  /** All that is held. Borrowed. */
  borrow(): Uint8Array {
    return this.#memory.subarray(this.#from, this.#to)
  }

  append(bytes: Uint8Array): void {
    const length = this.length + bytes.length
    if (this.#to + bytes.length > this.#memory.length) {
      const memory = new Uint8Array(Math.max(length, Math.min(length * 2, length + 64 * 1024)))
      memory.set(this.borrow())
      this.#memory = memory
      this.#from = 0
    }
    const at = this.#from + length - bytes.length
    this.#memory.set(bytes, at)
    this.#to = at + bytes.length
  }

  /** Forgets the first `length` bytes, and the memory with the last of them. Views of them stay valid. */
  drop(length: number): void {
    this.#from += length
    if (this.#from < this.#to) return
    this.#memory = NO_BYTES
    this.#from = 0
    this.#to = 0
  }
}
