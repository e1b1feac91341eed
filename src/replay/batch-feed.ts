import { asBuffer } from '../core/bytes.ts'
import type { ShotBatch } from './shot-batch.ts'

/** Batches read ahead of the one that is being sent: one is under way while one is at hand. */
const MAX_AHEAD = 2

/**
 * The shots that are next, one at a time, out of batches that come asynchronously: reading ahead by a bounded number, so
 * that the loop that sends never awaits.
 */
export class BatchFeed {
  readonly #batches: AsyncIterator<ShotBatch>
  readonly #onArrival: () => void
  readonly #ahead: ShotBatch[] = []
  #room: (() => void) | undefined
  #stopReading: (() => void) | undefined
  #stopped = false
  #ended = false
  #failure: unknown

  batch: ShotBatch | undefined
  index = 0

  /** `onArrival` is called when a batch came while there was none, and at the end. */
  constructor(batches: AsyncIterable<ShotBatch>, onArrival: () => void) {
    this.#batches = batches[Symbol.asyncIterator]()
    this.#onArrival = onArrival
  }

  /** Reads until the end; what the batches' source throws is kept for `failure`. */
  start(): void {
    this.#read().catch((error: unknown) => {
      this.#failure = error ?? new Error('the source of shots failed')
      this.#ended = true
      this.#onArrival()
    })
  }

  /** No shot is left and none will come. */
  get ended(): boolean {
    return this.#ended && this.batch === undefined
  }

  get failure(): unknown {
    return this.#failure
  }

  /** The next shot was taken. */
  advance(): void {
    this.index++
    if (this.batch !== undefined && this.index >= this.batch.count) this.#nextBatch()
  }

  /** Reads no more and forgets what is at hand. Returns how many shots those were. */
  stop(): number {
    this.#stopped = true
    this.#ended = true
    let left = this.batch === undefined ? 0 : this.batch.count - this.index
    for (const batch of this.#ahead) left += batch.count
    this.#ahead.length = 0
    this.batch = undefined
    this.#room?.()
    this.#stopReading?.()
    return left
  }

  async #read(): Promise<void> {
    for (;;) {
      const result = this.#stopped ? undefined : await this.#next()
      if (this.#stopped) {
        // A source that is itself waiting ends when it can; nobody waits for it.
        this.#batches.return?.().catch(() => undefined)
        return
      }
      if (result === undefined || result.done === true) break
      if (result.value.count > 0) await this.#put(result.value)
    }
    this.#ended = true
    this.#onArrival()
  }

  /** The next batch, or undefined on `stop`. A race against one promise of the whole run would keep every batch that won it. */
  #next(): Promise<IteratorResult<ShotBatch> | undefined> {
    return new Promise((resolve, reject) => {
      this.#stopReading = () => resolve(undefined)
      this.#batches.next().then(resolve, reject)
    })
  }

  async #put(batch: ShotBatch): Promise<void> {
    this.#ahead.push({ ...batch, bytes: asBuffer(batch.bytes) })
    if (this.batch === undefined) {
      this.#nextBatch()
      this.#onArrival()
    }
    while (this.#ahead.length >= MAX_AHEAD && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
    }
  }

  #nextBatch(): void {
    this.batch = this.#ahead.shift()
    this.index = 0
    this.#room?.()
  }
}
