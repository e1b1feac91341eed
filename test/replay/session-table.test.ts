import { describe, expect, it } from 'vitest'
import { PoolLanes } from '../../src/replay/pool-lanes.ts'
import { ConnectionTable, MAX_CONNECTIONS, MAX_SESSIONS, SessionTable } from '../../src/replay/session-table.ts'

describe('SessionTable', () => {
  it('gives keys ordinals in order of appearance, the same again', () => {
    const table = new SessionTable()
    expect(['u', 'v', 'u', 'w'].map((key) => table.ordinalOf(key))).toEqual([0, 1, 0, 2])
    expect(table.span).toBe(3)
  })

  it('hashes a key alike, whatever its ordinal', () => {
    const [one, other] = [new SessionTable(), new SessionTable()]
    other.ordinalOf('first')
    expect(other.hashOf(other.ordinalOf('u'))).toBe(one.hashOf(one.ordinalOf('u')))
  })

  it('lets sessions beyond its bound share ordinals, within the span', () => {
    const table = new SessionTable()
    for (let index = 0; index < MAX_SESSIONS + 100; index++) table.ordinalOf(`session ${index}`)
    const ordinal = table.ordinalOf('session beyond')
    expect(ordinal).toBeGreaterThanOrEqual(MAX_SESSIONS)
    expect(ordinal).toBeLessThan(table.span)
    expect(table.ordinalOf('session beyond')).toBe(ordinal)
    expect(table.size).toBe(MAX_SESSIONS)
  })
})

describe('ConnectionTable', () => {
  it('finds the session of a connection and the pools among them', () => {
    const table = new ConnectionTable('r')
    for (const [row, session] of [
      [0, undefined],
      [0, 5],
      [0, 5],
      [1, 5],
      [1, undefined],
      [1, 6],
      [1, 5],
      [3, undefined],
    ] as const) {
      table.learn(row, session, row !== 3)
    }
    expect([0, 1, 2, 3].map((row) => table.sessionOf(row))).toEqual([5, undefined, undefined, undefined])
    expect([0, 1, 2, 3].map((row) => table.isPool(row))).toEqual([false, true, false, false])
    expect([0, 1, 2, 3].map((row) => table.sendsOf(row))).toEqual([3, 4, 0, 0])
    expect(table.span).toBe(4)
  })

  it('starts over beyond its bound', () => {
    const table = new ConnectionTable('r')
    expect(table.rowOf(MAX_CONNECTIONS + 3)).toBe(3)
  })
})

describe('PoolLanes', () => {
  it('gives requests that followed each other one lane, and those that overlapped different ones, up to six', () => {
    const lanes = new PoolLanes()
    expect(lanes.laneOf(7, 0, 10)).toBe(0)
    expect(lanes.laneOf(7, 10, 30)).toBe(0)
    expect(lanes.laneOf(7, 20, 25)).toBe(1)
    expect(lanes.laneOf(8, 20, 90)).toBe(6)
    expect([40, 41, 42, 43, 44, 45, 46].map((from) => lanes.laneOf(7, from, from + 100))).toEqual([0, 1, 2, 3, 4, 5, 0])
  })
})
