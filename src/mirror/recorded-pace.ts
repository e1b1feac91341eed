import { setTimeout } from 'node:timers/promises'
import { monotonicNs } from '../core/clock.ts'

/** Timers take no more than this at once: 24 days. */
const MAX_WAIT_MS = 0x7fff_ffff

/** A pause in which nobody asked for anything need not be waited for: recordings of two days lie next to each other. */
export const MAX_PAUSE_NS = 60e9

/**
 * Hands items on as far apart as they were, pauses longer than a minute cut to that. An item is never early; where the reader is
 * slow the rest is late, and nothing piles up. Ends early, without an error, when the signal aborts.
 */
export async function* atRecordedPace<Item>(
  items: AsyncIterable<Item>,
  atNs: (item: Item) => number,
  signal: AbortSignal,
): AsyncGenerator<Item, void, void> {
  const startNs = monotonicNs()
  let dueNs = startNs
  let lastNs: number | undefined
  for await (const item of items) {
    const nowNs = atNs(item)
    dueNs += lastNs === undefined ? 0 : Math.min(Math.max(0, nowNs - lastNs), MAX_PAUSE_NS)
    lastNs = lastNs === undefined ? nowNs : Math.max(lastNs, nowNs)
    await until(dueNs, signal)
    if (signal.aborted) return
    yield item
  }
}

/** Timers count whole milliseconds from when the event loop last looked at its clock, and so may fire one or two early. */
async function until(dueNs: number, signal: AbortSignal): Promise<void> {
  for (let waitNs = dueNs - monotonicNs(); waitNs > 0 && !signal.aborted; waitNs = dueNs - monotonicNs()) {
    const waitMs = Math.min(Math.ceil(waitNs / 1e6), MAX_WAIT_MS)
    await setTimeout(waitMs, undefined, { signal }).catch(() => undefined)
  }
}
