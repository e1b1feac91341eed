/** Bytes that heads are made of, by their RFC names. */
export const TAB = 0x09
export const SPACE = 0x20
export const COMMA = 0x2c
export const DELETE = 0x7f
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const DIGIT_ZERO = 0x30
export const DIGIT_NINE = 0x39

/** 1 for the bytes of a token: methods and field names (RFC 9110 5.6.2). */
const TOKEN_BYTES: Uint8Array = table((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)))

/** 1 for the bytes of a field value: visible, obs-text, space and tab; no other control byte (RFC 9110 5.5). */
const VALUE_BYTES: Uint8Array = table((byte) => byte === TAB || (byte >= SPACE && byte !== 0x7f))

/** 1 for the bytes of a request target: visible or obs-text, as servers take them (RFC 9112 3.2 allows fewer). */
const TARGET_BYTES: Uint8Array = table((byte) => byte > SPACE && byte !== 0x7f)

function table(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0))
}

/**
 * Index of the first byte from `from` that is not printable ASCII, `to` where there is none. Most of every head is: four bytes at a
 * time, by the sign of what they differ from the first and the last of those.
 */
export function endOfPlain(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at + 4 <= to) {
    const a = bytes[at] ?? 0
    const b = bytes[at + 1] ?? 0
    const c = bytes[at + 2] ?? 0
    const d = bytes[at + 3] ?? 0
    if (((a - 32) | (126 - a) | (b - 32) | (126 - b) | (c - 32) | (126 - c) | (d - 32) | (126 - d)) < 0) break
    at += 4
  }
  while (at < to) {
    const byte = bytes[at] ?? 0
    if (byte < 32 || byte > 126) break
    at++
  }
  return at
}

/** Index of the first byte from `from` that no token has, `to` where there is none. */
export function endOfToken(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && TOKEN_BYTES[bytes[at] ?? 0] === 1) at++
  return at
}

/** Index of the first byte from `from` that no field value has, `to` where there is none. */
export function endOfValue(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && VALUE_BYTES[bytes[at] ?? 0] === 1) at++
  return at
}

/** Index of the first byte from `from` that no request target has, `to` where there is none. */
export function endOfTarget(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && TARGET_BYTES[bytes[at] ?? 0] === 1) at++
  return at
}

export function isWhiteSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

/** Are the bytes from `from` to `to` this text, which is given in lower case? Letters are compared without case. */
export function equalsLowerCase(bytes: Uint8Array, from: number, to: number, lowerCase: string): boolean {
  if (to - from !== lowerCase.length) return false
  for (let index = 0; index < lowerCase.length; index++) {
    const byte = bytes[from + index] ?? 0
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (lower !== lowerCase.charCodeAt(index)) return false
  }
  return true
}

/** Are the bytes from `from` this text, as far as they reach? `whole` also asks that they reach to its end. */
export function startsWith(bytes: Uint8Array, from: number, to: number, text: string, whole: boolean): boolean {
  const length = Math.min(text.length, to - from)
  if (whole && length < text.length) return false
  for (let index = 0; index < length; index++) {
    if (bytes[from + index] !== text.charCodeAt(index)) return false
  }
  return true
}
