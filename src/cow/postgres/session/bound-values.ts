import { asBuffer, int16At, utf8 } from '../../../core/bytes.ts'
import { bindValueCount, firstValueAt, resultFormatsAt, valueSizeAt } from '../../../wire/postgres/bind-tail.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const INTEGERS: Readonly<Record<string, number>> = { smallint: 2, integer: 4, bigint: 8 }

/** What a Bind message has behind its two names: formats, values, formats of the result. The bytes are its own. */
export class BoundValues {
  readonly tail: Uint8Array

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
    const at = resultFormatsAt(tail)
    return at !== undefined && at + 2 <= tail.length && at + 2 + 2 * int16At(tail, at) === tail.length
  }

  /** How many values there are. */
  get count(): number {
    return bindValueCount(this.tail)
  }

  /**
   * The one spelling of a key's value, as the type's output function writes it: of integers, uuid and text. Undefined for null, and for
   * what is not surely a value of the type.
   */
  keyText(number: number, type: string): string | undefined {
    const value = this.#valueOf(number)
    if (value === undefined) return undefined
    return this.#formatOf(number) === 0 ? fromText(utf8(value), type) : fromBinary(value, type)
  }

  /** One for all, or one for each; text where none is given. */
  #formatOf(number: number): number {
    const formats = int16At(this.tail, 0)
    const place = formats === 1 ? 1 : number
    return place > formats ? 0 : int16At(this.tail, 2 * place)
  }

  /** A view; undefined for null, and where there are fewer values. */
  #valueOf(number: number): Uint8Array | undefined {
    const { tail } = this
    if (number > this.count) return undefined
    let at = firstValueAt(tail)
    for (let place = 1; place < number; place++) at += 4 + Math.max(valueSizeAt(tail, at), 0)
    const size = valueSizeAt(tail, at)
    return size < 0 ? undefined : tail.subarray(at + 4, at + 4 + size)
  }
}

/** Without parameters, everything in text form: what a simple query has. */
export const NO_VALUES: BoundValues = new BoundValues(new Uint8Array(6))

function fromText(text: string, type: string): string | undefined {
  if (type in INTEGERS) return integerText(text)
  if (type === 'uuid') return UUID.test(text) ? text.toLowerCase() : undefined
  return text
}

/** So many characters are a number that is exact. */
const MAX_EXACT_CHARACTERS = 15

function integerText(text: string): string | undefined {
  if (!/^-?[0-9]{1,19}$/.test(text)) return undefined
  return text.length > MAX_EXACT_CHARACTERS ? String(BigInt(text)) : String(Number(text))
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
