import { latin1Bytes } from '../../core/bytes.ts'
import type { Escape } from './escape.ts'
import type { ShotPlan } from './shot-plan.ts'

/** What is known of values as they are written in requests. */
export interface WrittenValues {
  has(slot: number): boolean
  /** Undefined where there is no value, or it cannot stand in such a place. */
  bytesOf(slot: number, escape: Escape): Uint8Array | undefined
}

/**
 * The request in `bytes[from..to]` with the values of a session in their places, its Content-Length corrected. These bytes are the
 * caller's to give: the request is written over itself where none of it has to move up, which most values of a target leave so; else
 * into memory of its own. `same`: nothing is to be replaced. `lost`: a value is missing that it cannot be sent without, or that cannot
 * stand in its place. Neither changes a byte.
 */
export function substitute(
  bytes: Uint8Array,
  from: number,
  to: number,
  plan: ShotPlan,
  values: WrittenValues | undefined,
): Uint8Array | 'same' | 'lost' {
  const { sinks, lengthStart, lengthEnd, bodyStart } = plan
  const written: (Uint8Array | undefined)[] = []
  let [replaced, growth, mostGrowth, bodyGrowth] = [0, 0, 0, 0]
  for (const { slot, start, end, escape, required } of sinks) {
    const value = values?.bytesOf(slot, escape)
    written.push(value)
    if (value === undefined) {
      if (required || values?.has(slot) === true) return 'lost'
      continue
    }
    replaced += 1
    growth += value.length - (end - start)
    if (growth > mostGrowth) mostGrowth = growth
    if (bodyStart > 0 && start >= bodyStart) bodyGrowth += value.length - (end - start)
  }
  if (replaced === 0) return 'same'
  const length = bodyGrowth === 0 ? undefined : latin1Bytes(String(to - from - bodyStart + bodyGrowth))
  const room = mostGrowth + Math.max(0, (length?.length ?? 0) - (lengthEnd - lengthStart))
  // With as much room before it as it grows by at the most, no byte of it is written over before it is moved.
  const target = room === 0 ? bytes : behindRoom(bytes, from, to, room)
  const origin = room === 0 ? from : room
  let [read, write, hasLength] = [origin, origin - room, length === undefined]
  let index = 0
  for (const { start, end } of sinks) {
    const value = written[index++]
    if (value === undefined) continue
    if (length !== undefined && !hasLength && start > lengthStart) {
      write = put(length, target, move(target, read, origin + lengthStart, write))
      read = origin + lengthEnd
      hasLength = true
    }
    write = put(value, target, move(target, read, origin + start, write))
    read = origin + end
  }
  const end = move(target, read, origin + to - from, write)
  return target.subarray(origin - room, end)
}

/** A copy of `bytes[from..to]`, `room` bytes into memory of its own. */
function behindRoom(bytes: Uint8Array, from: number, to: number, room: number): Uint8Array {
  const copy = Buffer.allocUnsafe(room + to - from)
  copy.set(bytes.subarray(from, to), room)
  return copy
}

/** Moves `bytes[from..to]` down. Both this and `put` give where their bytes end: one call into the engine each, and no view. */
function move(bytes: Uint8Array, from: number, to: number, at: number): number {
  if (at !== from) bytes.copyWithin(at, from, to)
  return at + to - from
}

function put(value: Uint8Array, bytes: Uint8Array, at: number): number {
  bytes.set(value, at)
  return at + value.length
}
