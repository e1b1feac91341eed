import { int16At } from '../../core/bytes.ts'

/**
 * What a Bind message has behind its two names: formats, values, formats of the result (PostgreSQL manual, Message Formats). Read where it lies, for
 * this is asked of every statement that passes. What is missing counts as 0.
 */

/** How many values there are. */
export function bindValueCount(tail: Uint8Array): number {
  return int16At(tail, firstCountAt(tail))
}

/** Where the first value's size stands. */
export function firstValueAt(tail: Uint8Array): number {
  return firstCountAt(tail) + 2
}

/** Of the value whose size stands at `at`; -1 is null. */
export function valueSizeAt(tail: Uint8Array, at: number): number {
  return (int16At(tail, at) << 16) | int16At(tail, at + 2)
}

/** Where the count of the result's formats stands, behind the values; undefined where a value is missing or of no size. */
export function resultFormatsAt(tail: Uint8Array): number | undefined {
  let at = firstValueAt(tail)
  for (let left = bindValueCount(tail); left > 0; left--) {
    const size = valueSizeAt(tail, at)
    if (size < -1 || at + 4 > tail.length) return undefined
    at += 4 + Math.max(size, 0)
  }
  return at
}

function firstCountAt(tail: Uint8Array): number {
  return 2 + 2 * int16At(tail, 0)
}
