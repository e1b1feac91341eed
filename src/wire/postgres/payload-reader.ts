import { int16At, utf8 } from '../../core/bytes.ts'
import { MeshError } from '../../core/errors.ts'

/** Reads the fields of one message's payload in their order. Throws `MESH_ERR_POSTGRES` where the payload ends too early. */
export class PayloadReader {
  readonly #bytes: Uint8Array
  readonly #message: string
  #at = 0

  /** `message` names the message in errors. */
  constructor(bytes: Uint8Array, message: string) {
    this.#bytes = bytes
    this.#message = message
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  uint8(): number {
    const at = this.#advance(1)
    return this.#bytes[at] ?? 0
  }

  int16(): number {
    return (this.uint16() << 16) >> 16
  }

  /** Counts are read unsigned, as PostgreSQL does: up to 65,535 parameters. */
  uint16(): number {
    const at = this.#advance(2)
    return int16At(this.#bytes, at)
  }

  int32(): number {
    const at = this.#advance(4)
    const bytes = this.#bytes
    return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  }

  /** Object ids are unsigned. */
  uint32(): number {
    return this.int32() >>> 0
  }

  /** Text up to a zero byte, as UTF-8. */
  text(): string {
    // Of the unnamed statement and portal: most names are these.
    if (this.#bytes[this.#at] === 0) {
      this.#at++
      return ''
    }
    const zero = this.#bytes.indexOf(0, this.#at)
    if (zero < 0) throw this.#fault('a string that ends with a zero byte', `${this.remaining} bytes without one`)
    const text = utf8(this.#bytes.subarray(this.#at, zero))
    this.#at = zero + 1
    return text
  }

  /** A view of the next bytes. */
  borrow(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** A view of all bytes that are left. */
  borrowRest(): Uint8Array {
    return this.borrow(this.remaining)
  }

  /** A value with its length in front; -1 is null. */
  borrowValue(): Uint8Array | null {
    const length = this.int32()
    if (length === -1) return null
    if (length < 0) throw this.#fault('a value of a length of -1 or more', String(length))
    return this.borrow(length)
  }

  /** `count` fields, each read by `read`. Bounded by the payload: a count that cannot fit is refused before anything is allocated. */
  list<Field>(count: number, minFieldBytes: number, read: () => Field): Field[] {
    if (count < 0 || count * minFieldBytes > this.remaining) {
      throw this.#fault(`${count} fields`, `${this.remaining} bytes`)
    }
    const fields: Field[] = []
    for (let index = 0; index < count; index++) fields.push(read())
    return fields
  }

  /** The payload must be over: what follows would be read differently by somebody else. */
  end(): void {
    if (this.remaining > 0) throw this.#fault('the end of the message', `${this.remaining} more bytes`)
  }

  #advance(length: number): number {
    const at = this.#at
    if (length < 0 || at + length > this.#bytes.length) throw this.#fault(`${length} bytes`, `${this.remaining}`)
    this.#at = at + length
    return at
  }

  #fault(expected: string, found: string): MeshError {
    return new MeshError('MESH_ERR_POSTGRES', {
      what: `expected ${expected}, found ${found}`,
      where: `${this.#message}, payload offset ${this.#at}`,
    })
  }
}
