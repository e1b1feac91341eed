import { concatBytes } from '../../core/bytes.ts'

/** Memory for packets that wait for their other fragments, 4 MiB. At the limit the oldest are given up. */
const MAX_HELD_BYTES = 4 * 1024 * 1024

/** Counted on top of a fragment's bytes, so that many tiny ones are bounded too. */
const FRAGMENT_COST_BYTES = 256

/** An incomplete packet is given up after 30 s of capture time (Linux's own ipfrag_time). */
const PATIENCE_NS = 30e9

/** The longest IP packet. */
const MAX_PACKET_LENGTH = 65_535

interface Piece {
  readonly start: number
  readonly bytes: Uint8Array
}

/** An IP packet that is being put together. */
interface PartialPacket {
  readonly sinceNs: number
  pieces: Piece[]
  costBytes: number
  /** Length of the whole, known from its last fragment; -1 until then. */
  length: number
}

/**
 * Puts IP fragments together (RFC 791 3.2, RFC 8200 4.5). Fragments that overlap make the whole packet worthless (RFC 5722),
 * but for exact repetitions, which captures of several interfaces hold.
 */
export class FragmentTable {
  /** Fragments that were given up. */
  lost = 0
  readonly #partials = new Map<string, PartialPacket>()
  #heldBytes = 0

  /**
   * Takes in a fragment, of which it copies the payload `bytes[start]` to `bytes[end - 1]`; `offset` is its place in the whole
   * payload. Returns the whole when it is complete. `key` tells packets apart: addresses, protocol, identification.
   */
  add(
    key: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    offset: number,
    more: boolean,
    atNs: number,
  ): Uint8Array | undefined {
    this.#expire(atNs)
    if (end <= start || offset + (end - start) > MAX_PACKET_LENGTH) {
      this.lost++
      return undefined
    }
    let partial = this.#partials.get(key)
    if (partial === undefined) {
      partial = { sinceNs: atNs, pieces: [], costBytes: 0, length: -1 }
      this.#partials.set(key, partial)
    }
    const piece: Piece = { start: offset, bytes: new Uint8Array(bytes.subarray(start, end)) }
    const place = placeOf(partial.pieces, piece)
    if (place === 'again') return undefined
    const pieceEnd = offset + piece.bytes.length
    const beyond = partial.length >= 0 && (pieceEnd > partial.length || !more)
    if (place === 'overlap' || beyond) {
      this.lost++
      this.#giveUp(key, partial)
      return undefined
    }
    partial.pieces.splice(place, 0, piece)
    if (!more) partial.length = pieceEnd
    partial.costBytes += piece.bytes.length + FRAGMENT_COST_BYTES
    this.#heldBytes += piece.bytes.length + FRAGMENT_COST_BYTES
    const whole = complete(partial)
    if (whole !== undefined) this.#forget(key, partial)
    else this.#makeRoom()
    return whole
  }

  /** No more packets come: what waits is lost. */
  finish(): void {
    for (const [key, partial] of this.#partials) this.#giveUp(key, partial)
  }

  #expire(nowNs: number): void {
    for (const [key, partial] of this.#partials) {
      if (nowNs - partial.sinceNs < PATIENCE_NS) return
      this.#giveUp(key, partial)
    }
  }

  #makeRoom(): void {
    for (const [key, partial] of this.#partials) {
      if (this.#heldBytes <= MAX_HELD_BYTES) return
      this.#giveUp(key, partial)
    }
  }

  #giveUp(key: string, partial: PartialPacket): void {
    this.lost += partial.pieces.length
    this.#forget(key, partial)
  }

  #forget(key: string, partial: PartialPacket): void {
    this.#heldBytes -= partial.costBytes
    this.#partials.delete(key)
  }
}

/** The index at which the piece belongs; or that it is there already, or that it overlaps with another. */
function placeOf(pieces: readonly Piece[], piece: Piece): number | 'again' | 'overlap' {
  const end = piece.start + piece.bytes.length
  let index = pieces.length
  while (index > 0) {
    const before = pieces[index - 1]
    if (before === undefined) break
    if (before.start === piece.start && before.bytes.length === piece.bytes.length) return 'again'
    if (before.start < end && piece.start < before.start + before.bytes.length) return 'overlap'
    if (before.start < piece.start) break
    index--
  }
  return index
}

function complete(partial: PartialPacket): Uint8Array | undefined {
  if (partial.length < 0) return undefined
  let reached = 0
  for (const { start, bytes } of partial.pieces) {
    if (start !== reached) return undefined
    reached += bytes.length
  }
  return reached === partial.length ? concatBytes(partial.pieces.map(({ bytes }) => bytes)) : undefined
}
