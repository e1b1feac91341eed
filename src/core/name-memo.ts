import { latin1 } from './bytes.ts'

/** Places for names; services use some dozens. */
const PLACES = 1024

/** A longer name is judged each time: all that is remembered stays below 0.2 MB. */
const MAX_REMEMBERED_BYTES = 64

interface Remembered<Verdict> {
  readonly name: Uint8Array
  readonly verdict: Verdict
}

/**
 * Remembers a verdict about a name (of a header, a cookie, a field) and finds it again in the bytes of a message. Every name of
 * every message passes here: comparing a dozen bytes costs a fraction of making a string of them and looking that up.
 * What is forgotten for want of room is judged again.
 */
export class NameMemo<Verdict> {
  readonly #judge: (name: string) => Verdict
  readonly #remembered: (Remembered<Verdict> | undefined)[] = Array.from({ length: PLACES }, () => undefined)

  /** `judge` is given the name as it stands in the bytes, one character a byte; equal names have equal verdicts. */
  constructor(judge: (name: string) => Verdict) {
    this.#judge = judge
  }

  /** The verdict about the name from `start` up to `end`. */
  of(bytes: Uint8Array, start: number, end: number): Verdict {
    const length = end - start
    if (length > MAX_REMEMBERED_BYTES || length <= 0) return this.#judge(latin1(bytes, start, end))
    const place = placeOf(bytes, start, length)
    const first = this.#remembered[place]
    if (first !== undefined && isSame(first.name, bytes, start, length)) return first.verdict
    const second = this.#remembered[place + 1]
    if (second !== undefined && isSame(second.name, bytes, start, length)) return second.verdict
    const verdict = this.#judge(latin1(bytes, start, end))
    this.#remembered[place + 1] = first
    // A copy: the name is a part of a whole message, which it would keep in memory.
    this.#remembered[place] = { name: new Uint8Array(bytes.subarray(start, end)), verdict }
    return verdict
  }
}

/** The first of two places, by the length and some bytes that tell names apart. */
function placeOf(bytes: Uint8Array, start: number, length: number): number {
  const first = bytes[start] ?? 0
  const middle = bytes[start + (length >> 1)] ?? 0
  const last = bytes[start + length - 1] ?? 0
  return ((length * 67) ^ (first * 5) ^ (middle * 19) ^ (last * 2)) & (PLACES - 2)
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (name.length !== length) return false
  for (let index = 0; index < length; index++) if (name[index] !== bytes[start + index]) return false
  return true
}
