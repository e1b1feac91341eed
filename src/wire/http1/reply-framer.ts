import { CR, LF } from '../../core/bytes.ts'
import { type BadReplyReason, ReplyHead } from './reply-head.ts'

/** Bounds of what a reply may be. */
export interface ReplyLimits {
  /** Heads (1xx ones included) and trailers of one reply, together. Default 256 KiB, as when recording. */
  readonly maxHeadBytes: number
}

export const DEFAULT_REPLY_LIMITS: ReplyLimits = { maxHeadBytes: 256 * 1024 }

/** A chunk's size line is hex digits and extensions, which nobody uses: a longer one is an attack. */
const MAX_CHUNK_LINE_BYTES = 16 * 1024

const HT = 0x09
const SP = 0x20
const SEMICOLON = 0x3b

const HEAD = 0
const FIXED_BODY = 1
const CHUNK_SIZE = 2
const CHUNK_EXTENSION = 3
const CHUNK_LINE_LF = 4
const CHUNK_DATA = 5
const CHUNK_CR = 6
const CHUNK_LF = 7
const TRAILER_START = 8
const TRAILER_LINE = 9
const TRAILER_LF = 10
const UNTIL_CLOSE = 11
const DONE = 12
const BAD = 13

/**
 * Finds where one HTTP/1 reply ends, and its status, without keeping or copying a byte (RFC 9112 6 and 7). A sender needs no
 * more: bodies are skipped. The whole state is a handful of numbers, so that a reply that trickles in, or never ends, costs
 * no memory, and a connection's framer serves all its replies without allocating.
 *
 *     head -> (1xx) head | (no body) done | (length) fixedBody -> done | (chunked) chunk ... trailers -> done | untilClose
 *
 * Chunk framing is read strictly: a bare LF or a stray blank in it is a reason to distrust it.
 */
export class ReplyFramer {
  readonly #maxHeadBytes: number
  readonly #head = new ReplyHead()
  #state = DONE
  #headRequest = false
  /** Of heads and trailers so far. */
  #headBytes = 0
  /** Bytes of the chunk's size line so far, and its value. */
  #lineBytes = 0
  #size = 0
  /** Of the body or the chunk. */
  #remaining = 0
  #badReason: BadReplyReason | undefined

  constructor(limits: ReplyLimits = DEFAULT_REPLY_LIMITS) {
    this.#maxHeadBytes = limits.maxHeadBytes
  }

  /** Expects the reply to a request that was just sent. */
  begin(headRequest: boolean): void {
    this.#headRequest = headRequest
    this.#headBytes = 0
    this.#badReason = undefined
    this.#head.begin()
    this.#state = HEAD
  }

  /**
   * Takes `bytes[start..end)`, borrowed for the call, and returns the offset after the last byte it used: less than `end`
   * only once the reply is `done` or `bad`.
   */
  push(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && this.#state < DONE) at = this.#step(bytes, at, end)
    return at
  }

  /** The target will send no more: true where the reply is whole, by that or already. */
  finish(): boolean {
    if (this.#state === UNTIL_CLOSE) this.#state = DONE
    return this.#state === DONE
  }

  /** The reply is whole. Also true before the first `begin`. */
  get done(): boolean {
    return this.#state === DONE
  }

  get badReason(): BadReplyReason | undefined {
    return this.#badReason
  }

  /** The status of the reply, of an interim one while that is read; 0 until the start line was read. */
  get status(): number {
    return this.#head.status
  }

  /** May the connection carry another request after this reply? */
  get reusable(): boolean {
    const { status, length, chunked, keepsConnection } = this.#head
    if (this.#state !== DONE || status === 101 || !keepsConnection) return false
    return chunked || length >= 0 || this.#withoutBody(status)
  }

  #withoutBody(status: number): boolean {
    return this.#headRequest || status < 200 || status === 204 || status === 304
  }

  #step(bytes: Uint8Array, at: number, end: number): number {
    const state = this.#state
    if (state === FIXED_BODY || state === CHUNK_DATA) {
      const taken = Math.min(this.#remaining, end - at)
      this.#remaining -= taken
      if (this.#remaining === 0) this.#state = state === FIXED_BODY ? DONE : CHUNK_CR
      return at + taken
    }
    if (state === UNTIL_CLOSE) return end
    if (state !== HEAD && state < TRAILER_START) return this.#chunkFraming(bytes[at] ?? 0, at)
    const next = state === HEAD ? this.#pushHead(bytes, at, end) : this.#trailer(bytes, at, end)
    this.#headBytes += next - at
    if (this.#headBytes > this.#maxHeadBytes) this.#fail('head-too-large')
    return next
  }

  #pushHead(bytes: Uint8Array, at: number, end: number): number {
    const head = this.#head
    const next = head.push(bytes, at, end)
    if (head.badReason !== undefined) this.#fail(head.badReason)
    else if (head.done) this.#headEnd()
    return next
  }

  #headEnd(): void {
    const { status, length, chunked, encoded } = this.#head
    if (status < 200 && status !== 101) this.#head.begin()
    else if (this.#withoutBody(status)) this.#state = DONE
    else if (chunked) this.#beginChunk()
    else if (encoded || length < 0) this.#state = UNTIL_CLOSE
    else {
      this.#remaining = length
      this.#state = length === 0 ? DONE : FIXED_BODY
    }
  }

  #beginChunk(): void {
    this.#size = 0
    this.#lineBytes = 0
    this.#state = CHUNK_SIZE
  }

  #chunkFraming(byte: number, at: number): number {
    switch (this.#state) {
      case CHUNK_SIZE:
        this.#chunkSize(byte)
        break
      case CHUNK_EXTENSION:
        this.#lineBytes++
        if (byte === CR) this.#state = CHUNK_LINE_LF
        else if (byte === LF || byte === 0 || this.#lineBytes > MAX_CHUNK_LINE_BYTES) this.#fail('bad-chunk-size')
        break
      case CHUNK_LINE_LF:
        if (byte !== LF) this.#fail('bad-chunk-size')
        else this.#state = this.#size === 0 ? TRAILER_START : CHUNK_DATA
        break
      case CHUNK_CR:
        if (byte === CR) this.#state = CHUNK_LF
        else this.#fail('bad-chunk-end')
        break
      default:
        if (byte === LF) this.#beginChunk()
        else this.#fail('bad-chunk-end')
    }
    return at + 1
  }

  #chunkSize(byte: number): void {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit
      this.#lineBytes++
      if (this.#size > Number.MAX_SAFE_INTEGER || this.#lineBytes > MAX_CHUNK_LINE_BYTES) this.#fail('bad-chunk-size')
      return
    }
    const ends = byte === CR || byte === SEMICOLON || byte === SP || byte === HT
    if (this.#lineBytes === 0 || !ends) {
      this.#fail('bad-chunk-size')
      return
    }
    this.#remaining = this.#size
    this.#state = byte === CR ? CHUNK_LINE_LF : CHUNK_EXTENSION
  }

  #trailer(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte === 0) this.#fail('bad-header')
      else if (this.#state === TRAILER_LF) {
        if (byte === LF) this.#state = DONE
        else this.#fail('bad-header')
      } else if (this.#state === TRAILER_LINE) {
        if (byte === LF) this.#state = TRAILER_START
      } else if (byte === CR) this.#state = TRAILER_LF
      else this.#state = byte === LF ? DONE : TRAILER_LINE
      if (this.#state >= DONE) return at + 1
    }
    return end
  }

  #fail(reason: BadReplyReason): void {
    this.#state = BAD
    this.#badReason ??= reason
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
