import { equalBytes } from '../core/bytes.ts'
import { readUint64 } from './byte-builder.ts'
import { MAGIC, OPCODE, RECORD_HEAD_BYTES } from './mcap.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import { RecordOrder, dataEndCrc, isZero } from './record-order.ts'
import type { Damage } from './record-order.ts'

/** What is read at once to see a record's head: enough for a chunk's times. */
const PROBE_BYTES = 64

/** Bytes read at once to see whether a tail is nothing but zeros. */
const STRIDE_BYTES = 1024 * 1024

/** A record at the top level of a file, as much of it as tells what it is. */
export interface TopRecord {
  readonly opcode: number
  readonly offset: number
  /** Of the whole record, its head included. */
  readonly length: number
  /** Its first bytes, head included: all that there are, up to 64. */
  readonly start: Uint8Array
}

/**
 * The whole records of a file, in order. Where they end before the file does, `damage` tells whether that can be a cut: a crash ends a
 * file at any byte, or leaves zeros from there on, and does nothing else.
 */
export class RecordWalk {
  readonly #bytes: ReadableBytes
  readonly #size: number
  readonly #order = new RecordOrder()
  #offset = MAGIC.length
  #ended = false
  #damage: Damage | undefined
  #dataEnd: { readonly offset: number; readonly crc: number | undefined } | undefined

  constructor(bytes: ReadableBytes, size: number) {
    this.#bytes = bytes
    this.#size = size
  }

  /** The end of the last whole record. */
  get offset(): number {
    return this.#offset
  }

  /** Known when the records have ended. */
  get damage(): Damage | undefined {
    return this.#damage
  }

  /** Where the record DataEnd begins, and the CRC it bears of all before it. */
  get dataEnd(): { readonly offset: number; readonly crc: number | undefined } | undefined {
    return this.#dataEnd
  }

  /** The writer has ended the file: its footer was seen, with more behind it than a cut leaves. */
  get isFooted(): boolean {
    return this.#order.isFooted
  }

  async next(): Promise<TopRecord | undefined> {
    if (this.#ended) return undefined
    const offset = this.#offset
    const left = this.#size - offset
    if (this.isFooted) return this.#end(await this.#wrongTail(left))
    if (left < RECORD_HEAD_BYTES) return this.#end(await this.#pastEnd(left))
    const start = await this.#bytes.read(offset, Math.min(PROBE_BYTES, left))
    const opcode = start[0] ?? 0
    if (opcode === 0) return this.#end((await this.#isZeroFrom(offset)) ? undefined : 'none')
    const length = RECORD_HEAD_BYTES + readUint64(start, 1)
    const wrong = this.#order.wrongHead(opcode, length)
    if (wrong !== undefined) return this.#end(wrong)
    if (length > left) return this.#end(await this.#pastEnd(left))
    const misfit = this.#order.take(opcode, length, start)
    if (misfit !== undefined) return this.#end(misfit)
    if (opcode === OPCODE.dataEnd) this.#dataEnd = { offset, crc: dataEndCrc(start) }
    this.#offset += length
    return { opcode, offset, length, start }
  }

  #end(what: string | undefined): undefined {
    this.#ended = true
    if (what === undefined) return
    const isFollowed = this.isFooted && this.#size - this.#offset > MAGIC.length
    this.#damage = { offset: this.#offset, what, hidesChunks: !this.#order.isDataEnded || isFollowed }
  }

  /** A record that the file has no room for is a cut, but not in a file that has its end. */
  async #pastEnd(left: number): Promise<string | undefined> {
    const isClosed = await endsWithMagic(this.#bytes, this.#size)
    return isClosed ? `one that is longer than the ${left} bytes up to the end of the file` : undefined
  }

  async #wrongTail(left: number): Promise<string | undefined> {
    if (left > MAGIC.length) {
      return (await this.#isZeroFrom(this.#offset)) ? undefined : `${left} bytes behind the footer`
    }
    const tail = await this.#bytes.read(this.#offset, left)
    const isCutOrWhole = equalBytes(tail, MAGIC.subarray(0, left)) || isZero(tail)
    return isCutOrWhole ? undefined : 'other bytes than the magic at the end of the file'
  }

  async #isZeroFrom(from: number): Promise<boolean> {
    for (let offset = from; offset < this.#size; offset += STRIDE_BYTES) {
      if (!isZero(await this.#bytes.read(offset, Math.min(STRIDE_BYTES, this.#size - offset)))) return false
    }
    return true
  }
}

/** The file ends as only a writer that was not cut leaves it. */
export async function endsWithMagic(bytes: ReadableBytes, size: number): Promise<boolean> {
  const offset = size - MAGIC.length
  return offset >= MAGIC.length && equalBytes(await bytes.read(offset, MAGIC.length), MAGIC)
}
