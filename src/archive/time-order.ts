import type { Exchange } from '../core/exchange.ts'
import type { ChunkContents } from './chunk-contents.ts'
import { Heap } from './heap.ts'

/** A place in a chunk that is open: the exchange that comes next. */
export interface ChunkCursor {
  readonly contents: ChunkContents
  /** The chunk's place in the recording: of equal times the earlier chunk's comes first. */
  readonly ordinal: number
  /** Index of the next exchange, and of the first that is not wanted. */
  next: number
  readonly end: number
}

/** The exchanges of the chunks that are open, in order of time. */
export class TimeOrder {
  readonly #cursors = new Heap<ChunkCursor>(isBefore)
  #heldBytes = 0

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** When the next exchange began; Infinity where there is none. */
  get headNs(): number {
    const first = this.#cursors.peek()
    return first === undefined ? Infinity : headNs(first)
  }

  /** A cursor with nothing before its end is forgotten at once. */
  add(cursor: ChunkCursor): void {
    if (cursor.next >= cursor.end) return
    this.#cursors.push(cursor)
    this.#heldBytes += cursor.contents.byteLength
  }

  /** Takes exchanges that began before `boundNs`, at most `most`, in order. The caller owns the list. */
  take(boundNs: number, most: number): Exchange[] {
    const taken: Exchange[] = []
    let first = this.#cursors.peek()
    while (first !== undefined && taken.length < most && headNs(first) < boundNs) {
      const runEnd = endOfRun(first, this.#cursors.peekSecond(), boundNs)
      const end = Math.min(runEnd, first.next + most - taken.length)
      for (let index = first.next; index < end; index++) taken.push(first.contents.exchange(index))
      first.next = end
      if (end >= first.end) this.#drop(first)
      else this.#cursors.firstChanged()
      first = this.#cursors.peek()
    }
    return taken
  }

  /** Gives up the cursor whose next exchange is farthest off, unless all begin at once; the caller opens it again when it is due. */
  evict(): ChunkCursor | undefined {
    let farthest: ChunkCursor | undefined
    for (const cursor of this.#cursors.items) {
      if (farthest === undefined || isBefore(farthest, cursor)) farthest = cursor
    }
    if (farthest === undefined || headNs(farthest) <= this.headNs) return undefined
    this.#cursors.remove(farthest)
    this.#heldBytes -= farthest.contents.byteLength
    return farthest
  }

  #drop(first: ChunkCursor): void {
    this.#cursors.pop()
    this.#heldBytes -= first.contents.byteLength
  }
}

/** When the cursor's next exchange began. */
export function headNs(cursor: ChunkCursor): number {
  return cursor.contents.times[cursor.next] ?? Infinity
}

/** Index behind the exchanges of the first cursor that come before the second's next one, and before `boundNs`. */
function endOfRun(first: ChunkCursor, second: ChunkCursor | undefined, boundNs: number): number {
  const { times } = first.contents
  const secondNs = second === undefined ? Infinity : headNs(second)
  const isLaterChunk = second !== undefined && second.ordinal < first.ordinal
  let index = first.next
  for (; index < first.end; index++) {
    const atNs = times[index] ?? Infinity
    if (atNs >= boundNs || atNs > secondNs || (isLaterChunk && atNs === secondNs)) break
  }
  return index
}

function isBefore(a: ChunkCursor, b: ChunkCursor): boolean {
  const difference = headNs(a) - headNs(b)
  return difference < 0 || (difference === 0 && a.ordinal < b.ordinal)
}

/** Index of the first of ascending times that is not before `ns`. */
export function firstAtOrAfter(times: readonly number[], ns: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle] ?? Infinity) < ns) low = middle + 1
    else high = middle
  }
  return low
}
