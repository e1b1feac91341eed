import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Segment } from '../../core/segment.ts'
import { RingConsumer } from '../../net/ring.ts'
import type { Source } from '../source.ts'
import { readSegment } from './segment-codec.ts'

/**
 * A reader that finds nothing looks again after this long, and after `IDLE_MS` once it has found nothing for a while. Nobody
 * wakes it: that would cost the relay a system call for every chunk, and the reader would take each chunk alone.
 */
const BUSY_MS = 4
const IDLE_MS = 25
const IDLE_AFTER_LOOKS = 50

/** More than one loop relays in a millisecond: a small ring is looked at before it can be full. */
const MOST_BYTES_PER_MS = 1024 * 1024

/** A batch is cut here, so that the reader's own loop (files, timers, messages) has its turn. */
const MAX_BATCH_SEGMENTS = 1024
const MAX_BATCH_BYTES = 1024 * 1024

/** The reading end of a tap's ring, in the recording thread. One iteration at a time. */
export class RingSource implements Source {
  readonly #ring: RingConsumer

  constructor(shared: SharedArrayBuffer) {
    this.#ring = new RingConsumer(shared)
  }

  /** Ends when the tap has ended the ring and everything in it was read, or when the signal aborts. */
  async *segments(signal: AbortSignal): AsyncGenerator<readonly Segment[], void, undefined> {
    const fillMs = Math.max(1, Math.floor(this.#ring.capacityBytes / MOST_BYTES_PER_MS))
    let emptyLooks = 0
    while (!signal.aborted) {
      const finished = this.#ring.finished
      const batch = this.#take()
      if (batch.length > 0) {
        emptyLooks = 0
        yield batch
        await setImmediate()
        continue
      }
      if (finished) return
      emptyLooks++
      const waitMs = Math.min(fillMs, emptyLooks < IDLE_AFTER_LOOKS ? BUSY_MS : IDLE_MS)
      await setTimeout(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Copies out what is there, up to a batch, and gives its room back. */
  #take(): Segment[] {
    const batch: Segment[] = []
    let byteCount = 0
    while (batch.length < MAX_BATCH_SEGMENTS && byteCount < MAX_BATCH_BYTES) {
      const at = this.#ring.next()
      if (at < 0) break
      byteCount += this.#ring.lengthAt(at)
      batch.push(readSegment(this.#ring, at))
    }
    this.#ring.release()
    return batch
  }
}
