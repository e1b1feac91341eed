import { asBuffer, utf8 } from '../../../core/bytes.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'
import { PayloadReader } from '../../../wire/postgres/payload-reader.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const INTEGERS: Readonly<Record<string, number>> = { smallint: 2, integer: 4, bigint: 8 }

/** What a Bind message has behind its two names: formats, values, formats of the result. The bytes are its own. */
export class BoundValues {
  readonly tail: Uint8Array
  #formats: readonly number[] | undefined
  #values: readonly (Uint8Array | null)[] | undefined

  constructor(tail: Uint8Array) {
    this.tail = tail
  }

  /** Values in text form. */
  static ofTexts(texts: readonly string[]): BoundValues {
    const tail = new MessageBuilder(64).int16(0).count(texts.length)
    for (const text of texts) tail.value(text)
    return new BoundValues(tail.int16(0).finish())
  }

  /** It is what a Bind message has there, to the last byte; if not, nothing else may be asked of it. */
  get isWhole(): boolean {
    const { tail } = this
    let at = 2 + 2 * int16At(tail, 0)
    const count = int16At(tail, at)
    at += 2
    for (let place = 0; place < count && at + 4 <= tail.length; place++) {
      const size = (int16At(tail, at) << 16) | int16At(tail, at + 2)
      if (size < -1) return false
      at += 4 + Math.max(size, 0)
    }
    return at + 2 <= tail.length && at + 2 + 2 * int16At(tail, at) === tail.length
  }

  /** How many values there are. */
  get count(): number {
    const reader = new PayloadReader(this.tail, 'Bind')
    reader.borrow(2 * reader.uint16())
    return reader.uint16()
  }

  /**
   * The one spelling of a key's value, as the type's output function writes it: of integers, uuid and text. Undefined for null, and for
   * what is not surely a value of the type.
   */
  keyText(number: number, type: string): string | undefined {
    if (this.#values === undefined) this.#read()
    const value = this.#values?.[number - 1]
    if (value === undefined || value === null) return undefined
    const formats = this.#formats ?? []
    const format = formats.length === 1 ? formats[0] : formats[number - 1]
    return (format ?? 0) === 0 ? fromText(utf8(value), type) : fromBinary(value, type)
  }

  #read(): void {
    const reader = new PayloadReader(this.tail, 'Bind')
    this.#formats = reader.list(reader.uint16(), 2, () => reader.int16())
    this.#values = reader.list(reader.uint16(), 4, () => reader.borrowValue())
  }
}

/** Without parameters, everything in text form: what a simple query has. */
export const NO_VALUES: BoundValues = new BoundValues(new Uint8Array(6))

/** A count; 0 behind the end. */
function int16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function fromText(text: string, type: string): string | undefined {
  if (type in INTEGERS) return /^-?[0-9]{1,19}$/.test(text) ? String(BigInt(text)) : undefined
  if (type === 'uuid') return UUID.test(text) ? text.toLowerCase() : undefined
  return text
}

function fromBinary(bytes: Uint8Array, type: string): string | undefined {
  const buffer = asBuffer(bytes)
  const size = INTEGERS[type]
  if (size !== undefined) {
    if (buffer.length !== size) return undefined
    return size === 8 ? String(buffer.readBigInt64BE()) : String(buffer.readIntBE(0, size))
  }
  if (type !== 'uuid') return utf8(bytes)
  if (buffer.length !== 16) return undefined
  const hex = buffer.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
