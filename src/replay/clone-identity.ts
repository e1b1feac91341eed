import { latin1 } from '../core/bytes.ts'
import { hashPair } from '../core/random.ts'

/**
 * Headers that name one request or one try of it. A target, or what stands before it, may answer a second request of the same
 * name from memory, or put its traces into one: clones get names of their own.
 */
const IDENTITY =
  /^(?:x-request-id|request-id|x-correlation-id|x-idempotency-key|idempotency-key|traceparent|x-b3-traceid)[ \t]*:[ \t]*([^\r\n]+)/gim

/** Of requests without such a header, and of runs that send nothing twice. */
export const NO_IDENTITIES: readonly number[] = []

/** Where in a request's bytes such values stand: pairs of start and end. Only the head is looked at. */
export function identitySpans(bytes: Uint8Array): readonly number[] {
  const headEnd = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf('\r\n\r\n')
  const head = latin1(bytes, 0, headEnd < 0 ? bytes.length : headEnd)
  let spans: number[] | undefined
  for (const match of head.matchAll(IDENTITY)) {
    const value = match[1] ?? ''
    const start = match.index + match[0].length - value.length
    // Of a traceparent (W3C Trace Context 3.2) only the trace id changes: 32 digits behind the version.
    const isTrace = /^[0-9a-f]{2}-[0-9a-f]{32}-/.test(value)
    spans ??= []
    spans.push(isTrace ? start + 3 : start, isTrace ? start + 35 : start + value.trimEnd().length)
  }
  return spans ?? NO_IDENTITIES
}

/**
 * Gives the values at `spans` other names, in place: the same for the same `generation` (which clone, in which loop), and of the same
 * form, a digit for a digit and a letter for a letter. Of a UUID the two digits that tell its version and variant stay.
 */
export function renameIdentities(bytes: Uint8Array, at: number, spans: readonly number[], generation: number): void {
  for (let pair = 0; pair + 1 < spans.length; pair += 2) {
    const start = at + (spans[pair] ?? 0)
    const end = at + (spans[pair + 1] ?? 0)
    const isUuid = end - start === 36 && bytes[start + 8] === 0x2d && bytes[start + 13] === 0x2d
    for (let index = start; index < end; index++) {
      if (isUuid && (index - start === 14 || index - start === 19)) continue
      bytes[index] = renamed(bytes[index] ?? 0, hashPair(generation, index - start))
    }
  }
}

function renamed(byte: number, noise: number): number {
  if (byte >= 0x30 && byte <= 0x39) return 0x30 + ((byte - 0x30 + noise) % 10)
  if (byte >= 0x61 && byte <= 0x66) return 0x61 + ((byte - 0x61 + noise) % 6)
  if (byte >= 0x41 && byte <= 0x46) return 0x41 + ((byte - 0x41 + noise) % 6)
  return byte
}
