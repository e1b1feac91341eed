import { CR } from '../../core/bytes.ts'
import type { CloseReason, Direction } from '../../core/segment.ts'
import type { DecodeLimits, EndEvent, OpaqueReason } from '../protocol.ts'
import { BodyReader } from './body-reader.ts'
import { SPACE } from './characters.ts'
import { HeadReader } from './head-reader.ts'
import { endOfEmptyLines, hasKnownMethod, isRequestLine, mayBeginRequest, mayBeginResponse } from './start-line.ts'
import type { StreamEvents } from './stream-events.ts'
import type { Continuation, HeadPlace, MessageVerdict, StreamOwner, Verdict } from './stream-owner.ts'
import type { StreamState } from './stream-state.ts'
import type { StreamWindow } from './stream-window.ts'

/**
 * Cuts the bytes of one direction into messages and writes their events; its owner says what each head is.
 *
 * After a loss the next message begins where a whole, sound head does, and where the stream has a seam: the first byte after the
 * gap, or a byte that was sent when its sender had received more than for the byte before it (a client that has its reply, a
 * server that has another request). Seams are facts of the stream and not of its pushes; a start line elsewhere may be
 * somebody's body. What lies between is lost.
 */
export class MessageReader {
  state: StreamState

  readonly #direction: Direction
  readonly #window: StreamWindow
  readonly #owner: StreamOwner
  readonly #events: StreamEvents
  readonly #maxHeadBytes: number
  readonly #head: HeadReader
  readonly #body: BodyReader
  /** What a held stream does once it is released. */
  #afterHold: 'start' | 'resync' = 'start'
  /** The head that is being read was found after a loss. */
  #resynced = false
  /** Seams before this offset were tried. */
  #seamsFrom = 0
  /** The head that was cut ends inside its method. */
  #midMethod = false
  #opaque: OpaqueReason = 'not-http'
  #undecodable = ''

  constructor(
    direction: Direction,
    window: StreamWindow,
    owner: StreamOwner,
    events: StreamEvents,
    limits: DecodeLimits,
    state: StreamState,
  ) {
    this.#direction = direction
    this.#window = window
    this.#owner = owner
    this.#events = events
    this.#maxHeadBytes = limits.maxHeadBytes
    this.#head = new HeadReader(limits)
    this.#body = new BodyReader(events, limits)
    this.state = state
  }

  /** Reads the open bytes as far as it can; what is left needs more bytes, or more of the other direction. */
  read(): void {
    while (this.#step());
  }

  #step(): boolean {
    switch (this.state) {
      case 'start':
        return this.#readStart()
      case 'head':
        return this.#readHead()
      case 'judge':
        return this.#judge()
      case 'body':
        return this.#readBody()
      case 'refusable':
        return this.#readRefusable()
      case 'first':
        return this.#window.left > 0 && this.#readFirst(false)
      case 'resync':
        return this.#readResync()
      case 'blocked':
        return this.#readBlocked()
      case 'hold':
        if (this.#window.left > this.#maxHeadBytes) this.release()
        return this.#window.left > this.#maxHeadBytes
      case 'lost':
      case 'opaque':
      case 'undecodable':
      case 'done':
        break
    }
    this.#passRest()
    return false
  }

  release(): void {
    if (this.state === 'hold') this.state = this.#afterHold
  }

  turnOpaque(reason: OpaqueReason): void {
    this.#opaque = reason
    this.state = 'opaque'
  }

  #readFirst(final: boolean): boolean {
    const verdict = this.#owner.judgeFirst(this.#window.rest(), final)
    if (verdict === 'wait') return false
    this.#continue(verdict)
    return true
  }

  /** The stream ends within its first bytes: they are what they can be. */
  takeAsFirst(): void {
    if (this.state === 'first' && this.#window.left > 0 && this.#readFirst(true)) this.read()
  }

  /** Empty lines before a start line are passed over (RFC 9112 2.2). */
  #readStart(): boolean {
    const window = this.#window
    const { bytes, at: from, to } = window
    const at = endOfEmptyLines(bytes, from, to)
    if (at > from) this.#events.framing(window.base + from, window.base + at)
    window.at = at
    if (at === to || (bytes[at] === CR && at + 1 === to)) return false
    this.#head.begin(this.#direction)
    this.#resynced = false
    this.state = 'head'
    return true
  }

  #readHead(): boolean {
    const { bytes, at, to, left } = this.#window
    const read = this.#head.read(bytes, at, to)
    if (this.#resynced) return this.#tryHead(read)
    if (read === 'more') return false
    if (read === 'whole') this.state = 'judge'
    else return this.#apply(this.#owner.judgeFault(this.#head, this.#window.rest(), left > this.#maxHeadBytes))
    return true
  }

