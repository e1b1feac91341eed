import { asBuffer, concatBytes, latin1, NO_BYTES } from '../../core/bytes.ts'

/** What a gor record holds: a request, the original response, or the response to a replay. */
export type GorKind = 'request' | 'response' | 'replayed'

/** One record of a `.gor` file or stream (GoReplay `protocol.go`): a meta line, the message's bytes, a separator. */
export interface GorRecord {
  readonly kind: GorKind
  /** Equal for a request and its response. 24 hexadecimal digits since 1.0, 40 before; opaque. */
  readonly id: string
  /** Wall-clock nanoseconds of the message's first packet. */
  readonly unixNs: bigint
  readonly payload: Uint8Array
  /** Offset of the record in the stream. */
  readonly offset: number
}

/** A line feed, three monkeys, a line feed: what ends each record. */
export const GOR_SEPARATOR: Uint8Array = Buffer.from('\n🐵🙈🙉\n')

/** `1 <id> <nanoseconds>`, and since 0.15 a fourth field. */
const META_LINE = /^([123]) (\S+) (\d{1,19})(?: -?\d+)?$/
const MAX_META_BYTES = 256

/** A record that does not end within this is given up: GoReplay itself holds at most 5 MB of one. */
export const MAX_GOR_RECORD_BYTES: number = 16 * 1024 * 1024

/**
 * Reads records from a stream of bytes, incrementally. A payload may hold the separator itself (GoReplay's own reader splits there and
 * loses the rest): a separator ends a record only where the stream ends or another meta line follows.
 */
export class GorRecordParser {
  #pieces: Uint8Array[] = []
  #offset = 0
  #malformed = 0
  #searched = 0

  /** Bytes passed over because they were no record. */
  get malformed(): number {
    return this.#malformed
  }

  /** The records that are whole now. Payloads are views of the pushed bytes or of a copy: the caller owns them. */
  push(bytes: Uint8Array): readonly GorRecord[] {
    this.#pieces.push(bytes)
    // Joining pays only where a separator may have come: at its last byte.
    if (!bytes.includes(0x0a)) return []
    return this.#take('open')
  }

  /** The last record: it may lack its separator. */
  end(): readonly GorRecord[] {
    return this.#take('ended')
  }

  /** The last records of a stream that was broken off: those with their separator. What is left of another is malformed. */
  cut(): readonly GorRecord[] {
    return this.#take('cut')
  }

  #take(stream: 'open' | 'ended' | 'cut'): readonly GorRecord[] {
    const bytes = asBuffer(this.#pieces.length === 1 ? (this.#pieces[0] ?? NO_BYTES) : concatBytes(this.#pieces))
    const records: GorRecord[] = []
    let start = 0
    let from = this.#searched
    for (;;) {
      const found = bytes.indexOf(GOR_SEPARATOR, from)
      if (found < 0) break
      const next = found + GOR_SEPARATOR.length
      const after = this.#startsRecord(bytes, next, stream)
      if (after === 'unknown' && stream !== 'cut') break
      // The line feed that ends a false separator may begin a true one.
      from = after === 'no' ? next - 1 : next
      if (after === 'no') continue
      this.#read(bytes.subarray(start, found), this.#offset + start, records)
      start = next
    }
    if (stream === 'ended' && start < bytes.length) this.#read(bytes.subarray(start), this.#offset + start, records)
    if (stream === 'cut' || bytes.length - start > MAX_GOR_RECORD_BYTES) {
      this.#malformed += bytes.length - start
      start = bytes.length
    }
    this.#keep(stream !== 'open' ? NO_BYTES : bytes.subarray(start), start, from)
    return records
  }

  #keep(rest: Uint8Array, consumed: number, from: number): void {
    this.#offset += consumed
    this.#pieces = rest.length === 0 ? [] : [rest]
    this.#searched = Math.max(0, Math.min(from - consumed, rest.length - GOR_SEPARATOR.length))
  }

  #startsRecord(bytes: Buffer, at: number, stream: 'open' | 'ended' | 'cut'): 'yes' | 'no' | 'unknown' {
    if (at >= bytes.length) return stream === 'open' ? 'unknown' : 'yes'
    const start = bytes[at] === 0x0a ? at + 1 : at
    const lineEnd = bytes.indexOf(0x0a, start)
    if (lineEnd < 0 && stream !== 'ended' && bytes.length - start < MAX_META_BYTES) return 'unknown'
    const end = lineEnd < 0 ? bytes.length : lineEnd
    return end - start <= MAX_META_BYTES && META_LINE.test(latin1(bytes, start, end)) ? 'yes' : 'no'
  }

  #read(bytes: Buffer, offset: number, records: GorRecord[]): void {
    // Between two instances of GoReplay a record keeps one line feed more than it should.
    const from = bytes[0] === 0x0a ? 1 : 0
    const lineEnd = bytes.indexOf(0x0a, from)
    const meta = META_LINE.exec(latin1(bytes, from, Math.min(lineEnd, from + MAX_META_BYTES)))
    if (lineEnd < 0 || meta === null) {
      if (bytes.length > from) this.#malformed += bytes.length
      return
    }
    const [, kind, id = '', time = '0'] = meta
    records.push({
      kind: kind === '1' ? 'request' : kind === '2' ? 'response' : 'replayed',
      id,
      unixNs: BigInt(time),
      payload: bytes.subarray(lineEnd + 1),
      offset,
    })
  }
}
