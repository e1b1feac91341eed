import { asBuffer, concatBytes, latin1, latin1Bytes } from '../core/bytes.ts'
import { hashPair } from '../core/random.ts'

/**
 * Headers that name one request or one try of it. A target, or what stands before it, may answer a second request of the same
 * name from memory, or put its traces into one: clones get names of their own.
 */
const IDENTITY =
  /^(?:x-request-id|request-id|x-correlation-id|x-idempotency-key|idempotency-key|traceparent|x-b3-traceid)[ \t]*:[ \t]*([^\r\n]+)/gim

/** Of requests without such a header, and of runs that send nothing twice. */
export const NO_IDENTITIES: readonly number[] = []

/** Behind it stands the name of such a header: what it was before it was renamed. */
const ORIGINAL = 'x-mesh-original-'

/** A request that may be sent more than once. */
export interface NamedRequest {
  /** Its names stand a second time in them, in headers of their own that stay as they are: `x-mesh-original-idempotency-key`. */
  readonly bytes: Uint8Array
  /** Where its names are: pairs of start and end. */
  readonly identities: readonly number[]
}

/** Finds the names of a request that is ready for the wire, in its head. */
export function namedRequest(bytes: Uint8Array): NamedRequest {
  const headEnd = asBuffer(bytes).indexOf('\r\n\r\n')
  const head = latin1(bytes, 0, headEnd < 0 ? bytes.length : headEnd)
  const identities: number[] = []
  let originals = ''
  for (const match of head.matchAll(IDENTITY)) {
    const [line, found = ''] = match
    const value = found.trimEnd()
    const start = match.index + line.length - found.length
    // Of a traceparent (W3C Trace Context 3.2) only the trace id changes: 32 digits behind the version.
    const isTrace = /^[0-9a-f]{2}-[0-9a-f]{32}-/.test(value)
    identities.push(isTrace ? start + 3 : start, isTrace ? start + 35 : start + value.length)
    originals += `\r\n${ORIGINAL}${line.slice(0, line.indexOf(':')).trim().toLowerCase()}: ${value}`
  }
  if (identities.length === 0 || headEnd < 0) return { bytes, identities: NO_IDENTITIES }
  const [before, behind] = [bytes.subarray(0, headEnd), bytes.subarray(headEnd)]
  return { bytes: concatBytes([before, latin1Bytes(originals), behind]), identities }
}

/**
 * Gives the values at `spans` other names, in place: the same for the same `generation` (which clone, in which loop), and of the same
 * form, a digit for a digit and a letter for a letter. Of a UUID the two digits that tell its version and variant stay; what has no
 * letters but those of hexadecimal digits gets no others.
 */
export function renameIdentities(bytes: Uint8Array, at: number, spans: readonly number[], generation: number): void {
  for (let pair = 0; pair + 1 < spans.length; pair += 2) {
    const start = at + (spans[pair] ?? 0)
    const end = at + (spans[pair + 1] ?? 0)
    const isUuid = end - start === 36 && bytes[start + 8] === 0x2d && bytes[start + 13] === 0x2d
    const letters = isHexadecimal(bytes, start, end) ? 6 : 26
    for (let index = start; index < end; index++) {
      if (isUuid && (index - start === 14 || index - start === 19)) continue
      bytes[index] = renamed(bytes[index] ?? 0, hashPair(generation, index - start), letters)
    }
  }
}

function isHexadecimal(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const letter = (bytes[index] ?? 0) | 0x20
    if (letter >= 0x67 && letter <= 0x7a) return false
  }
  return true
}

/** `letters`: how many of the alphabet it may have. */
function renamed(byte: number, noise: number, letters: number): number {
  if (byte >= 0x30 && byte <= 0x39) return 0x30 + ((byte - 0x30 + noise) % 10)
  if (byte >= 0x61 && byte <= 0x7a) return 0x61 + ((byte - 0x61 + noise) % letters)
  if (byte >= 0x41 && byte <= 0x5a) return 0x41 + ((byte - 0x41 + noise) % letters)
  return byte
}