  /** What may be a head after a loss: it is passed over as soon as it cannot be one. */
  #tryHead(read: 'more' | 'whole' | 'broken'): boolean {
    const { bytes, at, to } = this.#window
    const isRequest = this.#direction === 'request'
    if (read === 'more' && (this.#head.started || this.#mayBegin())) return false
    if (read === 'whole' && (!isRequest || hasKnownMethod(bytes, at, to))) this.state = 'judge'
    else this.#reject()
    return true
  }

  #mayBegin(): boolean {
    const { bytes, at, to } = this.#window
    return this.#direction === 'request' ? mayBeginRequest(bytes, at, to) : mayBeginResponse(bytes, at, to)
  }

  #judge(): boolean {
    return this.#apply(this.#owner.judgeHead(this.#head, this.#place(this.#window.left > this.#maxHeadBytes)))
  }

  #place(final: boolean): HeadPlace {
    const start = this.#window.position
    const acknowledged = this.#window.acknowledgements.at(start)
    return { start, acknowledged, resynced: this.#resynced, final }
  }

  /** False where the verdict is to wait. */
  #apply(verdict: Verdict): boolean {
    switch (verdict.kind) {
      case 'message':
        this.#takeHead(verdict)
        break
      case 'lost':
        if (verdict.forever) this.state = 'lost'
        else this.#reject()
        break
      case 'undecodable':
        if (this.#resynced) this.#reject()
        else this.#break(verdict.reason, verdict.message)
        break
      case 'opaque':
        this.turnOpaque(verdict.reason)
        break
      case 'wait':
        return false
    }
    return true
  }

  #takeHead({ message, interim, framing, refusable }: MessageVerdict): void {
    const window = this.#window
    const start = window.position
    const end = window.at + this.#head.length
    this.#events.head(message, start, window.bytes.subarray(window.at, end), interim)
    window.at = end
    this.state = 'start'
    if (interim) return
    this.#body.begin(message, framing)
    if (framing === 0) this.#endMessage('whole')
    else if (refusable) {
      this.#head.begin('request')
      this.state = 'refusable'
    } else this.state = 'body'
  }

  #continue(continuation: Continuation): void {
    if (continuation === 'next') this.state = 'start'
    else if (continuation === 'block') this.state = 'blocked'
    else if (continuation === 'resync' || continuation === 'lost') this.state = continuation
    else if ('opaque' in continuation) this.turnOpaque(continuation.opaque)
    else if (this.#window.left === 0) this.state = 'blocked'
    else this.#break(continuation.undecodable, undefined)
  }

  /** The head that was tried is none: looks for the next seam. */
  #reject(): void {
    this.#seamsFrom = this.#window.position + 1
    this.state = 'resync'
  }

  #readResync(): boolean {
    const window = this.#window
    const seam = window.acknowledgements.next(Math.max(window.position, this.#seamsFrom))
    if (seam < 0 || seam >= window.base + window.to) {
      this.#passRest()
      return false
    }
    this.#events.lost(window.position, seam)
    window.at = seam - window.base
    this.#head.begin(this.#direction)
    this.#resynced = true
    this.state = 'head'
    return true
  }

  #readBlocked(): boolean {
    const continuation = this.#owner.unblock()
    if (continuation === 'block' || (this.#window.left === 0 && typeof continuation === 'object')) {
      if (this.#window.left <= this.#maxHeadBytes) return false
      this.#break('upgrade-unanswered', undefined)
      return true
    }
    this.#seamsFrom = 0
    this.#continue(continuation)
    return true
  }

  #readBody(): boolean {
    const window = this.#window
    const body = this.#body
    window.at = body.read(window.bytes, window.at, window.to, window.base)
    if (body.fault !== '') this.#break(body.fault, body.message)
    else if (body.whole) this.#endMessage(body.gapSeen ? 'gap' : 'whole')
    else return false
    return true
  }

  /**
   * The first bytes after a head that asked for a 100 (RFC 9110 10.1.1). Where their sender had seen a final response instead, they are
   * the body all the same, or the next request of a client that sent none. They are that request if they are a whole sound
   * head and, read as the body, would have to go on with something that is no request, or if the server answered before it
   * had the body. If both readings hold, neither is taken.
   */
  #readRefusable(): boolean {
    const window = this.#window
    if (window.left === 0) return false
    const refused = this.#owner.sawRefusal(this.#body.message, this.#place(false).acknowledged)
    const read = refused ? this.#head.read(window.bytes, window.at, window.to) : 'broken'
    if (read === 'more' && (this.#head.started || this.#mayBegin())) return false
    if (read !== 'whole') {
      this.state = 'body'
      return true
    }
    const ambiguous = this.#body.counted ? this.#mayBeBody(window.at + this.#body.remaining) : false
    if (ambiguous === undefined && window.left <= this.#maxHeadBytes) return false
    if (ambiguous !== false) this.#break('expect-ambiguous', this.#body.message)
    else {
      this.#resynced = false
      this.#endMessage('close')
      if (this.state === 'start') this.state = 'judge'
    }
    return true
  }

  /** May the bytes up to index `bodyEnd` be a body, as a request follows them? undefined: too few came to tell. */
  #mayBeBody(bodyEnd: number): boolean | undefined {
    const { bytes, base, to } = this.#window
    if (this.#owner.answeredBefore(base + bodyEnd)) return false
    return bodyEnd < to ? isRequestLine(bytes, endOfEmptyLines(bytes, bodyEnd, to), to) : undefined
  }

  /** The bytes that may have come instead of a body are the body. */
  takeAsBody(): void {
    while (this.state === 'refusable') {
      this.state = 'body'
      this.read()
    }
  }

  #endMessage(how: EndEvent['how']): void {
    const offset = this.#window.position
    this.#events.end(this.#body.message, offset, how)
    this.#continue(this.#owner.messageEnded(this.#body.message, offset))
  }

  /** Where the lengths are known a gap is passed by counting, and the next message begins right after this one. */
  passGap(length: number): void {
    const window = this.#window
    const passed = this.#body.skip(length, window.bytes, window.at, window.to, window.base)
    window.at = window.to
    if (passed && !this.#body.whole) return
    if (passed) window.base += length
    this.#endMessage('gap')
    if (passed) window.base -= length
    else if (this.state !== 'opaque') this.loseMessages(length)
  }

  cutBody(how: CloseReason): void {
    const window = this.#window
    const end = this.#body.finish(how, window.bytes, window.at, window.to, window.base)
    window.at = window.to
    this.#endMessage(end)
  }

  /** A head of which a part came. False where it waits for the other direction. */
  cutHead(how: 'gap' | 'close'): boolean {
    const window = this.#window
    if (this.#resynced) {
      this.#passRest()
      return true
    }
    const bytes = window.rest()
    this.#midMethod = this.#direction === 'request' && !bytes.includes(SPACE)
    const verdict = this.#owner.judgeCut(this.#head, this.#place(false), bytes, how)
    if (verdict.kind === 'wait') return false
    if (verdict.kind === 'undecodable') this.#break(verdict.reason, verdict.message)
    if (verdict.kind !== 'message') {
      this.#loseRest()
      return true
    }
    this.#events.head(verdict.message, window.position, bytes, verdict.interim)
    window.at = window.to
    this.#body.begin(verdict.message, 0)
    if (!verdict.interim) this.#endMessage(how)
    return true
  }

  /** Messages may be lost in a gap of `length` bytes that begins here. */
  loseMessages(length: number): void {
    if (this.state === 'undecodable') return
    this.#loseRest()
    // A gap inside a method may end inside it: UN|LOCK. What begins right after it is not tried.
    this.#seamsFrom = this.#midMethod ? this.#window.end + length + 1 : 0
    this.#midMethod = false
    this.state = this.#owner.messagesLost(this.#window.end, this.#window.end + length)
  }

  /** What was held until the client is recognised is lost, and messages in the gap after it. */
  loseHeld(length: number): void {
    this.#loseRest()
    this.#afterHold =
      this.#owner.messagesLost(this.#window.end, this.#window.end + length) === 'resync' ? 'resync' : 'start'
  }

  frameRest(): void {
    const window = this.#window
    if (window.left > 0) this.#events.framing(window.position, window.base + window.to)
    window.at = window.to
  }

  #loseRest(): void {
    this.#events.lost(this.#window.position, this.#window.base + this.#window.to)
    this.#window.at = this.#window.to
  }

  /** Accounts for bytes that are read no more. */
  #passRest(): void {
    const window = this.#window
    const start = window.position
    const end = window.base + window.to
    window.at = window.to
    if (this.state === 'opaque') this.#events.opaque(start, end, this.#opaque)
    else if (this.state === 'undecodable') this.#events.undecodable(start, end, this.#undecodable, false, undefined)
    else this.#events.lost(start, end)
  }

  #break(reason: string, message: number | undefined): void {
    const window = this.#window
    this.#events.undecodable(window.position, window.base + window.to, reason, true, message)
    window.at = window.to
    this.#undecodable = reason
    this.state = 'undecodable'
    this.#owner.streamOver('undecodable')
  }
}
