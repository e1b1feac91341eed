/** A run of bytes that cannot be handed on yet. Offsets are places in the stream. */
export interface HeldPiece {
  readonly start: number
  readonly end: number
  /** undefined: they were on the wire and the capture does not hold them. */
  readonly bytes: Uint8Array | undefined
  readonly atNs: number
  /** See `DataSegment.acknowledged`. */
  readonly acknowledged: number
}

/** Counted for each piece on top of its bytes, so that a flood of tiny ones is bounded as well. */
const PIECE_COST_BYTES = 128

/**
 * What waits in one direction of a connection, sorted and without overlaps. Where bytes come twice the first ones win: that
 * is what is left of a retransmission whose beginning was seen, and it gives the same stream however packets overlap.
 */
export class HeldBytes {
  #pieces: HeldPiece[] = []
  /** Pieces before this index are taken. */
  #head = 0
  /** Memory that it counts for. */
  costBytes = 0

  get isEmpty(): boolean {
    return this.#head === this.#pieces.length
  }

  get first(): HeldPiece | undefined {
    return this.#pieces[this.#head]
  }

  /** The place after the last byte; 0 where nothing is held. */
  get end(): number {
    return this.#pieces.at(-1)?.end ?? 0
  }

  /** Takes the first piece out. */
  shift(): void {
    const piece = this.#pieces[this.#head]
    if (piece === undefined) return
    this.costBytes -= cost(piece)
    this.#head++
    if (this.#head === this.#pieces.length || this.#head > 4096) {
      this.#pieces.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** Takes the bytes before `offset`, which lies within the first piece, out of it. */
  trimFirst(offset: number): void {
    const piece = this.#pieces[this.#head]
    if (piece === undefined || offset <= piece.start) return
    this.costBytes -= cost(piece)
    const rest = { ...piece, start: offset, bytes: piece.bytes?.subarray(offset - piece.start) }
    this.costBytes += cost(rest)
    this.#pieces[this.#head] = rest
  }

  /** Adds what is not held yet of a piece, copying its bytes. Returns how many bytes that were. */
  insert(piece: HeldPiece): number {
    const last = this.#pieces.at(-1)
    if (this.isEmpty || (last !== undefined && last.end <= piece.start)) {
      this.#put(this.#pieces.length, piece, piece.start, piece.end)
      return piece.end - piece.start
    }
    let added = 0
    let index = this.#firstEndingAfter(piece.start)
    let start = piece.start
    while (start < piece.end) {
      const next = this.#pieces[index]
      const end = Math.min(piece.end, next?.start ?? piece.end)
      if (end > start) {
        this.#put(index, piece, start, end)
        added += end - start
        index++
      }
      start = Math.max(end, next?.end ?? piece.end)
      index++
    }
    return added
  }

  #put(index: number, from: HeldPiece, start: number, end: number): void {
    const { bytes, atNs, acknowledged } = from
    const copy = bytes === undefined ? undefined : new Uint8Array(bytes.subarray(start - from.start, end - from.start))
    const piece = { start, end, bytes: copy, atNs, acknowledged }
    this.costBytes += cost(piece)
    if (index === this.#pieces.length) this.#pieces.push(piece)
    else this.#pieces.splice(index, 0, piece)
  }

  #firstEndingAfter(offset: number): number {
    let low = this.#head
    let high = this.#pieces.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pieces[middle]?.end ?? Number.POSITIVE_INFINITY) > offset) high = middle
      else low = middle + 1
    }
    return low
  }
}

function cost(piece: HeldPiece): number {
  return (piece.bytes?.length ?? 0) + PIECE_COST_BYTES
}
