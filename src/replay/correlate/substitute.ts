import { latin1Bytes } from '../../core/bytes.ts'
import type { Escape } from './escape.ts'
import type { ShotPlan } from './shot-plan.ts'

/** What is known of values as they are written in requests. */
export interface WrittenValues {
  has(slot: number): boolean
  /** Undefined where there is no value, or it cannot stand in such a place. */
  bytesOf(slot: number, escape: Escape): Uint8Array | undefined
}

/** Fewer bytes are copied one by one: a view for each piece costs more than that. */
const LEAST_VIEWED_BYTES = 256

/**
 * The request in `bytes[from..to]` with the values of a session in their places, its Content-Length corrected. `same`: nothing is to
 * be replaced. `lost`: a value is missing that it cannot be sent without, or that cannot stand in its place.
 */
export function substitute(
  bytes: Uint8Array,
  from: number,
  to: number,
  plan: ShotPlan,
  values: WrittenValues | undefined,
): Uint8Array | 'same' | 'lost' {
  let growth = 0
  let bodyGrowth = 0
  let replaced = 0
  for (const { slot, start, end, escape, required } of plan.sinks) {
    const written = values?.bytesOf(slot, escape)
    if (written === undefined) {
      if (required || values?.has(slot) === true) return 'lost'
      continue
    }
    replaced += 1
    growth += written.length - (end - start)
    if (plan.bodyStart > 0 && start >= plan.bodyStart) bodyGrowth += written.length - (end - start)
  }
  if (replaced === 0) return 'same'
  const { lengthStart, lengthEnd, bodyStart } = plan
  const length = bodyGrowth === 0 ? undefined : latin1Bytes(String(to - from - bodyStart + bodyGrowth))
  if (length !== undefined) growth += length.length - (lengthEnd - lengthStart)
  const out = Buffer.allocUnsafe(to - from + growth)
  let [read, write, hasLength] = [0, 0, length === undefined]
  for (const { slot, start, end, escape } of plan.sinks) {
    const written = values?.bytesOf(slot, escape)
    if (written === undefined) continue
    if (length !== undefined && !hasLength && start > lengthStart) {
      write = copy(bytes, from + read, from + lengthStart, out, write)
      write = copy(length, 0, length.length, out, write)
      read = lengthEnd
      hasLength = true
    }
    write = copy(bytes, from + read, from + start, out, write)
    write = copy(written, 0, written.length, out, write)
    read = end
  }
  copy(bytes, from + read, to, out, write)
  return out
}

/** Where the copy ends. */
function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  if (to - from >= LEAST_VIEWED_BYTES) {
    target.set(source.subarray(from, to), at)
    return at + to - from
  }
  let write = at
  for (let read = from; read < to; read++) target[write++] = source[read] ?? 0
  return write
}
