import { asBuffer, NO_BYTES } from '../../core/bytes.ts'

/** So much of a new chunk is joined to what is left of the last one: more than the rest of almost any record. */
const BRIDGE_BYTES = 16 * 1024

/**
 * The bytes of a stream that are at hand and not yet read. Packets that lie whole in one chunk are handed out as views of
 * it; what straddles two chunks is read from a bridge, a copy of the rest of one and the beginning of the next.
 *
 * ```
 * chunk ........ rest | next chunk .............
 *               [rest + beginning]               bridge
 *                          ^ once reading is past the rest, it goes on in the chunk itself
 * ```
 */
export class ByteWindow {
  #bytes: Uint8Array = NO_BYTES
  #start = 0
  #streamOffset = 0
  /** Bytes to skip that have not come yet. */
  #owed = 0
  /** The chunk behind the bridge, and how many bytes of the bridge come before it. */
  #behind: Uint8Array | undefined
  #restBytes = 0

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Index in `bytes` of the first unread one. */
  get start(): number {
    return this.#start
  }

  get available(): number {
    return this.#bytes.length - this.#start
  }

  /** Bytes that were skipped before they came. */
  get owed(): number {
    return this.#owed
  }

  /** Offset in the stream of the first unread byte. */
  get streamOffset(): number {
    return this.#streamOffset
  }

  /** Adds a chunk. Everything before was read as far as it could be: `more` has returned false. */
  append(chunk: Uint8Array): void {
    if (this.available === 0) {
      this.#goOn(chunk, 0)
    } else if (chunk.length <= BRIDGE_BYTES) {
      this.#join(chunk)
    } else {
      this.#restBytes = this.available
      this.#join(chunk.subarray(0, BRIDGE_BYTES))
      this.#behind = chunk
    }
  }

  /** Call when what is at hand does not suffice: true where there is more now. */
  more(): boolean {
    const chunk = this.#behind
    if (chunk === undefined) return false
    this.#behind = undefined
    const read = this.#start - this.#restBytes
    if (read >= 0) this.#goOn(chunk, read)
    else this.#join(chunk.subarray(BRIDGE_BYTES))
    return true
  }

  /** Moves on by `length` bytes, further than what is at hand where need be. */
  skip(length: number): void {
    const now = Math.min(length, this.available)
    this.#start += now
    this.#streamOffset += length
    this.#owed += length - now
  }

  #goOn(chunk: Uint8Array, at: number): void {
    const skipped = Math.min(this.#owed, chunk.length - at)
    this.#owed -= skipped
    this.#bytes = chunk
    this.#start = at + skipped
  }

  #join(chunk: Uint8Array): void {
    const rest = this.available
    const joined = Buffer.allocUnsafeSlow(rest + chunk.length)
    asBuffer(this.#bytes).copy(joined, 0, this.#start)
    joined.set(chunk, rest)
    this.#bytes = joined
    this.#start = 0
  }
}
