import { CR, LF } from '../../core/bytes.ts'
import { SEMICOLON, endOfValue, isWhiteSpace } from './characters.ts'

/**
 * What the next byte of a chunked body belongs to (RFC 9112 7.1):
 *
 *     size *WSP [ ; extension ] CRLF   data CRLF   …   0 CRLF   [trailers] CRLF
 *     size  padding  extension  lineEnd  data dataEnd/dataLineEnd        trailers
 */
type ChunkPhase =
  | 'size'
  | 'padding'
  | 'extension'
  | 'extensionEnd'
  | 'lineEnd'
  | 'data'
  | 'dataEnd'
  | 'dataLineEnd'
  | 'trailers'
  | 'broken'

/**
 * Reads the framing of a chunked body byte by byte and holds none of it. Bare LF ends the size line and the data, as in nginx;
 * after an extension it does not: there, parsers differ on whether the line ends (RFC 9112 2.2, 7.1.1).
 */
export class ChunkedReader {
  phase: ChunkPhase = 'size'
  /** Bytes of the chunk's data that are still to come; in phase `data`. */
  remaining = 0
  fault = ''
  #digits = 0

  begin(): void {
    this.phase = 'size'
    this.remaining = 0
    this.#digits = 0
  }

  /** `length` bytes of data were read or are known to be lost: never more than `remaining`. */
  takeData(length: number): void {
    this.remaining -= length
    if (this.remaining === 0) this.phase = 'dataEnd'
  }

  /** Reads framing up to data, trailers or the end of `bytes`; returns where it stopped: at the offending byte if `broken`. */
  readFraming(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    while (at < to && this.phase !== 'data' && this.phase !== 'trailers') {
      const byte = bytes[at] ?? 0
      if (this.phase === 'extension') {
        at = endOfValue(bytes, at, to)
        if (at === to) break
        this.phase = bytes[at] === CR ? 'extensionEnd' : this.#broken('bad-chunk-extension')
      } else if (this.phase === 'size') {
        this.phase = this.#readSize(byte)
      } else {
        this.phase = this.#readRest(byte)
      }
      if (this.phase === 'broken') return at
      at++
    }
    return at
  }

  #readSize(byte: number): ChunkPhase {
    const digit = hexDigit(byte)
    if (digit < 0) return this.#digits === 0 ? this.#broken('bad-chunk-size') : this.#readRest(byte)
    this.#digits++
    this.remaining = this.remaining * 16 + digit
    return this.remaining > Number.MAX_SAFE_INTEGER ? this.#broken('bad-chunk-size') : 'size'
  }

  #readRest(byte: number): ChunkPhase {
    const { phase } = this
    if (phase === 'size' || phase === 'padding') {
      if (byte === LF) return this.#endSizeLine()
      if (byte === CR) return 'lineEnd'
      if (byte === SEMICOLON) return 'extension'
      return isWhiteSpace(byte) ? 'padding' : this.#broken('bad-chunk-size')
    }
    if (phase === 'dataEnd' && byte === CR) return 'dataLineEnd'
    if (phase === 'dataEnd' || phase === 'dataLineEnd') {
      return byte === LF ? this.#beginSize() : this.#broken('bad-chunk-end')
    }
    if (byte === LF) return this.#endSizeLine()
    return this.#broken(phase === 'extensionEnd' ? 'bad-chunk-extension' : 'bad-chunk-size')
  }

  #beginSize(): ChunkPhase {
    this.begin()
    return 'size'
  }

  #endSizeLine(): ChunkPhase {
    return this.remaining === 0 ? 'trailers' : 'data'
  }

  #broken(fault: string): 'broken' {
    this.fault = fault
    return 'broken'
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
