import type { Copy } from './copy.ts'

/** Bounds of a queue of copies. */
export interface QueueLimits {
  /** Copies that wait. */
  readonly maxWaiting: number
  /** Bytes of copies that wait or fly, production's replies that they are compared with included. */
  readonly maxHeldBytes: number
}

/** Ten seconds of a thousand requests a second, and no more memory than the tap's ring twice: a stall is ridden out, an outage is not. */
export const DEFAULT_QUEUE_LIMITS: QueueLimits = { maxWaiting: 10_000, maxHeldBytes: 64 * 1024 * 1024 }

/** The copies of one connection of production. The first of `waiting` may go where none of them flies. */
interface Lane {
  readonly waiting: Copy[]
}

/**
 * Copies that wait for their turn. Those of one lane leave one after the other, each when the last one has ended, as production's
 * client waited for its reply; lanes take turns in the order of their first copy.
 */
export class CopyQueue {
  readonly #limits: QueueLimits
  readonly #lanes = new Map<number, Lane>()
  #ready: Lane[] = []
  #nextReady = 0
  #waiting = 0
  #flying = 0
  #heldBytes = 0

  constructor(limits: QueueLimits = DEFAULT_QUEUE_LIMITS) {
    this.#limits = limits
  }

  get waiting(): number {
    return this.#waiting
  }

  get flying(): number {
    return this.#flying
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Half of it is free: for those who can wait. */
  get hasRoom(): boolean {
    return this.#waiting <= this.#limits.maxWaiting / 2 && this.#heldBytes <= this.#limits.maxHeldBytes / 2
  }

  /** Takes a copy, or returns false where it is full. */
  offer(copy: Copy): boolean {
    if (this.#waiting >= this.#limits.maxWaiting) return false
    if (this.#heldBytes + copy.heldBytes > this.#limits.maxHeldBytes) return false
    this.#waiting++
    this.#heldBytes += copy.heldBytes
    const lane = this.#lanes.get(copy.lane)
    if (lane !== undefined) {
      lane.waiting.push(copy)
      return true
    }
    const fresh = { waiting: [copy] }
    this.#lanes.set(copy.lane, fresh)
    this.#ready.push(fresh)
    return true
  }

  /** The copy that may leave now; it flies until `end`. */
  next(): Copy | undefined {
    const lane = this.#ready[this.#nextReady]
    if (lane === undefined) return undefined
    this.#nextReady++
    if (this.#nextReady > 1_000 && this.#nextReady * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#nextReady)
      this.#nextReady = 0
    }
    const copy = lane.waiting.shift()
    if (copy === undefined) return undefined
    this.#waiting--
    this.#flying++
    return copy
  }

  /** The copy was answered or given up: the next one of its lane may leave. */
  end(copy: Copy): void {
    this.#flying--
    this.#heldBytes -= copy.heldBytes
    const lane = this.#lanes.get(copy.lane)
    if (lane === undefined) return
    if (lane.waiting.length === 0) this.#lanes.delete(copy.lane)
    else this.#ready.push(lane)
  }

  /** Gives up everything that waits. */
  clear(): Copy[] {
    const waiting = [...this.#lanes.values()].flatMap((lane) => lane.waiting.splice(0))
    for (const copy of waiting) this.#heldBytes -= copy.heldBytes
    this.#waiting = 0
    this.#ready = []
    this.#nextReady = 0
    // Lanes of which a copy flies are closed by its end.
    return waiting
  }
}
