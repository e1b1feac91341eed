import { monotonicNs } from '../../src/core/clock.ts'

/**
 * Does something when `delayMs` are over by the monotonic clock, as soon after as timers allow and never earlier: a timer counts whole
 * milliseconds from when the event loop last looked at its clock, and fires early by as much as that is ago.
 */
export function notBefore(delayMs: number, act: () => void): void {
  const dueNs = monotonicNs() + delayMs * 1e6
  const look = (): void => {
    const leftMs = (dueNs - monotonicNs()) / 1e6
    if (leftMs <= 0) act()
    else if (leftMs > 2) setTimeout(look, leftMs - 1)
    else setImmediate(look)
  }
  look()
}
