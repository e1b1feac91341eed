import { CR, LF, latin1Bytes } from '../../core/bytes.ts'

/** Why a reply's framing cannot be trusted. */
export const BAD_REPLY_REASONS = [
  'not-http1',
  'bad-status',
  'bad-header',
  'bad-length',
  'two-lengths',
  'length-and-chunked',
  'bad-transfer-encoding',
  'bad-chunk-size',
  'bad-chunk-end',
  'head-too-large',
] as const
export type BadReplyReason = (typeof BAD_REPLY_REASONS)[number]

const SP = 0x20
const HT = 0x09
const COLON = 0x3a
const COMMA = 0x2c
const SEMICOLON = 0x3b

const START_LINE = 0
const SKIP_LINE = 1
const LINE_START = 2
const NAME = 3
const LENGTH_VALUE = 4
const TOKENS_VALUE = 5
const VALUE_LF = 6
const HEAD_LF = 7
const DONE = 8
const BAD = 9

const CONTENT_LENGTH = latin1Bytes('content-length')
const TRANSFER_ENCODING = latin1Bytes('transfer-encoding')
const CONNECTION = latin1Bytes('connection')
const CHUNKED = latin1Bytes('chunked')
const CLOSE = latin1Bytes('close')
const KEEP_ALIVE = latin1Bytes('keep-alive')
const VERSION = latin1Bytes('HTTP/1.')

const MAY_BE_CHUNKED = 1
const MAY_BE_CLOSE = 2
const MAY_BE_KEEP_ALIVE = 4

/** The length of a token that is none we know, however it goes on. */
const UNKNOWN_TOKEN = 0xffff

/**
 * Reads from the head of a reply what its framing and its connection depend on, byte by byte and without keeping one: status,
 * length, transfer coding, connection (RFC 9112 4, 6, 9.3). One object serves all heads of a connection.
 *
 *     startLine -> skipLine -> lineStart -> name -> lengthValue | tokensValue | skipLine -> lineStart ... -> done
 */
export class ReplyHead {
  #state = DONE
  /** Position in the start line, the header's name or the token at hand; or digits read of a length. */
  #index = 0
  #name: Uint8Array = CONTENT_LENGTH
  /** Which known tokens the token at hand still may be. */
  #mayBe = 0
  #value = 0
  #valueEnded = false
  #minor = 0
  #status = 0
  #length = -1
  #chunked = false
  #encoded = false
  #close = false
  #keepAlive = false
  #badReason: BadReplyReason | undefined

  begin(): void {
    this.#state = START_LINE
    this.#index = 0
    this.#status = 0
    this.#minor = 0
    this.#length = -1
    this.#chunked = false
    this.#encoded = false
    this.#close = false
    this.#keepAlive = false
    this.#badReason = undefined
  }

  /** Takes `bytes[start..end)` and returns the offset after the last one it used: less than `end` only once the head is over. */
  push(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && this.#state < DONE) at = this.#step(bytes, at, end)
    return at
  }

  get done(): boolean {
    return this.#state === DONE
  }

  get badReason(): BadReplyReason | undefined {
    return this.#badReason
  }

  /** 0 until the start line was read. */
  get status(): number {
    return this.#status
  }

  /** The value of Content-Length, -1 without one. */
  get length(): number {
    return this.#length
  }

  /** The last transfer coding is `chunked`. */
  get chunked(): boolean {
    return this.#chunked
  }

  /** There is a Transfer-Encoding, whatever it says. */
  get encoded(): boolean {
    return this.#encoded
  }

  /** The target will keep the connection after this reply, going by version and Connection. */
  get keepsConnection(): boolean {
    return !this.#close && (this.#minor >= 1 || this.#keepAlive)
  }

