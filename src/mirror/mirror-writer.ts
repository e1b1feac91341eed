import type { Exchange } from '../core/exchange.ts'
import type { RecordingWriter } from '../core/recording.ts'
import type { Mirror } from './mirror.ts'

/** The end of a capture that mirrors instead of recording: it never waits, and says that it always has room. */
export class MirrorWriter implements RecordingWriter {
  readonly #mirror: Mirror

  constructor(mirror: Mirror) {
    this.#mirror = mirror
  }

  write(exchange: Exchange): void {
    this.#mirror.offer(exchange)
  }

  /** Its exchange was sent without it, and is not compared. */
  writeLate(): void {
    return
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.#mirror.close()
  }
}
