import type { ShotBatch } from './shot-batch.ts'

/** Batches that were posted to a thread, as its loop reads them. How many there may be is the poster's to bound: it is told of each one taken. */
export class BatchInbox implements AsyncIterable<ShotBatch> {
  readonly #batches: ShotBatch[] = []
  readonly #onTaken: () => void
  #ended = false
  #wake: (() => void) | undefined

  constructor(onTaken: () => void) {
    this.#onTaken = onTaken
  }

  push(batch: ShotBatch): void {
    this.#batches.push(batch)
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ShotBatch> {
    for (;;) {
      const batch = this.#batches.shift()
      if (batch !== undefined) {
        this.#onTaken()
        yield batch
      } else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
