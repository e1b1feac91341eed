import { MeshError } from '../../core/errors.ts'

/** A value as it goes into a message: text as UTF-8, bytes as they are, null. */
export type PgValue = string | Uint8Array | null

/** A message's length is an int32, and PostgreSQL takes no more than 1 GiB. */
const MAX_MESSAGE_BYTES: number = 1024 * 1024 * 1024
const MAX_COUNT = 0xffff
/** Longer texts are faster written by the runtime. */
const SHORT_TEXT = 32

/** Builds one message after another into one buffer: the messages of a batch leave in one write. */
export class MessageBuilder {
  #buffer: Buffer
  #at = 0
  #messageStart = 0

  /** `sizeHint` in bytes: enough saves copying. */
  constructor(sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(Math.max(sizeHint, 16))
  }

  /** Begins a message; type 0 is an untyped one. `end` closes it. */
  begin(type: number): this {
    this.#messageStart = this.#at
    if (type !== 0) this.uint8(type)
    return this.int32(0)
  }

  end(): this {
    const typed = this.#buffer[this.#messageStart] !== 0
    const lengthAt = this.#messageStart + (typed ? 1 : 0)
    this.#buffer.writeInt32BE(this.#at - lengthAt, lengthAt)
    return this
  }

  uint8(value: number): this {
    this.#reserve(1)
    this.#buffer[this.#at++] = value
    return this
  }

  int16(value: number): this {
    this.#reserve(2)
    this.#at = this.#buffer.writeInt16BE(value, this.#at)
    return this
  }

  /** A count of fields. */
  count(value: number): this {
    if (value > MAX_COUNT) throw tooLarge(`at most ${MAX_COUNT} fields in a message`, String(value))
    this.#reserve(2)
    this.#at = this.#buffer.writeUInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#reserve(4)
    this.#at = this.#buffer.writeInt32BE(value | 0, this.#at)
    return this
  }

  /** Text and a zero byte; bytes are text in another encoding than UTF-8. Throws at text with a zero byte in it, which no message can carry. */
  text(value: string | Uint8Array): this {
    if (typeof value !== 'string') return this.bytes(value).uint8(0)
    if (value.length <= SHORT_TEXT && this.#shortText(value)) return this
    if (value.includes('\0')) {
      throw new MeshError('MESH_ERR_POSTGRES', {
        what: 'expected text without a zero byte, found one',
        remedy: 'PostgreSQL has no text with zero bytes: send it as bytea',
      })
    }
    this.#characters(value, Buffer.byteLength(value))
    return this.uint8(0)
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
    return this
  }

  /** A value with its length in front. */
  value(value: PgValue): this {
    if (value === null) return this.int32(-1)
    if (typeof value !== 'string') return this.int32(value.length).bytes(value)
    const length = Buffer.byteLength(value)
    this.int32(length)
    this.#characters(value, length)
    return this
  }

  /** Everything built so far, the caller's from now on; the builder is spent. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#at)
  }

  /** Names are short and ASCII: written without leaving JavaScript. False: nothing was written. */
  #shortText(value: string): boolean {
    this.#reserve(value.length + 1)
    const start = this.#at
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at)
      if (code === 0 || code > 0x7f) return false
      this.#buffer[start + at] = code
    }
    this.#buffer[start + value.length] = 0
    this.#at = start + value.length + 1
    return true
  }

  #characters(value: string, length: number): void {
    this.#reserve(length)
    this.#buffer.write(value, this.#at, 'utf8')
    this.#at += length
  }

  #reserve(length: number): void {
    const needed = this.#at + length
    if (needed <= this.#buffer.length) return
    if (needed - this.#messageStart > MAX_MESSAGE_BYTES) {
      throw tooLarge(`a message of at most ${MAX_MESSAGE_BYTES} bytes`, `${needed - this.#messageStart}`)
    }
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

function tooLarge(expected: string, found: string): MeshError {
  return new MeshError('MESH_ERR_LIMIT', { what: `expected ${expected}, found ${found}`, remedy: 'split it' })
}

/** A message without payload. The shared bytes are never written to. */
export function emptyMessage(type: number): Uint8Array {
  return new MessageBuilder(5).begin(type).end().finish()
}
