/**
 * A ring of bytes beside a loop that must not wait: one producer thread, one consumer thread, one SharedArrayBuffer.
 *
 * ```
 * | control: head, tail, ended; a cache line each | record | record | …        free        … | record |
 *                                                                    ^ head                 ^ tail
 * record: | u32 length, a multiple of 8 | u32 tag | payload … |     never wraps: a PAD record fills the end
 * ```
 *
 * The producer never waits, wakes nobody and makes no system call: it stores its bytes, then publishes `head`. The consumer
 * looks when it likes and publishes `tail`. `head` and `tail` count bytes modulo 2^32; their difference is what is held.
 * Records and payloads start at multiples of 8, because V8 copies shared memory by words where both sides are aligned and
 * eight times slower, byte by byte, where they are not.
 */

const CONTROL_BYTES = 192
const HEAD = 0
const TAIL = 16
const ENDED = 32

/** The bytes of a record before its payload. */
export const RECORD_HEADER_BYTES = 8

/** The tag of a record that only fills the end of the ring; producers' own tags are below it. */
const PAD_TAG = 0xffff_ffff

/** Below this a ring cannot hold the records of one read. */
const LEAST_RING_BYTES = 4096

/**
 * `head` and `tail` are 32-bit counts, and what they are apart must be told from a ring that is empty. It is 5 s of what one loop relays: a
 * recorder that is further behind does not catch up.
 */
export const MAX_RING_BYTES: number = 2 ** 30

/**
 * Default size: 32 MiB. At 200 MB/s, about what one loop relays, it bridges 160 ms in which the consumer does not run:
 * a long garbage collection, or a slow disk's flush.
 */
export const DEFAULT_RING_BYTES: number = 32 * 1024 * 1024

/** The memory of a ring of at least `bytes` (at most `MAX_RING_BYTES`), rounded up to a power of two, to be shared with the consumer's thread. */
export function allocateRing(bytes: number = DEFAULT_RING_BYTES): SharedArrayBuffer {
  let capacity = LEAST_RING_BYTES
  while (capacity < bytes && capacity < MAX_RING_BYTES) capacity *= 2
  return new SharedArrayBuffer(CONTROL_BYTES + capacity)
}

/** The same memory as bytes, 32-bit words and doubles; offsets are bytes from the start of the ring's data. */
interface RingMemory {
  readonly bytes: Buffer
  readonly words: Uint32Array
  readonly doubles: Float64Array
}

function viewMemory(shared: SharedArrayBuffer): RingMemory {
  const capacity = shared.byteLength - CONTROL_BYTES
  return {
    bytes: Buffer.from(shared, CONTROL_BYTES, capacity),
    words: new Uint32Array(shared, CONTROL_BYTES, capacity / 4),
    doubles: new Float64Array(shared, CONTROL_BYTES, capacity / 8),
  }
}

/** The writing end of a ring. Used by one thread. */
export class RingProducer {
  readonly memory: RingMemory
  readonly capacityBytes: number
  readonly #control: Int32Array
  readonly #mask: number
  #head: number
  #tail: number
  /** Where the reserved record will end; published by `commit`. */
  #reserved: number

  constructor(shared: SharedArrayBuffer) {
    this.memory = viewMemory(shared)
    this.capacityBytes = this.memory.bytes.length
    this.#control = new Int32Array(shared, 0, CONTROL_BYTES / 4)
    this.#mask = this.capacityBytes - 1
    this.#head = Atomics.load(this.#control, HEAD) >>> 0
    this.#tail = Atomics.load(this.#control, TAIL) >>> 0
    this.#reserved = this.#head
  }

  /**
   * Room for a record of `payloadBytes` with a tag: the offset of its payload in `memory`, or -1 where it does not fit now. It
   * is the consumer's only after `commit`; a second `reserve` takes its place.
   */
  reserve(payloadBytes: number, tag: number): number {
    const length = RECORD_HEADER_BYTES + ((payloadBytes + 7) & ~7)
    const start = this.#head & this.#mask
    const toEnd = this.capacityBytes - start
    const pad = length > toEnd ? toEnd : 0
    if (!this.#fits(pad + length)) return -1
    const { words } = this.memory
    if (pad > 0) {
      words[start >>> 2] = pad
      words[(start >>> 2) + 1] = PAD_TAG
    }
    const at = pad > 0 ? 0 : start
    words[at >>> 2] = length
    words[(at >>> 2) + 1] = tag
    this.#reserved = (this.#head + pad + length) >>> 0
    return at + RECORD_HEADER_BYTES
  }

  /** Gives the reserved record to the consumer. */
  commit(): void {
    this.#head = this.#reserved
    Atomics.store(this.#control, HEAD, this.#head | 0)
  }

  /** Nothing more comes. The consumer still gets what is held. */
  end(): void {
    Atomics.store(this.#control, ENDED, 1)
  }

  /** Bytes that the consumer has not read yet. */
  get heldBytes(): number {
    this.#tail = Atomics.load(this.#control, TAIL) >>> 0
    return (this.#head - this.#tail) >>> 0
  }

  /** Bytes that records may take now, headers and padding included. */
  get freeBytes(): number {
    return this.capacityBytes - this.heldBytes
  }

  #fits(bytes: number): boolean {
    // The last known tail is good enough until it says that the ring is full.
    if (((this.#head - this.#tail) >>> 0) + bytes <= this.capacityBytes) return true
    return this.heldBytes + bytes <= this.capacityBytes
  }
}

/** The reading end of a ring. Used by one thread. */
export class RingConsumer {
  readonly memory: RingMemory
  readonly capacityBytes: number
  readonly #control: Int32Array
  readonly #mask: number
  #head: number
  #tail: number
  #next: number

  constructor(shared: SharedArrayBuffer) {
    this.memory = viewMemory(shared)
    this.capacityBytes = this.memory.bytes.length
    this.#control = new Int32Array(shared, 0, CONTROL_BYTES / 4)
    this.#mask = this.capacityBytes - 1
    this.#head = Atomics.load(this.#control, HEAD) >>> 0
    this.#tail = Atomics.load(this.#control, TAIL) >>> 0
    this.#next = this.#tail
  }

  /**
   * Offset of the next record's payload in `memory`, or -1 where there is none now. The record may be read until `release`.
   * Its tag and payload length (rounded up to a multiple of 8) are read with `tagAt` and `lengthAt`.
   */
  next(): number {
    for (;;) {
      if (this.#next === this.#head) {
        this.#head = Atomics.load(this.#control, HEAD) >>> 0
        if (this.#next === this.#head) return -1
      }
      const at = this.#next & this.#mask
      const word = at >>> 2
      const length = this.memory.words[word] ?? 0
      this.#next = (this.#next + length) >>> 0
      if (this.memory.words[word + 1] !== PAD_TAG) return at + RECORD_HEADER_BYTES
    }
  }

  tagAt(payload: number): number {
    return this.memory.words[(payload >>> 2) - 1] ?? 0
  }

  lengthAt(payload: number): number {
    return (this.memory.words[(payload >>> 2) - 2] ?? 0) - RECORD_HEADER_BYTES
  }

  /** Gives the room of all records read so far back to the producer. */
  release(): void {
    if (this.#tail === this.#next) return
    this.#tail = this.#next
    Atomics.store(this.#control, TAIL, this.#tail | 0)
  }

  /** The producer has ended the ring and everything in it has been read. */
  get finished(): boolean {
    // In this order: what was published before the end is seen once the end is.
    if (Atomics.load(this.#control, ENDED) === 0) return false
    return this.#next === Atomics.load(this.#control, HEAD) >>> 0
  }
}
