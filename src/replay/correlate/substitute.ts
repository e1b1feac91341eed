import { latin1Bytes } from '../../core/bytes.ts'
import { escaped } from './escape.ts'
import type { ShotPlan } from './shot-plan.ts'

/**
 * A request with the values of a session in their places, its Content-Length corrected: a copy, or the same bytes where nothing was
 * replaced. Undefined where a value is missing that it cannot be sent without, or that cannot stand in its place.
 */
export function substitute(
  bytes: Uint8Array,
  plan: ShotPlan,
  valueOf: (slot: number) => string | undefined,
): Uint8Array | undefined {
  const pieces: { readonly start: number; readonly end: number; readonly bytes: Uint8Array }[] = []
  let bodyGrowth = 0
  for (const { slot, start, end, escape, required } of plan.sinks) {
    const value = valueOf(slot)
    const written = value === undefined ? undefined : escaped(value, escape)
    if (written === undefined) {
      if (required || value !== undefined) return undefined
      continue
    }
    if (plan.bodyStart > 0 && start >= plan.bodyStart) bodyGrowth += written.length - (end - start)
    pieces.push({ start, end, bytes: written })
  }
  if (pieces.length === 0) return bytes
  if (bodyGrowth !== 0) {
    const { lengthStart: start, lengthEnd: end, bodyStart } = plan
    pieces.push({ start, end, bytes: latin1Bytes(String(bytes.length - bodyStart + bodyGrowth)) })
    pieces.sort((a, b) => a.start - b.start)
  }
  return spliced(bytes, pieces)
}

function spliced(
  bytes: Uint8Array,
  pieces: readonly { readonly start: number; readonly end: number; readonly bytes: Uint8Array }[],
): Uint8Array {
  let size = bytes.length
  for (const piece of pieces) size += piece.bytes.length - (piece.end - piece.start)
  const out = Buffer.allocUnsafe(size)
  let [from, to] = [0, 0]
  for (const piece of pieces) {
    out.set(bytes.subarray(from, piece.start), to)
    to += piece.start - from
    out.set(piece.bytes, to)
    to += piece.bytes.length
    from = piece.end
  }
  out.set(bytes.subarray(from), to)
  return out
}
