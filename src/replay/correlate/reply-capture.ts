import { asBuffer, concatBytes, latin1, NO_BYTES } from '../../core/bytes.ts'
import type { Head } from '../../core/head.ts'
import { parseHead, statusCode } from '../../core/head.ts'
import { MAX_ISSUING_BODY_BYTES, takeFromBody, takeFromHead } from './issued-values.ts'
import type { PlannedSource } from './shot-plan.ts'

/** Heads, interim ones included, beyond which nothing is looked for. */
const MAX_HEAD_BYTES = 64 * 1024

/** What all captures of a thread may hold at a time; a reply beyond it yields nothing. */
const MAX_HELD_BYTES: number = 64 * 1024 * 1024

/** A longer value is not kept, and lost: no header of a request can be sent with it, and a thread keeps those of many sessions. */
const MAX_VALUE_CHARS: number = 16 * 1024

/** Bytes that captures of one thread hold. */
export class CaptureBudget {
  heldBytes = 0
}

/** Keeps the bytes of one reply that later requests depend on, up to a bound, and reads the values from it. */
export class ReplyCapture {
  readonly #sources: readonly PlannedSource[]
  readonly #maxBytes: number
  readonly #budget: CaptureBudget
  #pieces: Uint8Array[] = []
  #size = 0
  #isTorn = false

  constructor(sources: readonly PlannedSource[], budget: CaptureBudget) {
    this.#sources = sources
    this.#budget = budget
    const needsBody = sources.some(({ place }) => /^(?:json|html) /.test(place))
    this.#maxBytes = needsBody ? MAX_HEAD_BYTES + MAX_ISSUING_BODY_BYTES : MAX_HEAD_BYTES
  }

  /** Takes the first `length` of `bytes`, borrowed for the call. */
  push(bytes: Uint8Array, length: number): void {
    const kept = Math.min(length, this.#maxBytes - this.#size)
    if (kept <= 0 || this.#isTorn) return
    if (this.#budget.heldBytes + kept > MAX_HELD_BYTES) {
      // What comes later may fit again, but does not follow on what is here.
      this.discard()
      this.#isTorn = true
      return
    }
    this.#pieces.push(Buffer.from(bytes.subarray(0, kept)))
    this.#size += kept
    this.#budget.heldBytes += kept
  }

  /** Hands over each value that is looked for, or undefined where a cookie was removed; what is not in the reply is left out. Once. */
  read(take: (slot: number, value: string | undefined) => void): void {
    const [first = NO_BYTES, ...others] = this.#pieces
    const bytes = others.length === 0 ? first : concatBytes(this.#pieces)
    this.discard()
    const { head, bodyStart } = finalHead(bytes)
    const slots = new Map(this.#sources.map(({ slot, place }) => [place, slot]))
    const find = (place: string, value: string, isRemoved = false): boolean => {
      const slot = slots.get(place)
      if (slot === undefined) return true
      const isKept = !isRemoved && value.length <= MAX_VALUE_CHARS
      // A copy: the value may be a slice of the whole reply, which it would keep in memory as long as its session lasts.
      take(slot, isKept ? Buffer.from(value, 'utf16le').toString('utf16le') : undefined)
      return true
    }
    takeFromHead(head, find)
    if (this.#maxBytes === MAX_HEAD_BYTES) return
    const isChunked = head.fields.some(({ name, value }) => {
      return name.toLowerCase() === 'transfer-encoding' && /chunked\s*$/i.test(value)
    })
    const body = bytes.subarray(bodyStart)
    takeFromBody(head, isChunked ? withoutChunks(body) : body, find)
  }

  /** Forgets what was kept. */
  discard(): void {
    this.#budget.heldBytes -= this.#size
    this.#pieces = []
    this.#size = 0
  }
}

/** A reply's own head, where it begins, behind the interim ones, and where the body does. */
export function finalHead(bytes: Uint8Array): {
  readonly head: Head
  readonly headStart: number
  readonly bodyStart: number
} {
  let headStart = 0
  for (;;) {
    const bodyStart = endOfHead(bytes, headStart)
    const head = parseHead(bytes.subarray(headStart, bodyStart))
    const status = statusCode(head)
    const isFinal = status >= 200 || status === 101 || status === 0
    if (isFinal || bodyStart >= bytes.length) return { head, headStart, bodyStart }
    headStart = bodyStart
  }
}

function endOfHead(bytes: Uint8Array, from: number): number {
  const buffer = asBuffer(bytes)
  const strict = buffer.indexOf('\r\n\r\n', from)
  // Not in the body, which may be a megabyte.
  const bare = (strict < 0 ? buffer : buffer.subarray(0, strict)).indexOf('\n\n', from)
  if (bare >= 0) return bare + 2
  return strict < 0 ? bytes.length : strict + 4
}

/** The content of a chunked body, as far as it goes. Its framing was checked when it was received. */
export function withoutChunks(body: Uint8Array): Uint8Array {
  const buffer = asBuffer(body)
  const pieces: Uint8Array[] = []
  let at = 0
  while (at < body.length) {
    const end = buffer.indexOf('\r\n', at)
    if (end < 0) break
    const size = Number.parseInt(latin1(body, at, end), 16)
    if (!(size > 0)) break
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
  return pieces.length === 0 ? NO_BYTES : concatBytes(pieces)
}
