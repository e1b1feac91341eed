import type { Direction } from '../../core/segment.ts'
import { HeldBytes } from './held-bytes.ts'

/**
 * One direction of a connection: how far its bytes were handed on, and what is known beyond.
 *
 * ```
 * 0 ............. offset ........ held pieces ........ finOffset
 *   handed on     ^ next expected     ^ wait behind a hole, or for the other direction
 *                 acknowledged, if > offset: the hole before it is proven, its bytes were received
 * ```
 */
export class HalfStream {
  readonly direction: Direction
  /** The sequence number of offset 0 is known. */
  based = false
  firstSequence = 0
  /** Sequence number of `offset`, signed 32-bit. */
  nextSequence = 0
  offset = 0
  /** Bytes that the other side has acknowledged. */
  acknowledged = 0
  /** Since when `acknowledged` is beyond `offset`; infinite while it is not. */
  provenSinceNs: number = Number.POSITIVE_INFINITY
  /** Where it ends; -1 until its FIN is seen. */
  finOffset = -1
  finNs = 0
  /** What the sender of the FIN had received of the other direction. */
  finAcknowledged = 0
  /** 1 once it is clear that its FIN was acknowledged and not captured: it takes a sequence number of its own. */
  unseenFin = 0
  closed = false
  /** A packet of this direction was seen. */
  seen = false
  /** Time of the last segment handed on: times do not go back within a direction. */
  lastNs: number = Number.NEGATIVE_INFINITY
  /** The last gap reported, to tell bytes that come late from those that come again. */
  gapStart = 0
  gapEnd = 0
  /** Allocated at the first need: most directions never hold anything. */
  #held: HeldBytes | undefined

  constructor(direction: Direction) {
    this.direction = direction
  }

  /** Offset 0 has this sequence number. */
  base(sequence: number): void {
    this.based = true
    this.firstSequence = sequence
    this.nextSequence = sequence
  }

  /** The place in the stream of a sequence number, which is taken to be within 2 GiB of `offset`. */
  placeOf(sequence: number): number {
    return this.offset + ((sequence - this.nextSequence) | 0)
  }

  advance(length: number): void {
    this.offset += length
    this.nextSequence = (this.nextSequence + (length | 0)) | 0
    this.unseenFin = 0
  }

  get held(): HeldBytes {
    this.#held ??= new HeldBytes()
    return this.#held
  }

  get holds(): boolean {
    return this.#held !== undefined && !this.#held.isEmpty
  }

  get heldBytes(): number {
    return this.#held?.costBytes ?? 0
  }

  /** The place after the last byte that is held; 0 where none is. */
  get heldEnd(): number {
    return this.#held?.end ?? 0
  }

  /** Something is known beyond `offset` that was not handed on. */
  get waits(): boolean {
    return this.holds || (!this.closed && (this.acknowledged > this.offset || this.finOffset >= 0))
  }

  /** End of the hole that begins at `offset`, as far as it is proven; `offset` where there is none. */
  get provenEnd(): number {
    let end = this.acknowledged
    const first = this.#held?.first
    if (first !== undefined && first.start < end) end = first.start
    if (this.finOffset >= 0 && this.finOffset < end) end = this.finOffset
    return Math.max(end, this.offset)
  }
}
