import { utf8 } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'

/** Texts up to this length are read by hand where they are ASCII: a call into the runtime costs more. */
const SHORT_TEXT = 48

/**
 * Reads protobuf's wire format from bytes it borrows. Everything read is checked against the end: bytes that are no message
 * give `MESH_ERR_FILE_CORRUPT`, never a value from beyond it.
 */
export class ByteCursor {
  readonly bytes: Uint8Array
  position = 0
  end = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Reads `start` to `end` next. */
  enter(start: number, end: number): void {
    this.position = start
    this.end = end
  }

  /** A number of variable length; exact up to 2^53, beyond it as near as a number can be. */
  varint(): number {
    const bytes = this.bytes
    const end = this.end
    let at = this.position
    let value = 0
    let scale = 1
    for (let index = 0; index < 10; index++) {
      if (at >= end) return overrun()
      const byte = bytes[at++] ?? 0
      if (byte < 0x80) {
        this.position = at
        return value + byte * scale
      }
      value += (byte & 0x7f) * scale
      scale *= 128
    }
    return corrupt('a number of more than 10 bytes')
  }

  /** A signed number of variable length, unmapped from `zigzag`. */
  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** The end of a sized field, whose content begins at `position`. */
  sizedEnd(): number {
    const length = this.varint()
    const end = this.position + length
    return end > this.end ? overrun() : end
  }

  /** The content of a sized field, borrowed. */
  borrowBytes(): Uint8Array {
    const end = this.sizedEnd()
    const { buffer, byteOffset } = this.bytes
    const view = new Uint8Array(buffer, byteOffset + this.position, end - this.position)
    this.position = end
    return view
  }

  text(): string {
    const end = this.sizedEnd()
    const start = this.position
    this.position = end
    const bytes = this.bytes
    if (end - start > SHORT_TEXT) return utf8(bytes.subarray(start, end))
    let text = ''
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte > 0x7f) return utf8(bytes.subarray(start, end))
      text += String.fromCharCode(byte)
    }
    return text
  }

  /** Passes over the content of a field that this version does not know. */
  skip(tag: number): void {
    const kind = tag & 7
    if (kind === 0) this.varint()
    else if (kind === 1) this.position += 8
    else if (kind === 2) this.position = this.sizedEnd()
    else if (kind === 5) this.position += 4
    else corrupt(`a field of wire type ${kind}`)
    if (this.position > this.end) overrun()
  }
}

function overrun(): never {
  return corrupt('a field that is longer than its message')
}

function corrupt(found: string): never {
  throw new MeshError('MESH_ERR_FILE_CORRUPT', { what: `expected a message of mesh.v1, found ${found}` })
}
