import type { Duplex } from 'node:stream'

/** Bytes are gathered up to this size, then written: fewer system calls for the many small messages of short statements. */
const GATHERED_BYTES = 64 * 1024

/** Held back at most, as PostgreSQL does (PQ_SEND_BUFFER_SIZE): more leaves though a statement is under way. */
const HELD_BYTES = 8 * 1024

/** Outputs that have something to write at the end of this turn of the event loop. */
const dirty: ClientOutput[] = []

function flushAll(): void {
  for (const output of dirty.splice(0)) output.endTurn()
}

/**
 * What goes to the client. Messages are copied, because those of a framer are borrowed; whatever one turn of the event loop gave
 * leaves in one write, and what comes in front of a statement's rows waits for these.
 */
export class ClientOutput {
  readonly #client: Duplex
  readonly #onFull: () => void
  readonly #onDrained: () => void
  #buffer: Buffer = Buffer.allocUnsafe(GATHERED_BYTES)
  #length = 0
  #scheduled = false
  #full = false
  #isHeld = false
  #whenDrained: (() => void)[] = []

  /** `onFull` is called when the client does not read as fast as we write, `onDrained` when it has caught up. */
  constructor(client: Duplex, onFull: () => void, onDrained: () => void) {
    this.#client = client
    this.#onFull = onFull
    this.#onDrained = onDrained
    client.on('drain', () => this.#drained())
    client.on('close', () => this.#tellDrained())
  }

  /** The client does not read as fast as we write. */
  get isFull(): boolean {
    return this.#full
  }

  /** Resolves when the client has caught up, or is gone. */
  whenDrained(): Promise<void> {
    if (!this.#full || this.#client.destroyed) return Promise.resolve()
    return new Promise((resolve) => this.#whenDrained.push(resolve))
  }

  append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#buffer.length) this.flush()
    if (bytes.length > this.#buffer.length) {
      this.#write(Buffer.from(bytes))
      return
    }
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
    this.#schedule()
  }

  /** A statement is under way: what it gives leaves with its end, or when it is more than a buffer of PostgreSQL's. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    if (this.#length > 0) this.#schedule()
  }

  /** A turn of the event loop is over. */
  endTurn(): void {
    this.#scheduled = false
    if (!this.#isHeld || this.#length >= HELD_BYTES) this.flush()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (dirty.push(this) === 1) setImmediate(flushAll)
  }

  flush(): void {
    if (this.#length === 0) return
    const bytes = this.#buffer.subarray(0, this.#length)
    // The socket keeps what it could not write at once: the rest of the buffer serves on, a used up one is replaced.
    this.#buffer =
      this.#buffer.length - this.#length >= GATHERED_BYTES / 2
        ? this.#buffer.subarray(this.#length)
        : Buffer.allocUnsafe(GATHERED_BYTES)
    this.#length = 0
    this.#write(bytes)
  }

  #write(bytes: Buffer): void {
    if (this.#client.destroyed || this.#client.writableEnded) return
    if (this.#client.write(bytes) || this.#full) return
    this.#full = true
    this.#onFull()
  }

  #drained(): void {
    if (!this.#full) return
    this.#full = false
    this.#onDrained()
    this.#tellDrained()
  }

  #tellDrained(): void {
    for (const resolve of this.#whenDrained.splice(0)) resolve()
  }
}
