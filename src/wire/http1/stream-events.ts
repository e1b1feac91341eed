import type { Direction } from '../../core/segment.ts'
import type { EndEvent, OpaqueReason } from '../protocol.ts'
import type { EventSink } from './event-sink.ts'

/** Writes the events of one direction, and runs of framing as one event. */
export class StreamEvents {
  readonly #direction: Direction
  readonly #sink: EventSink
  #framingFrom = -1
  #framingTo = -1
  /** Before the first message that was found, what is lost is lost for the connection's missing beginning. */
  #whyLost: 'gap' | 'midStream'

  constructor(direction: Direction, sink: EventSink, midStream: boolean) {
    this.#direction = direction
    this.#sink = sink
    this.#whyLost = midStream ? 'midStream' : 'gap'
  }

  head(message: number, start: number, bytes: Uint8Array, interim: boolean): void {
    this.flush()
    this.#whyLost = 'gap'
    const end = start + bytes.length
    this.#sink.add({ kind: 'head', direction: this.#direction, message, start, end, bytes, interim })
  }

  body(message: number, start: number, bytes: Uint8Array): void {
    this.flush()
    const end = start + bytes.length
    this.#sink.add({ kind: 'body', direction: this.#direction, message, start, end, bytes })
  }

  trailers(message: number, start: number, bytes: Uint8Array): void {
    this.flush()
    const end = start + bytes.length
    this.#sink.add({ kind: 'trailers', direction: this.#direction, message, start, end, bytes })
  }

  end(message: number, end: number, how: EndEvent['how']): void {
    this.flush()
    this.#sink.add({ kind: 'end', direction: this.#direction, message, end, how })
  }

  framing(start: number, end: number): void {
    if (this.#framingTo !== start) this.flush()
    if (this.#framingFrom < 0) this.#framingFrom = start
    this.#framingTo = end
  }

  lost(start: number, end: number): void {
    this.flush()
    if (start < end) this.#sink.add({ kind: 'lost', direction: this.#direction, start, end, why: this.#whyLost })
  }

  opaque(start: number, end: number, reason: OpaqueReason): void {
    this.flush()
    if (start < end) this.#sink.add({ kind: 'opaque', direction: this.#direction, start, end, reason })
  }

  undecodable(start: number, end: number, reason: string, first: boolean, message: number | undefined): void {
    this.flush()
    if (start < end || first)
      this.#sink.add({ kind: 'undecodable', direction: this.#direction, message, start, end, reason, first })
  }

  /** Writes the framing that is still open: at the end of each call, so that every call accounts for its bytes. */
  flush(): void {
    if (this.#framingFrom < 0) return
    const event = { start: this.#framingFrom, end: this.#framingTo }
    this.#framingFrom = -1
    this.#framingTo = -1
    this.#sink.add({ kind: 'framing', direction: this.#direction, ...event })
  }
}
