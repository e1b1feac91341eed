import { describe, expect, it } from 'vitest'

import { BackOff } from '../../../src/replay/senders/back-off.ts'

const MS = 1e6

/** A back-off after so many failures, one each millisecond. */
function after(failures: number): BackOff {
  const backOff = new BackOff()
  for (let at = 0; at < failures; at++) {
    backOff.tried()
    backOff.failed('refused', at * MS, at * MS + 1)
  }
  return backOff
}

describe('BackOff', () => {
  it('lets two failures in a row pass', () => {
    expect(after(2).allows(2 * MS)).toBe(true)
  })

  it('holds attempts back for 10 ms after the third, and says why', () => {
    const backOff = after(3)
    expect(backOff.allows(5 * MS)).toBe(false)
    expect(backOff.allows(13 * MS)).toBe(true)
    expect(backOff.error).toBe('refused')
  })

  it('allows one attempt at a time then, and doubles the wait when that fails too', () => {
    const backOff = after(3)
    backOff.tried()
    expect(backOff.allows(13 * MS)).toBe(false)
    backOff.failed('unreachable', 13 * MS, 14 * MS)
    expect(backOff.allows(33 * MS)).toBe(false)
    expect(backOff.allows(34 * MS)).toBe(true)
    expect(backOff.error).toBe('unreachable')
  })

  it('never waits for more than a second', () => {
    expect(after(500).allows(499 * MS + 1 + 1e9)).toBe(true)
  })

  it('takes attempts that were under way together for one', () => {
    const backOff = new BackOff()
    for (let count = 0; count < 100; count++) backOff.failed('refused', 0, MS + count)
    expect(backOff.allows(2 * MS)).toBe(true)
  })

  it('forgets everything when a connection stands', () => {
    const backOff = after(10)
    backOff.succeeded()
    expect(backOff.allows(10 * MS)).toBe(true)
  })
})
