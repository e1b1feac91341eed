import { describe, expect, it } from 'vitest'
import { DroppedSessions } from '../../src/mirror/dropped-sessions.ts'
import { MovedBase } from '../../src/mirror/moved-base.ts'

describe('MovedBase', () => {
  it.each([
    ['the path itself', '/carts/7/items', true],
    ['a path below it', '/carts/7/items/3', true],
    ['a path above it', '/carts', true],
    ['a neighbour', '/carts/8', false],
    ['a path that only begins alike', '/carts/7/itemsets', false],
    ['the root', '/', false],
  ])('has moved, after a write of /carts/7/items, %s or not', (_, path, expected) => {
    const base = new MovedBase()
    base.write('/carts/7/items', 10, Infinity)
    expect(base.moved(path, 20, 30)).toBe(expected)
  })

  it('has not moved for a read that was over before the write, or that began after it', () => {
    const base = new MovedBase()
    base.write('/carts/7', 100e9, 101e9)
    expect([base.moved('/carts/7', 90e9, 99e9), base.moved('/carts/7', 100.5e9, 102e9)]).toEqual([false, true])
    expect(base.moved('/carts/7', 102e9, 103e9)).toBe(false)
  })

  it('remembers more paths than its bound by their first segment', () => {
    const base = new MovedBase()
    for (let number = 0; number < 20_001; number++) base.write(`/carts/${number}`, 0, Infinity)
    expect(base.moved('/carts/99999999', 1, 2)).toBe(true)
  })
})

describe('DroppedSessions', () => {
  it('holds a session for incomplete from the dropped request on', () => {
    const dropped = new DroppedSessions()
    dropped.mark('sid=1', 5)
    dropped.mark('sid=1', 9)
    expect([4, 5, 6].map((ordinal) => dropped.includes('sid=1', ordinal))).toEqual([false, false, true])
    expect(dropped.includes('sid=2', 6)).toBe(false)
  })

  it('forgets the session marked first beyond its bound, and counts that', () => {
    const dropped = new DroppedSessions()
    for (let number = 0; number <= 100_100; number++) dropped.mark(`sid=${number}`, number)
    expect(dropped.forgotten).toBeGreaterThan(0)
    expect([dropped.includes('sid=0', 1e9), dropped.includes('sid=100100', 1e9)]).toEqual([false, true])
  })
})
