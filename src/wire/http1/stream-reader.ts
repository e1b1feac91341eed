import type { CloseReason, Direction } from '../../core/segment.ts'
import type { DecodeLimits, OpaqueReason } from '../protocol.ts'
import { MessageReader } from './message-reader.ts'
import type { StreamEvents } from './stream-events.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { StreamState } from './stream-state.ts'
import { StreamWindow } from './stream-window.ts'

/**
 * Reads one direction of a connection as it comes: bytes, gaps and the end. What cannot be read yet is held, never more than
 * `maxHeadBytes` and one push. Cutting the bytes into messages is the `MessageReader`'s.
 */
export class StreamReader {
  readonly #owner: StreamOwner
  readonly #events: StreamEvents
  readonly #window = new StreamWindow()
  readonly #messages: MessageReader
  #ended: CloseReason | undefined

  constructor(
    direction: Direction,
    owner: StreamOwner,
    events: StreamEvents,
    limits: DecodeLimits,
    state: StreamState,
  ) {
    this.#owner = owner
    this.#events = events
    this.#messages = new MessageReader(direction, this.#window, owner, events, limits, state)
  }

  /** Offset up to which the stream is decoded; what comes after it is held. */
  get offset(): number {
    return this.#window.end - this.#window.heldLength
  }

  get heldBytes(): number {
    return this.#window.heldBytes
  }

  push(bytes: Uint8Array, offset: number, acknowledged: number): void {
    if (bytes.length === 0) return
    this.#window.openPush(bytes, offset, acknowledged)
    this.#read()
  }

  /** The other direction has changed: goes on with what was held for it. */
  resume(): void {
    const { state } = this.#messages
    if (state === 'done' || (this.#window.heldLength === 0 && state !== 'blocked' && this.#ended === undefined)) return
    this.#window.openHeld()
    this.#read()
    if (this.#ended !== undefined) this.#finish(this.#ended)
  }

  #read(): void {
    this.#messages.read()
    this.#events.flush()
    this.#window.close()
  }

  /** The other end is known to speak HTTP/1: what was held is read. */
  release(): void {
    this.#messages.release()
  }

  /** From here on the stream is another protocol's; unless `now`, a message that is being read ends first. */
  turnOpaque(reason: OpaqueReason, now: boolean): void {
    const { state } = this.#messages
    if (state === 'opaque' || state === 'undecodable' || state === 'done') return
    if (!now && (state === 'body' || state === 'refusable')) return
    this.#window.openHeld()
    this.#messages.turnOpaque(reason)
    this.#read()
  }

  gap(length: number): void {
    this.#window.openHeld()
    this.#gap(length)
    this.#events.flush()
    this.#window.close()
    this.#window.end += length
    this.#window.acknowledgements.force()
  }

  #gap(length: number): void {
    const messages = this.#messages
    messages.takeAsBody()
    switch (messages.state) {
      case 'body':
        messages.passGap(length)
        break
      case 'start':
        messages.frameRest()
        messages.loseMessages(length)
        break
      case 'head':
        messages.cutHead('gap')
        messages.loseMessages(length)
        break
      case 'judge':
      case 'first':
      case 'blocked':
      case 'resync':
        messages.loseMessages(length)
        break
      case 'hold':
        messages.loseHeld(length)
        break
      case 'refusable':
      case 'lost':
      case 'opaque':
      case 'undecodable':
      case 'done':
        break
    }
  }

  end(how: CloseReason): void {
    if (this.#ended !== undefined) return
    this.#ended = how
    this.#finish(how)
  }

  /** Ends what can be ended; what still waits for the other direction is ended when that resumes it. */
  #finish(how: CloseReason): void {
    if (this.#messages.state === 'done') return
    this.#window.openHeld()
    this.#messages.takeAsBody()
    this.#messages.takeAsFirst()
    const over = this.#finishState(how)
    this.#events.flush()
    this.#window.close()
    if (!over) return
    this.#messages.state = 'done'
    this.#owner.streamOver('ended')
  }

  /** False where the stream cannot be ended yet. */
  #finishState(how: CloseReason): boolean {
    const messages = this.#messages
    switch (messages.state) {
      case 'hold':
      case 'judge':
      case 'done':
        return false
      case 'blocked':
        return this.#window.left === 0
      case 'head':
        return messages.cutHead('close')
      case 'start':
        messages.frameRest()
        break
      case 'body':
        messages.cutBody(how)
        break
      case 'first':
      case 'refusable':
      case 'resync':
      case 'lost':
      case 'opaque':
      case 'undecodable':
        break
    }
    return true
  }
}
