import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_SLOWEST, type SlowShot, SlowestShots } from '../../src/measure/slowest-shots.ts'
import { MS, outcome } from './outcomes.ts'

const ORIGIN = { recording: 1, exchange: 7, recordedAtNs: 3e9, clone: 2 }

const responseNs = ({ dueNs, doneNs }: SlowShot): number => doneNs - dueNs

describe('SlowestShots', () => {
  it('has the slowest of all threads, slowest first, however often they told', () => {
    const thread = fc.array(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }), { maxLength: 4 })
    fc.assert(
      fc.property(fc.array(thread, { minLength: 1, maxLength: 3 }), (threads) => {
        const all = new SlowestShots()
        const seconds = Math.max(...threads.map((each) => each.length))
        const own = threads.map(() => new SlowestShots())
        for (let second = 0; second < seconds; second++) {
          for (const [index, slowest] of own.entries()) {
            for (const ms of threads[index]?.[second] ?? []) {
              slowest.offer(outcome({ dueNs: second * 1e9, serviceNs: ms * MS }), { ...ORIGIN, clone: index })
            }
            const told = slowest.take()
            if (told !== undefined) all.add(told)
          }
        }
        const expected = threads.flat(2).toSorted((a, b) => b - a)
        expect(all.shots.map((shot) => responseNs(shot) / MS)).toEqual(expected.slice(0, MAX_SLOWEST))
      }),
    )
  })

  it('carries everything that is known of a shot to another thread', () => {
    const [own, all] = [new SlowestShots(), new SlowestShots()]
    const timeout = outcome({ route: 3, dueNs: 5, readyNs: 6, sentNs: 7, doneNs: 9, status: 0, error: 'timeout' })
    own.offer(timeout, ORIGIN)
    all.add(own.take() ?? new Float64Array())
    const { recordedStatus: _, bytesSent: __, bytesReceived: ___, ...known } = timeout
    expect(all.shots).toEqual([{ ...known, ...ORIGIN }])
    expect(own.take()).toBeUndefined()
  })

  it('leaves out what was due in a warm-up, and what had neither a reply nor a timeout', () => {
    const slowest = new SlowestShots(1e9)
    slowest.offer(outcome({ dueNs: 1e9 - 1 }), ORIGIN)
    slowest.offer(outcome({ dueNs: 2e9, error: 'refused' }), ORIGIN)
    slowest.offer(outcome({ dueNs: 2e9, error: 'shed' }), ORIGIN)
    expect(slowest.shots).toEqual([])
    slowest.measureFrom(5e9)
    slowest.offer(outcome({ dueNs: 4e9 }), ORIGIN)
    slowest.offer(outcome({ dueNs: 5e9 }), ORIGIN)
    expect(slowest.shots.map(({ dueNs }) => dueNs)).toEqual([5e9])
  })
})