  #step(bytes: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case START_LINE:
        return this.#startLine(bytes, at, end)
      case SKIP_LINE:
        return this.#skipLine(bytes, at, end)
      case LINE_START:
        return this.#lineStart(bytes[at] ?? 0, at)
      case NAME:
        return this.#headerName(bytes, at, end)
      case LENGTH_VALUE:
        return this.#lengthValue(bytes, at, end)
      case TOKENS_VALUE:
        return this.#tokensValue(bytes, at, end)
      default:
        if (bytes[at] !== LF) return this.#failAt('bad-header', at)
        if (this.#state === VALUE_LF) this.#state = LINE_START
        else this.#end()
        return at + 1
    }
  }

  #startLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && this.#state === START_LINE) {
      const byte = bytes[at] ?? 0
      const index = this.#index
      if (index < VERSION.length) {
        if (byte !== VERSION[index]) this.#fail('not-http1')
      } else if (index === 7) {
        if (isDigit(byte)) this.#minor = byte - 0x30
        else this.#fail('not-http1')
      } else if (index === 8) {
        if (byte !== SP) this.#fail('not-http1')
      } else if (index < 12) {
        if (isDigit(byte)) this.#status = this.#status * 10 + byte - 0x30
        else this.#fail('bad-status')
      } else if (this.#status < 100 || (byte !== SP && byte !== CR && byte !== LF)) this.#fail('bad-status')
      else this.#state = byte === LF ? LINE_START : SKIP_LINE
      this.#index = index + 1
      at++
    }
    return at
  }

  /** A line that does not matter, to its end. A NUL is never text. */
  #skipLine(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte > CR) continue
      if (byte === LF) {
        this.#state = LINE_START
        return at + 1
      }
      if (byte === 0) return this.#failAt('bad-header', at)
    }
    return end
  }

  #lineStart(byte: number, at: number): number {
    if (byte === CR) this.#state = HEAD_LF
    else if (byte === LF) this.#end()
    else if (byte === COLON || byte === 0) this.#fail('bad-header')
    else {
      const lower = lowerCase(byte)
      this.#index = 1
      this.#name = lower === 0x74 ? TRANSFER_ENCODING : CONTENT_LENGTH
      this.#state = lower === 0x63 || lower === 0x74 ? NAME : SKIP_LINE
    }
    return at + 1
  }

  #headerName(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = lowerCase(bytes[at] ?? 0)
      if (this.#index === this.#name.length) {
        if (byte === COLON) this.#beginValue()
        // "Content-Length : 5": some read it as a length, others do not.
        else if (byte === SP || byte === HT) this.#fail('bad-header')
        else this.#state = SKIP_LINE
        return byte === COLON ? at + 1 : at
      }
      // `content-length` and `connection` part at their fourth letter.
      if (this.#index === 3 && this.#name === CONTENT_LENGTH && byte === CONNECTION[3]) this.#name = CONNECTION
      if (byte !== this.#name[this.#index]) {
        this.#state = SKIP_LINE
        return at
      }
      this.#index++
    }
    return end
  }

  #beginValue(): void {
    if (this.#name === CONTENT_LENGTH) {
      this.#value = 0
      this.#index = 0
      this.#valueEnded = false
      this.#state = LENGTH_VALUE
    } else {
      if (this.#name === TRANSFER_ENCODING) this.#encoded = true
      this.#beginToken()
      this.#state = TOKENS_VALUE
    }
  }

  #lengthValue(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (isDigit(byte) && !this.#valueEnded) {
        this.#value = this.#value * 10 + byte - 0x30
        this.#index++
        if (this.#value > Number.MAX_SAFE_INTEGER) return this.#failAt('bad-length', at)
      } else if (byte === SP || byte === HT) {
        if (this.#index > 0) this.#valueEnded = true
      } else if (byte === CR || byte === LF) {
        if (this.#index === 0) return this.#failAt('bad-length', at)
        // The same length twice is no doubt about it; two lengths are.
        if (this.#length >= 0 && this.#length !== this.#value) return this.#failAt('two-lengths', at)
        this.#length = this.#value
        this.#state = byte === LF ? LINE_START : VALUE_LF
        return at + 1
      } else return this.#failAt('bad-length', at)
    }
    return end
  }

  /** The comma-separated tokens of Transfer-Encoding and Connection, compared as they come. */
  #tokensValue(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte === COMMA || byte === CR || byte === LF || byte === SEMICOLON) {
        if (!this.#endToken()) return this.#failAt('bad-transfer-encoding', at)
        if (byte === LF || byte === CR) {
          this.#state = byte === LF ? LINE_START : VALUE_LF
          return at + 1
        }
        // A parameter makes it another coding than the plain one.
        this.#beginToken()
        if (byte === SEMICOLON) this.#index = UNKNOWN_TOKEN
      } else if (byte === SP || byte === HT) {
        if (this.#index > 0) this.#valueEnded = true
      } else if (byte === 0) return this.#failAt('bad-header', at)
      else this.#tokenByte(lowerCase(byte))
    }
    return end
  }

  #beginToken(): void {
    this.#index = 0
    this.#mayBe = MAY_BE_CHUNKED | MAY_BE_CLOSE | MAY_BE_KEEP_ALIVE
    this.#valueEnded = false
  }

  #tokenByte(byte: number): void {
    const index = this.#index
    if (this.#valueEnded || index >= UNKNOWN_TOKEN) this.#mayBe = 0
    else {
      if (byte !== CHUNKED[index]) this.#mayBe &= ~MAY_BE_CHUNKED
      if (byte !== CLOSE[index]) this.#mayBe &= ~MAY_BE_CLOSE
      if (byte !== KEEP_ALIVE[index]) this.#mayBe &= ~MAY_BE_KEEP_ALIVE
    }
    this.#index = Math.min(index + 1, UNKNOWN_TOKEN)
  }

  /** False where a transfer coding follows `chunked`, which must be the last and stand once (RFC 9112 6.1). */
  #endToken(): boolean {
    const index = this.#index
    if (index === 0) return true
    if (this.#name === CONNECTION) {
      if ((this.#mayBe & MAY_BE_CLOSE) !== 0 && index === CLOSE.length) this.#close = true
      if ((this.#mayBe & MAY_BE_KEEP_ALIVE) !== 0 && index === KEEP_ALIVE.length) this.#keepAlive = true
      return true
    }
    if (this.#chunked) return false
    this.#chunked = (this.#mayBe & MAY_BE_CHUNKED) !== 0 && index === CHUNKED.length
    return true
  }

  #end(): void {
    if (this.#encoded && this.#length >= 0) this.#fail('length-and-chunked')
    else this.#state = DONE
  }

  #fail(reason: BadReplyReason): void {
    this.#state = BAD
    this.#badReason ??= reason
  }

  #failAt(reason: BadReplyReason, at: number): number {
    this.#fail(reason)
    return at + 1
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}
