import { CR, LF } from '../../core/bytes.ts'
import type { Direction } from '../../core/segment.ts'
import type { DecodeLimits } from '../protocol.ts'
import { COLON, DELETE, SPACE, TAB, endOfPlain, endOfToken, equalsLowerCase, isWhiteSpace } from './characters.ts'
import { readContentLength, readTransferEncoding } from './framing.ts'
import type { FramingFields } from './framing.ts'
import { readRequestLine, readStatusLine } from './start-line.ts'
import type { StartLine } from './start-line.ts'

/** What a head says that its connection's framing depends on. */
export interface HeadFacts extends Readonly<StartLine>, Readonly<FramingFields> {
  /** It has an Upgrade field (RFC 9110 7.8). */
  readonly upgrade: boolean
  /** It has an Expect field (RFC 9110 10.1.1): its body may wait for a 100, and may never come. */
  readonly expect: boolean
}

/** The last field that was read, as far as a folded line after it matters. */
type FieldKind = 'framing' | 'other' | 'none'

/**
 * Reads one head (or trailer section) line by line, as its bytes come: each byte is looked at once, wherever they are split.
 * Lines end with CRLF or a bare LF, as nginx takes them (RFC 9112 2.2). A line is judged when its LF is there, so a fault is
 * found at the same byte for any split. Reused from message to message: `begin`, then `read` until it is not `more`.
 */
export class HeadReader implements HeadFacts {
  minorVersion = 1
  method: StartLine['method'] = 'other'
  status = 0
  contentLength = -1
  lengthFault: string | undefined
  transferEncoding: FramingFields['transferEncoding'] = 'none'
  upgrade = false
  expect = false
  /** Bytes of the whole head, with its empty line. Valid once `read` said `whole`. */
  length = 0
  /** Bytes of the empty line: 2, or 1 for a bare LF. */
  emptyLineLength = 0
  /** Why it is `broken`. */
  fault = ''
  /** Bytes of a start line that is none, without its line end; -1 where there is none. */
  startLineLength = -1
  /** The start line was read and is sound. */
  started = false

  readonly #limits: DecodeLimits
  #part: Direction | 'trailers' = 'request'
  #lineFrom = 0
  #searched = 0
  #fields = 0
  /** Control bytes in the line that is being read, TAB aside: only the CR at its end may be one. */
  #controls = 0
  #last: FieldKind = 'none'
  #whole = false

  constructor(limits: DecodeLimits) {
    this.#limits = limits
  }

  begin(part: Direction | 'trailers'): void {
    this.#part = part
    this.status = 0
    this.contentLength = -1
    this.lengthFault = undefined
    this.transferEncoding = 'none'
    this.upgrade = false
    this.expect = false
    this.fault = ''
    this.startLineLength = -1
    this.started = part === 'trailers'
    this.#lineFrom = 0
    this.#searched = 0
    this.#fields = 0
    this.#controls = 0
    this.#last = 'none'
    this.#whole = false
  }

  /** Goes on with the head that begins at `from`; `bytes` has all of it that was read before, and perhaps more. */
  read(bytes: Uint8Array, from: number, to: number): 'more' | 'whole' | 'broken' {
    if (this.#whole) return 'whole'
    if (this.fault !== '') return 'broken'
    let line = from + this.#lineFrom
    let at = from + this.#searched
    const bound = from + this.#limits.maxHeadBytes
    for (;;) {
      let controls = this.#controls
      while (at < to) {
        at = endOfPlain(bytes, at, to)
        const byte = bytes[at] ?? 0
        if (at === to || byte === LF) break
        if ((byte < SPACE && byte !== TAB) || byte === DELETE) controls++
        at++
      }
      this.#controls = controls
      if (at < to ? at >= bound : at > bound) return this.#broken('head-too-large')
      if (at === to) break
      const stop = at > line && bytes[at - 1] === CR ? at - 1 : at
      at++
      this.#controls = 0
      if (controls > at - 1 - stop) return this.#lineFault(line, stop, 'control-byte')
      if (stop === line && this.started) {
        this.length = at - from
        this.emptyLineLength = at - line
        this.#whole = true
        return 'whole'
      }
      const fault = this.started ? this.#readField(bytes, line, stop) : this.#readStart(bytes, line, stop)
      if (fault !== undefined) return this.#lineFault(line, stop, fault)
      line = at
    }
    this.#lineFrom = line - from
    this.#searched = at - from
    return 'more'
  }

  #lineFault(line: number, stop: number, fault: string): 'broken' {
    if (!this.started) this.startLineLength = stop - line
    return this.#broken(fault)
  }

  #broken(fault: string): 'broken' {
    this.fault = fault
    return 'broken'
  }

  #readStart(bytes: Uint8Array, line: number, stop: number): string | undefined {
    const fault =
      this.#part === 'request' ? readRequestLine(bytes, line, stop, this) : readStatusLine(bytes, line, stop, this)
    this.started = fault === undefined
    return fault
  }

  #readField(bytes: Uint8Array, line: number, stop: number): string | undefined {
    if (++this.#fields > this.#limits.maxHeaderLines) return 'too-many-header-lines'
    if (isWhiteSpace(bytes[line])) return this.#readFolded(bytes, line, stop)
    const nameEnd = endOfToken(bytes, line, stop)
    if (nameEnd === stop || bytes[nameEnd] !== COLON) return nameFault(bytes, nameEnd, stop)
    if (nameEnd === line) return 'bad-header-line'
    this.#last = 'other'
    switch (nameEnd - line) {
      case 6:
        if (equalsLowerCase(bytes, line, nameEnd, 'expect')) this.expect = true
        break
      case 7:
        if (equalsLowerCase(bytes, line, nameEnd, 'upgrade')) this.upgrade = true
        break
      case 14:
        if (equalsLowerCase(bytes, line, nameEnd, 'content-length')) {
          this.#last = 'framing'
          readContentLength(this, bytes, nameEnd + 1, stop)
        }
        break
      case 17:
        if (equalsLowerCase(bytes, line, nameEnd, 'transfer-encoding')) {
          this.#last = 'framing'
          readTransferEncoding(this, bytes, nameEnd + 1, stop)
        }
        break
    }
    return undefined
  }

  /** A line that goes on with the value of the one before (obs-fold, RFC 9112 5.2). Never one that framing depends on. */
  #readFolded(bytes: Uint8Array, line: number, stop: number): string | undefined {
    if (this.#last === 'none') return 'leading-white-space'
    if (this.#last === 'framing') return 'folded-framing'
    let at = line
    while (at < stop && isWhiteSpace(bytes[at])) at++
    return at === stop ? 'bad-header-line' : undefined
  }
}

/** White space between name and colon is refused by RFC 9112 5.1: it hides a field from one parser and not from another. */
function nameFault(bytes: Uint8Array, nameEnd: number, stop: number): string {
  let at = nameEnd
  while (at < stop && isWhiteSpace(bytes[at])) at++
  if (at > nameEnd && at < stop && bytes[at] === COLON) return 'white-space-before-colon'
  return 'bad-header-line'
}
