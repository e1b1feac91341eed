import { asBuffer } from '../core/bytes.ts'

const TWO_32 = 0x1_0000_0000

/**
 * Bytes that grow at their end: what chunks are built in. Little-endian fixed integers as in MCAP, and the variable ones of
 * protobuf. Callers `reserve` room for a whole record first; the writes after it check nothing.
 */
export class ByteBuilder {
  #bytes: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** What was written, borrowed: valid until the next write or `reset`. */
  borrow(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets what was written and keeps the memory, up to `keepBytes` of it. */
  reset(keepBytes: number): void {
    this.#length = 0
    if (this.#bytes.length > keepBytes) this.#bytes = Buffer.allocUnsafe(keepBytes)
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }

  byte(value: number): void {
    this.#bytes[this.#length++] = value
  }

  uint16(value: number): void {
    this.#bytes.writeUInt16LE(value, this.#length)
    this.#length += 2
  }

  uint32(value: number): void {
    const bytes = this.#bytes
    let at = this.#length
    bytes[at++] = value
    bytes[at++] = value >>> 8
    bytes[at++] = value >>> 16
    bytes[at++] = value >>> 24
    this.#length = at
  }

  /** A whole number from 0 to 2^53. */
  uint64(value: number): void {
    this.uint32(value >>> 0)
    this.uint32((value / TWO_32) >>> 0)
  }

  /** Writes the number over eight bytes that are there already. */
  patchUint64(offset: number, value: number): void {
    const end = this.#length
    this.#length = offset
    this.uint64(value)
    this.#length = end
  }

  /** A whole number from 0 to 2^53, in protobuf's variable length. */
  varint(value: number): void {
    const bytes = this.#bytes
    let at = this.#length
    let rest = value
    while (rest > 0x7fff_ffff) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    this.#length = at
  }

  append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Text of which `utf8Length` says how long it is in UTF-8. */
  text(text: string, utf8Length: number): void {
    if (utf8Length === text.length && utf8Length < 64) {
      const bytes = this.#bytes
      let at = this.#length
      for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index)
      this.#length = at
    } else {
      this.#length += this.#bytes.write(text, this.#length, 'utf8')
    }
  }
}

/** How many bytes `varint` writes. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  if (value < 0x8_0000_0000) return 5
  if (value < 0x400_0000_0000) return 6
  return value < 0x2_0000_0000_0000 ? 7 : 8
}

/** How many bytes a text has in UTF-8. */
export function utf8Length(text: string): number {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text, 'utf8')
  }
  return text.length
}

/** protobuf's mapping of signed whole numbers to unsigned ones: 0, -1, 1, -2, … to 0, 1, 2, 3, … Fractions are rounded. */
export function zigzag(value: number): number {
  const whole = Math.round(value)
  return whole < 0 ? -whole * 2 - 1 : whole * 2
}

/** Reads what the builder's `uint64` writes. Exact up to 2^53. */
export function readUint64(bytes: Uint8Array, offset: number): number {
  const buffer = asBuffer(bytes)
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * TWO_32
}
