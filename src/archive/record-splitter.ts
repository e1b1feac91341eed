import { crc32 } from 'node:zlib'
import { concatBytes, equalBytes } from '../core/bytes.ts'
import { readUint64 } from './byte-builder.ts'
import { MAGIC, OPCODE, RECORD_HEAD_BYTES } from './mcap.ts'
import { RecordOrder, dataEndCrc, isZero } from './record-order.ts'
import type { Damage } from './record-order.ts'

/** A whole record of a stream. */
export interface StreamRecord {
  readonly opcode: number
  readonly offset: number
  /** The whole record, its head included. The caller owns it. */
  readonly bytes: Uint8Array
}

/**
 * Finds the records in an MCAP stream that comes in pieces of any size. It holds at most one record and one piece. Where the records
 * stop before the stream does, `damage` tells whether that can be a cut, by the rules of `RecordWalk`.
 */
export class RecordSplitter {
  readonly #order = new RecordOrder()
  #pieces: Uint8Array[] = []
  #held = 0
  #offset = 0
  #crc = 0
  /** The last bytes that came, as many as the magic has. */
  #tail: Uint8Array = new Uint8Array(0)
  #state: 'magic' | 'records' | 'footer' | 'closed' | 'zeros' | 'ended' = 'magic'
  #damage: Damage | undefined

  /** Bytes taken so far as whole records. */
  get offset(): number {
    return this.#offset
  }

  /** The stream's last record and its trailing magic were seen, and nothing behind them. */
  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** Where the stream is no recording's; after it there is nothing to come. */
  get damage(): Damage | undefined {
    return this.#damage
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0 || this.#state === 'ended') return
    this.#pieces.push(piece)
    this.#held += piece.length
    this.#tail = concatBytes([this.#tail, piece.subarray(-MAGIC.length)]).slice(-MAGIC.length)
  }

  /** What has come and was not taken yet, up to `most` bytes. */
  peek(most: number): Uint8Array {
    const first = this.#pieces[0]
    if (first === undefined || (first.length < most && this.#pieces.length > 1)) {
      this.#pieces = [Buffer.concat(this.#pieces)]
    }
    return (this.#pieces[0] ?? MAGIC).subarray(0, Math.min(most, this.#held))
  }

  /** The next whole record, or undefined until more has come; for ever, where what came is no record. */
  next(): StreamRecord | undefined {
    if (this.#state === 'magic' && this.#held >= MAGIC.length) this.#begin()
    if (this.#state === 'footer' && this.#held >= MAGIC.length) this.#close()
    if (this.#state === 'closed' && this.#held > 0) this.#break(`${this.#held} bytes and more behind its end`)
    if (this.#state === 'zeros') this.#passZeros()
    if (this.#state !== 'records' || this.#held < RECORD_HEAD_BYTES) return undefined
    const head = this.peek(RECORD_HEAD_BYTES)
    const opcode = head[0] ?? 0
    const length = RECORD_HEAD_BYTES + readUint64(head, 1)
    const wrong = opcode === 0 ? undefined : this.#order.wrongHead(opcode, length)
    if (wrong !== undefined) this.#break(wrong)
    else if (opcode === 0) {
      this.#state = 'zeros'
      this.#passZeros()
    }
    return this.#state === 'records' && this.#held >= length ? this.#record(opcode, length) : undefined
  }

  /** No more will come: what is left is the beginning of a record that was cut, or damage. */
  end(): void {
    const rest = this.peek(MAGIC.length)
    if (this.#state === 'records' && equalBytes(this.#tail, MAGIC)) {
      this.#break(`one that is longer than the ${this.#held} bytes up to the end of the file`)
    } else if (this.#state === 'footer' && this.#held > 0) {
      if (!isZero(rest) && !equalBytes(rest, MAGIC.subarray(0, rest.length))) this.#break(OTHER_MAGIC)
    }
  }

  #record(opcode: number, length: number): StreamRecord | undefined {
    const offset = this.#offset
    const expectedCrc = opcode === OPCODE.dataEnd ? dataEndCrc(this.peek(length)) : undefined
    const misfit =
      expectedCrc !== undefined && expectedCrc !== this.#crc
        ? 'a CRC of all data that is not theirs'
        : this.#order.take(opcode, length, this.peek(length))
    if (misfit !== undefined) {
      this.#break(misfit)
      return undefined
    }
    const bytes = this.#take(length)
    if (!this.#order.isDataEnded) this.#crc = crc32(bytes, this.#crc)
    if (this.#order.isFooted) this.#state = 'footer'
    return { opcode, offset, bytes }
  }

  #begin(): void {
    const magic = this.#take(MAGIC.length)
    this.#crc = crc32(magic)
    this.#state = 'records'
    if (!equalBytes(magic, MAGIC)) this.#break('other bytes than the magic')
  }

  #close(): void {
    const magic = this.peek(MAGIC.length)
    if (equalBytes(magic, MAGIC)) {
      this.#take(MAGIC.length)
      this.#state = 'closed'
    } else if (isZero(magic)) this.#state = 'zeros'
    else this.#break(OTHER_MAGIC)
  }

  /** A crash of a machine leaves zeros to the end; anything else behind them is damage. */
  #passZeros(): void {
    if (!this.#pieces.every(isZero)) this.#break('none')
    this.#drop()
  }

  #break(what: string): void {
    const hidesChunks = !this.#order.isDataEnded || this.#state === 'closed'
    this.#damage = { offset: this.#offset, what, hidesChunks }
    this.#state = 'ended'
    this.#drop()
  }

  #drop(): void {
    this.#pieces = []
    this.#held = 0
  }

  #take(length: number): Uint8Array {
    const all = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces)
    const whole = all ?? MAGIC
    this.#pieces = whole.length > length ? [whole.subarray(length)] : []
    this.#held -= length
    this.#offset += length
    return whole.subarray(0, length)
  }
}

const OTHER_MAGIC = 'other bytes than the magic at the end of the file'
