import type { CloseReason } from '../../core/segment.ts'
import type { DecodeLimits, EndEvent } from '../protocol.ts'
import { ChunkedReader } from './chunked-reader.ts'
import { CHUNKED, UNTIL_CLOSE } from './framing.ts'
import type { BodyFraming } from './framing.ts'
import { HeadReader } from './head-reader.ts'
import type { StreamEvents } from './stream-events.ts'

/** Reads one body after another by its framing (RFC 9112 6 and 7) and writes its pieces as they come; only trailers are held. */
export class BodyReader {
  message = 0
  /** All of it came, or is known to be lost. */
  whole = false
  /** Bytes of it were lost. */
  gapSeen = false
  /** Why its framing cannot be trusted, from the byte on at which `read` stopped; '' while it can. */
  fault = ''

  readonly #events: StreamEvents
  readonly #chunks = new ChunkedReader()
  readonly #trailers: HeadReader
  #framing: BodyFraming = 0
  #remaining = 0
  #inTrailers = false

  constructor(events: StreamEvents, limits: DecodeLimits) {
    this.#events = events
    this.#trailers = new HeadReader(limits)
  }

  /** Its length is stated. */
  get counted(): boolean {
    return this.#framing >= 0
  }

  /** Bytes that are still to come of a body whose length is stated. */
  get remaining(): number {
    return this.#remaining
  }

  begin(message: number, framing: BodyFraming): void {
    this.message = message
    this.whole = framing === 0
    this.gapSeen = false
    this.fault = ''
    this.#framing = framing
    this.#remaining = Math.max(0, framing)
    this.#inTrailers = false
    if (framing === CHUNKED) this.#chunks.begin()
  }

  /** Reads on; returns where it stopped: at `to`, at the end of the body, at a fault, or at trailers that are not whole. */
  read(bytes: Uint8Array, from: number, to: number, base: number): number {
    if (this.#framing === CHUNKED) return this.#readChunked(bytes, from, to, base)
    if (from === to) return to
    if (this.#framing === UNTIL_CLOSE) return this.#piece(bytes, from, to, base)
    const end = Math.min(to, from + this.#remaining)
    this.#remaining -= end - from
    this.whole = this.#remaining === 0
    return this.#piece(bytes, from, end, base)
  }

  #piece(bytes: Uint8Array, from: number, to: number, base: number): number {
    this.#events.body(this.message, base + from, bytes.subarray(from, to))
    return to
  }

  #readChunked(bytes: Uint8Array, from: number, to: number, base: number): number {
    let at = from
    while (at < to) {
      if (this.#chunks.phase === 'trailers') return this.#readTrailers(bytes, at, to, base)
      if (this.#chunks.phase === 'data') {
        const end = Math.min(to, at + this.#chunks.remaining)
        this.#chunks.takeData(end - at)
        at = this.#piece(bytes, at, end, base)
        continue
      }
      const end = this.#chunks.readFraming(bytes, at, to)
      if (end > at) this.#events.framing(base + at, base + end)
      at = end
      if (this.#chunks.phase === 'broken') {
        this.fault = this.#chunks.fault
        return at
      }
    }
    return at
  }

  #readTrailers(bytes: Uint8Array, from: number, to: number, base: number): number {
    if (!this.#inTrailers) this.#trailers.begin('trailers')
    this.#inTrailers = true
    const read = this.#trailers.read(bytes, from, to)
    if (read === 'more') return from
    if (read === 'broken') {
      this.fault = this.#trailers.fault
      return from
    }
    const end = from + this.#trailers.length
    const linesEnd = end - this.#trailers.emptyLineLength
    if (linesEnd > from) this.#events.trailers(this.message, base + from, bytes.subarray(from, linesEnd))
    this.#events.framing(base + linesEnd, base + end)
    this.whole = true
    return end
  }

  /**
   * `length` bytes are lost after those that are held from `from` to `to`. True where the body is known to go on, or to end, right
   * after them: in data of stated length that covers them, and where only the close ends it.
   */
  skip(length: number, bytes: Uint8Array, from: number, to: number, base: number): boolean {
    this.gapSeen = true
    if (this.#framing === UNTIL_CLOSE) return true
    if (this.#framing === CHUNKED) {
      if (this.#chunks.phase === 'data' && length <= this.#chunks.remaining) {
        this.#chunks.takeData(length)
        return true
      }
      this.#cutTrailers(bytes, from, to, base)
      return false
    }
    if (length > this.#remaining) return false
    this.#remaining -= length
    this.whole = this.#remaining === 0
    return true
  }

  /** The stream ended inside the body: how that leaves the message. Only an orderly end completes one that it delimits. */
  finish(how: CloseReason, bytes: Uint8Array, from: number, to: number, base: number): EndEvent['how'] {
    this.#cutTrailers(bytes, from, to, base)
    if (this.gapSeen) return 'gap'
    return this.#framing === UNTIL_CLOSE && how === 'fin' ? 'whole' : 'close'
  }

  #cutTrailers(bytes: Uint8Array, from: number, to: number, base: number): void {
    if (to > from) this.#events.trailers(this.message, base + from, bytes.subarray(from, to))
  }
}
