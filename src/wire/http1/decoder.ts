import type { CloseReason, Direction } from '../../core/segment.ts'
import type { ConnectionDecoder, DecodeEvent, DecodeLimits } from '../protocol.ts'
import { EventSink } from './event-sink.ts'
import { Pairing } from './pairing.ts'
import { RequestOwner } from './request-owner.ts'
import { ResponseOwner } from './response-owner.ts'
import { StreamEvents } from './stream-events.ts'
import { StreamReader } from './stream-reader.ts'

/**
 * Decodes both directions of one HTTP/1 connection (RFC 9112).
 *
 *     push > StreamReader (request)  > RequestOwner  --+
 *                                                      +-- Pairing: which requests are unanswered, and what is proved of them
 *     push > StreamReader (response) > ResponseOwner --+
 *
 * The readers cut streams into messages and hold what cannot be read yet; the owners say what a message is. After each call
 * the reader of the other direction goes on with what it held, for as long as one learns from the other.
 *
 * - A head that a gap or the close cut is written as far as it came, and its message ends `gap` or `close`.
 * - Hostile or ambiguous framing is undecodable to the end of its direction. Requests that were named before are still answered;
 *   responses after theirs are `peer-undecodable`.
 * - Responses wait for their requests, CONNECT and Upgrade for their answers; both within `maxHeadBytes`.
 */
export class Http1Decoder implements ConnectionDecoder {
  readonly #sink = new EventSink()
  readonly #pairing: Pairing
  readonly #request: StreamReader
  readonly #response: StreamReader

  constructor(limits: DecodeLimits, midStream: boolean) {
    this.#pairing = new Pairing(midStream)
    const requestOwner = new RequestOwner(this.#pairing, limits, midStream)
    const responseOwner = new ResponseOwner(this.#pairing)
    const requestEvents = new StreamEvents('request', this.#sink, midStream)
    const responseEvents = new StreamEvents('response', this.#sink, midStream)
    this.#request = new StreamReader('request', requestOwner, requestEvents, limits, 'first')
    this.#response = new StreamReader('response', responseOwner, responseEvents, limits, midStream ? 'first' : 'hold')
  }

  get heldBytes(): number {
    return this.#request.heldBytes + this.#response.heldBytes
  }

  push(direction: Direction, bytes: Uint8Array, offset: number, acknowledged: number): readonly DecodeEvent[] {
    this.#reader(direction).push(bytes, offset, acknowledged)
    return this.#settle()
  }

  gap(direction: Direction, length: number): readonly DecodeEvent[] {
    this.#reader(direction).gap(length)
    return this.#settle()
  }

  end(direction: Direction, how: CloseReason): readonly DecodeEvent[] {
    this.#reader(direction).end(how)
    return this.#settle()
  }

  #reader(direction: Direction): StreamReader {
    return direction === 'request' ? this.#request : this.#response
  }

  #settled = 0

  #settle(): readonly DecodeEvent[] {
    const pairing = this.#pairing
    pairing.requestOffset = this.#request.offset
    while (this.#settled !== pairing.version) {
      this.#settled = pairing.version
      if (pairing.tunnel !== undefined) this.#request.turnOpaque(pairing.tunnel, false)
      if (pairing.recognised) this.#response.release()
      this.#request.resume()
      pairing.requestOffset = this.#request.offset
      this.#response.resume()
    }
    const { foreign } = pairing
    if (foreign !== undefined) {
      this.#request.turnOpaque(foreign, true)
      this.#response.turnOpaque(foreign, true)
    }
    return this.#sink.take()
  }
}
