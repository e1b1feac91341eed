import type { HeldExchange, HeldList } from './held-exchange.ts'
import { HELD_LIMIT } from './verdict.ts'

/**
 * How long an exchange waits for its response after its request's first byte, in ns. After that it is written without, so that
 * readers restore the order of time within a window of this length (docs/recording-format.md).
 */
export const MAX_HOLD_NS = 10e9

/** Bound of what all unfinished exchanges of a recording hold. 64 MiB: 8,000 connections with 8 KiB each. */
export const DEFAULT_MAX_HELD_BYTES: number = 64 * 1024 * 1024

/** After the bound was reached, this share of it stays: giving up exchanges one by one would search the lists each time. */
const SHARE_KEPT = 7 / 8

/**
 * All unfinished exchanges of a recording: in the order in which their holds end, and by the memory they take. Linked through
 * the exchanges themselves, because every exchange passes here and most stay for a millisecond.
 */
export class HeldExchanges {
  readonly #maxHeldBytes: number
  readonly #waiting: HeldList = { front: undefined, back: undefined }
  /** Whose hold is over: the request is still coming, or the response will be late. */
  readonly #overdue: HeldList = { front: undefined, back: undefined }
  #exchangeBytes = 0
  #decoderBytes = 0
  #count = 0

  constructor(maxHeldBytes: number = DEFAULT_MAX_HELD_BYTES) {
    this.#maxHeldBytes = maxHeldBytes
  }

  /** Memory held, what decoders hold included. */
  get bytes(): number {
    return this.#exchangeBytes + this.#decoderBytes
  }

  /** Memory that decoders hold: heads that are not whole yet. */
  get decoderBytes(): number {
    return this.#decoderBytes
  }

  get overBound(): boolean {
    return this.bytes > this.#maxHeldBytes
  }

  /** Whether there is room enough again, once the bound was passed. */
  get hasRoom(): boolean {
    return this.bytes <= this.#maxHeldBytes * SHARE_KEPT
  }

  /** When the first hold ends, Infinity where nothing waits. */
  get nextExpiryNs(): number {
    const { front } = this.#waiting
    return front === undefined ? Number.POSITIVE_INFINITY : holdStartNs(front) + MAX_HOLD_NS
  }

  add(held: HeldExchange): void {
    this.#count++
    link(this.#waiting, held)
    this.charge(held)
  }

  /** Charges it with the memory that its content takes by now. */
  charge(held: HeldExchange): void {
    if (held.list === undefined) return
    const bytes = held.contentBytes()
    this.#exchangeBytes += bytes - held.heldBytes
    held.heldBytes = bytes
  }

  /** What a decoder holds changed by so many bytes. */
  chargeDecoder(bytes: number): void {
    this.#decoderBytes += bytes
  }

  remove(held: HeldExchange): void {
    if (held.list === undefined) return
    unlink(held)
    this.#count--
    this.#exchangeBytes -= held.heldBytes
    held.heldBytes = 0
  }

  /** Tells the owners of all exchanges whose hold is over by now. */
  expire(nowNs: number): void {
    for (;;) {
      const { front } = this.#waiting
      if (front === undefined || holdStartNs(front) + MAX_HOLD_NS > nowNs) return
      unlink(front)
      link(this.#overdue, front)
      front.owner.expire(front)
    }
  }

  /**
   * Gives up exchanges until there is room again: first those that hold more than the mean, oldest first (few large bodies go
   * before many small requests), then any.
   */
  makeRoom(): void {
    const mean = this.#exchangeBytes / Math.max(1, this.#count)
    for (const least of [mean, 0]) {
      for (const list of [this.#overdue, this.#waiting]) {
        let held = list.front
        while (held !== undefined && !this.hasRoom) {
          const { next } = held
          if (held.heldBytes >= least) held.owner.leaveOut(held, HELD_LIMIT)
          held = next
        }
      }
    }
  }
}

function holdStartNs(held: HeldExchange): number {
  return held.request?.firstNs ?? 0
}

/** Links it in by the start of its hold: nearly always at the back, before others only where its head came in pieces. */
function link(list: HeldList, held: HeldExchange): void {
  let before = list.back
  const startNs = holdStartNs(held)
  while (before !== undefined && holdStartNs(before) > startNs) before = before.previous
  held.previous = before
  held.next = before === undefined ? list.front : before.next
  if (held.previous === undefined) list.front = held
  else held.previous.next = held
  if (held.next === undefined) list.back = held
  else held.next.previous = held
  held.list = list
}

function unlink(held: HeldExchange): void {
  const { list } = held
  if (list === undefined) return
  if (held.previous === undefined) list.front = held.next
  else held.previous.next = held.next
  if (held.next === undefined) list.back = held.previous
  else held.next.previous = held.previous
  held.previous = undefined
  held.next = undefined
  held.list = undefined
}
