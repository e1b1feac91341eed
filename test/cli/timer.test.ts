import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { after } from '../../src/cli/timer.ts'

const DAY_NS = 86_400e9

describe('after', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('waits for thirty days, which is more than a timer of the platform can', () => {
    let calls = 0
    after(30 * DAY_NS, () => calls++)
    vi.advanceTimersByTime(29.9 * 86_400e3)
    expect(calls).toBe(0)
    vi.advanceTimersByTime(0.2 * 86_400e3)
    expect(calls).toBe(1)
  })

  it('can be stopped, also after it was armed again', () => {
    let calls = 0
    const stop = after(30 * DAY_NS, () => calls++)
    vi.advanceTimersByTime(26 * 86_400e3)
    stop()
    vi.advanceTimersByTime(30 * 86_400e3)
    expect(calls).toBe(0)
  })
})
