import { equalBytes } from '../core/bytes.ts'
import { readUint64 } from './byte-builder.ts'
import { MAX_RECORD_BYTES } from './chunk-list.ts'
import { MAGIC, OPCODE, RECORD_HEAD_BYTES } from './mcap.ts'

/** A whole record of a stream. */
export interface StreamRecord {
  readonly opcode: number
  readonly offset: number
  /** The whole record, its head included. The caller owns it. */
  readonly bytes: Uint8Array
}

/** Finds the records in an MCAP stream that comes in pieces of any size. It holds at most one record and one piece. */
export class RecordSplitter {
  #pieces: Uint8Array[] = []
  #held = 0
  #offset = 0
  #state: 'magic' | 'records' | 'footer' | 'closed' | 'broken' = 'magic'

  /** Bytes taken so far as whole records. */
  get offset(): number {
    return this.#offset
  }

  /** The stream's last record and its trailing magic were seen. */
  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#held += piece.length
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
    if (this.#state === 'magic' && this.#held >= MAGIC.length) this.#state = this.#takeMagic() ? 'records' : 'broken'
    if (this.#state === 'footer' && this.#held >= MAGIC.length) this.#state = this.#takeMagic() ? 'closed' : 'broken'
    if (this.#state !== 'records' || this.#held < RECORD_HEAD_BYTES) return undefined
    const head = this.peek(RECORD_HEAD_BYTES)
    const opcode = head[0] ?? 0
    const length = RECORD_HEAD_BYTES + readUint64(head, 1)
    if (opcode === 0 || length > MAX_RECORD_BYTES) this.#state = 'broken'
    if (this.#state !== 'records' || this.#held < length) return undefined
    const offset = this.#offset
    const bytes = this.#take(length)
    if (opcode === OPCODE.footer) this.#state = 'footer'
    return { opcode, offset, bytes }
  }

  #takeMagic(): boolean {
    return equalBytes(this.#take(MAGIC.length), MAGIC)
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
