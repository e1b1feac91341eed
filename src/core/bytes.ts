/** Bytes without content, shared: never written to. */
export const NO_BYTES: Uint8Array = new Uint8Array(0)

export const CR = 0x0d
export const LF = 0x0a

/** Copies the pieces into one new array. A single piece is copied too: the result is always the caller's own. */
export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const piece of pieces) length += piece.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += piece.length
  }
  return whole
}

/** One character a byte, as HTTP heads are read (RFC 9110 5.5): never fails, and `latin1Bytes` gives the bytes back. */
export function latin1(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return asBuffer(bytes).toString('latin1', start, end)
}

/** The bytes of a string of characters up to U+00FF. */
export function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

export function utf8(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8')
}

export function utf8Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/**
 * A copy of one's own for a short while. A short one is a piece of Node's pool: it costs a fraction of an array with memory of its own, and keeps the
 * pool's 8 KB as long as it lives.
 */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(bytes.length)
  copy.set(bytes)
  return copy
}

/** An unsigned 16-bit number, high byte first; bytes behind the end count as 0. */
export function int16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && asBuffer(a).equals(b)
}
