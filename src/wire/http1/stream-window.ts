import { NO_BYTES } from '../../core/bytes.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { HeldBytes } from './held-bytes.ts'

/**
 * The bytes of a stream that are being read: a push as it came, or what was held of earlier ones with it. Nothing is copied but
 * what has to wait. Between calls nothing is open.
 */
export class StreamWindow {
  readonly acknowledgements: Acknowledgements = new Acknowledgements()
  readonly #held = new HeldBytes()
  /** The open bytes: those from `at` to `to` are still to be read. `base` is the offset of `bytes[0]` in the stream. */
  bytes: Uint8Array = NO_BYTES
  at = 0
  to = 0
  base = 0
  /** Offset in the stream after the last byte that came or was lost. */
  end = 0

  /** Offset in the stream of the next byte to be read while open. */
  get position(): number {
    return this.base + this.at
  }

  /** Bytes that are still to be read while open. */
  get left(): number {
    return this.to - this.at
  }

  /** Bytes that were held at the last `close`. */
  get heldLength(): number {
    return this.#held.length
  }

  get heldBytes(): number {
    return this.#held.capacity + this.acknowledgements.heldBytes
  }

  /** Opens new bytes, behind what is held. */
  openPush(bytes: Uint8Array, offset: number, acknowledged: number): void {
    this.acknowledgements.note(offset, acknowledged, offset - this.#held.length)
    this.end = offset + bytes.length
    if (this.#held.length > 0) {
      this.#held.append(bytes)
      this.openHeld()
      return
    }
    this.bytes = bytes
    this.at = 0
    this.to = bytes.length
    this.base = offset
  }

  openHeld(): void {
    this.bytes = this.#held.borrow()
    this.at = 0
    this.to = this.bytes.length
    this.base = this.end - this.to
  }

  /** Holds what was not read. */
  close(): void {
    if (this.#held.length > 0) this.#held.drop(this.at)
    else if (this.at < this.to) this.#held.append(this.bytes.subarray(this.at, this.to))
    this.bytes = NO_BYTES
    this.at = 0
    this.to = 0
  }

  /** What is still to be read. Borrowed. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.to)
  }
}
