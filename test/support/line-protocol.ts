import { latin1, LF } from '../../src/core/bytes.ts'
import type { CloseReason, Direction } from '../../src/core/segment.ts'
import type { ConnectionDecoder, DecodeEvent, Protocol } from '../../src/wire/protocol.ts'

/**
 * A real, tiny protocol for tests of what comes after a decoder. One message a line, `<number> <head>:<body>\n`; the number
 * says which request it is or answers, so that lost lines prove themselves. Body pieces stream; the line feed is framing.
 *
 * ```
 * 0 get:\n           request 0, head `0 get:`, no body
 * 0 ok:hello\n       its response, head `0 ok:`, body `hello`
 * 0 wait!:\n         a head that ends in `!` is interim
 * ?\n                undecodable from here on
 * @\n                another protocol from here on
 * ```
 */
export const lineProtocol: Protocol = {
  name: 'redis',
  detect: () => true,
  createDecoder: (_, midStream) => new LineDecoder(midStream),
}

const COLON = 0x3a

interface LineState {
  /** Bytes of a head that is not whole yet. */
  head: number[]
  headStart: number
  message: number | undefined
  mode: 'head' | 'body' | 'lost' | 'midStream' | 'opaque' | 'undecodable'
}

class LineDecoder implements ConnectionDecoder {
  readonly #states: Record<Direction, LineState>
  readonly #offsets: Record<Direction, number> = { request: 0, response: 0 }

  constructor(midStream: boolean) {
    const state = (): LineState => ({
      head: [],
      headStart: 0,
      message: undefined,
      mode: midStream ? 'midStream' : 'head',
    })
    this.#states = { request: state(), response: state() }
  }

  get heldBytes(): number {
    return this.#states.request.head.length + this.#states.response.head.length
  }

  push(direction: Direction, bytes: Uint8Array, offset: number): readonly DecodeEvent[] {
    const state = this.#states[direction]
    const events: DecodeEvent[] = []
    this.#offsets[direction] = offset + bytes.length
    let from = 0
    while (from < bytes.length) from = this.#step(direction, state, bytes, offset, from, events)
    return events
  }

  gap(direction: Direction, length: number): readonly DecodeEvent[] {
    const state = this.#states[direction]
    const end = this.#offsets[direction]
    const events = this.#flush(direction, 'gap')
    if (state.mode === 'body') this.#end(direction, state, end, 'gap', events)
    if (state.mode !== 'opaque' && state.mode !== 'undecodable') state.mode = 'lost'
    this.#offsets[direction] += length
    return events
  }

  end(direction: Direction, _how: CloseReason): readonly DecodeEvent[] {
    const state = this.#states[direction]
    const events = this.#flush(direction, 'close')
    if (state.mode === 'body') this.#end(direction, state, this.#offsets[direction], 'close', events)
    return events
  }

  #step(
    direction: Direction,
    state: LineState,
    bytes: Uint8Array,
    offset: number,
    from: number,
    events: DecodeEvent[],
  ): number {
    const feed = bytes.indexOf(LF, from)
    const stop = feed < 0 ? bytes.length : feed
    const start = offset + from
    if (state.mode === 'opaque') {
      events.push({ kind: 'opaque', direction, start, end: offset + bytes.length, reason: 'upgrade' })
      return bytes.length
    }
    if (state.mode === 'undecodable') {
      const end = offset + bytes.length
      events.push({ kind: 'undecodable', direction, message: undefined, start, end, reason: 'bad-line', first: false })
      return bytes.length
    }
    if (state.mode === 'lost' || state.mode === 'midStream') {
      const end = offset + (feed < 0 ? bytes.length : feed + 1)
      events.push({ kind: 'lost', direction, start, end, why: state.mode === 'lost' ? 'gap' : 'midStream' })
      if (feed >= 0) state.mode = 'head'
      return end - offset
    }
    if (state.mode === 'body') {
      const message = state.message ?? 0
      if (stop > from) {
        const piece = bytes.subarray(from, stop)
        events.push({ kind: 'body', direction, message, start, end: offset + stop, bytes: piece })
      }
      if (feed < 0) return bytes.length
      events.push({ kind: 'framing', direction, start: offset + feed, end: offset + feed + 1 })
      this.#end(direction, state, offset + feed + 1, 'whole', events)
      return feed + 1
    }
    return this.#headByte(direction, state, bytes, offset, from, events)
  }

  #headByte(
    direction: Direction,
    state: LineState,
    bytes: Uint8Array,
    offset: number,
    at: number,
    events: DecodeEvent[],
  ): number {
    const byte = bytes[at] ?? 0
    if (state.head.length === 0) state.headStart = offset + at
    state.head.push(byte)
    if (state.head.length > 1 && byte !== LF && byte !== COLON) return at + 1
    const end = offset + at + 1
    const start = state.headStart
    const text = latin1(Uint8Array.from(state.head))
    const number = /^\d{1,4}(?= )/.exec(text)?.[0]
    const message = number === undefined ? undefined : Number(number)
    if (text === '@') {
      state.mode = 'opaque'
      events.push({ kind: 'opaque', direction, start, end, reason: 'upgrade' })
    } else if (byte === LF || text === '?' || (byte === COLON && message === undefined)) {
      state.mode = 'undecodable'
      events.push({ kind: 'undecodable', direction, message, start, end, reason: 'bad-line', first: true })
    } else if (byte === COLON && message !== undefined) {
      const interim = text.endsWith('!:') && direction === 'response'
      const headBytes = Uint8Array.from(state.head)
      events.push({ kind: 'head', direction, message, start, end, bytes: headBytes, interim })
      state.message = message
      state.mode = interim ? 'head' : 'body'
    } else {
      return at + 1
    }
    state.head = []
    return at + 1
  }

  /** A head that will never be whole belongs to no message. */
  #flush(direction: Direction, why: 'gap' | 'close'): DecodeEvent[] {
    const state = this.#states[direction]
    if (state.head.length === 0) return []
    const start = state.headStart
    const end = start + state.head.length
    state.head = []
    if (why === 'gap') return [{ kind: 'lost', direction, start, end, why }]
    return [{ kind: 'undecodable', direction, message: undefined, start, end, reason: 'incomplete-head', first: false }]
  }

  #end(
    direction: Direction,
    state: LineState,
    end: number,
    how: 'whole' | 'gap' | 'close',
    events: DecodeEvent[],
  ): void {
    events.push({ kind: 'end', direction, message: state.message ?? 0, end, how })
    state.mode = 'head'
  }
}
