import { describe, expect, it } from 'vitest'

import type { Outcome } from '../../src/core/outcome.ts'
import { DEFAULT_BREAKER_LIMITS, ErrorBreaker } from '../../src/replay/error-breaker.ts'
import { OutcomeList } from './senders/shots.ts'

const SECOND = 1e9

function ended(doneNs: number, with_: Partial<Outcome> = {}): Outcome {
  return {
    route: 0,
    dueNs: doneNs,
    readyNs: doneNs,
    sentNs: doneNs,
    doneNs,
    status: 200,
    recordedStatus: 200,
    error: 'none',
    bytesSent: 0,
    bytesReceived: 0,
    ...with_,
  }
}

/** The shot at which a breaker trips, -1: none. */
function tripsAt(outcomes: readonly Outcome[]): number {
  const list = new OutcomeList()
  let at = -1
  const breaker = new ErrorBreaker(list, DEFAULT_BREAKER_LIMITS, () => {
    at = list.outcomes.length - 1
  })
  for (const outcome of outcomes) breaker.record(outcome)
  expect(list.outcomes).toHaveLength(outcomes.length)
  return at
}

const times = (count: number, make: (index: number) => Outcome): Outcome[] =>
  Array.from({ length: count }, (_, index) => make(index))

describe('ErrorBreaker', () => {
  it('needs 100 shots before it judges', () => {
    expect(tripsAt(times(99, (index) => ended(index, { error: 'refused', status: 0 })))).toBe(-1)
    expect(tripsAt(times(200, (index) => ended(index, { error: 'refused', status: 0 })))).toBe(99)
  })

  it('lets half of the shots fail, and not one more', () => {
    const halves = times(1_000, (index) => ended(index, index % 2 === 1 ? { error: 'timeout' } : {}))
    expect(tripsAt(halves)).toBe(-1)
    expect(tripsAt([...halves, ended(1_000, { error: 'timeout' })])).toBe(1_000)
  })

  it('takes a 5xx for an error where none was recorded', () => {
    expect(tripsAt(times(100, (index) => ended(index, { status: 503 })))).toBe(99)
    expect(tripsAt(times(100, (index) => ended(index, { status: 503, recordedStatus: 500 })))).toBe(-1)
    expect(tripsAt(times(100, (index) => ended(index, { status: 404 })))).toBe(-1)
  })

  it('does not blame the target for shots that were shed or aborted', () => {
    expect(tripsAt(times(500, (index) => ended(index, { error: index % 2 === 0 ? 'shed' : 'aborted' })))).toBe(-1)
  })

  it('forgets what is more than ten seconds ago', () => {
    const good = times(100, (index) => ended(index))
    const bad = (from: number): Outcome[] => times(99, (index) => ended(from + index, { error: 'reset' }))
    expect(tripsAt([...good, ...bad(5 * SECOND), ...bad(6 * SECOND)])).toBe(199 + 1)
    expect(tripsAt([...bad(0), ended(SECOND), ...bad(11 * SECOND)])).toBe(-1)
    expect(tripsAt([...bad(0), ...times(100, (index) => ended(100 * SECOND + index)), ...bad(101 * SECOND)])).toBe(-1)
  })

  describe('at rates too low for a share', () => {
    const dead = (count: number, gapNs: number): Outcome[] =>
      times(count, (index) => ended(index * gapNs, { error: 'timeout', status: 0 }))

    it('trips at twenty errors in a row that ended over ten seconds', () => {
      expect(tripsAt(dead(30, SECOND))).toBe(19)
      expect(tripsAt(dead(30, 100 * SECOND))).toBe(19)
      expect(tripsAt(dead(90, SECOND / 4))).toBe(40)
    })

    it('does not trip where fewer failed, or in a shorter time', () => {
      expect(tripsAt(dead(19, SECOND))).toBe(-1)
      expect(tripsAt(dead(90, SECOND / 10))).toBe(-1)
    })

    it('begins again at every success', () => {
      expect(
        tripsAt([
          ...dead(19, SECOND),
          ended(19 * SECOND),
          ...times(19, (index) => ended((20 + index) * SECOND, { error: 'reset' })),
        ]),
      ).toBe(-1)
    })

    it('does not count what was never sent, nor forget over it', () => {
      const mixed = dead(40, SECOND).flatMap((shot) => [shot, { ...shot, error: 'shed' as const }])
      expect(tripsAt(mixed)).toBe(38)
    })

    it('lets all fail where all may', () => {
      const list = new OutcomeList()
      const limits = { ...DEFAULT_BREAKER_LIMITS, maxErrorShare: 1 }
      const breaker = new ErrorBreaker(list, limits, () => expect.unreachable('it tripped'))
      for (const outcome of dead(200, SECOND / 4)) breaker.record(outcome)
      expect(list.outcomes).toHaveLength(200)
    })
  })
})
