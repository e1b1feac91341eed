import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PendingClones } from '../../src/replay/pending-clones.ts'

describe('PendingClones', () => {
  it('gives what waits in order of time, equal times in order of arrival, whenever it is asked', () => {
    const steps = fc.array(fc.option(fc.nat(20), { nil: undefined }), { maxLength: 200 })
    fc.assert(
      fc.property(steps, (given) => {
        const pending = new PendingClones<string>()
        const waiting: { atNs: number; name: string }[] = []
        const [taken, expected]: [unknown[], unknown[]] = [[], []]
        for (const [arrival, atNs] of given.entries()) {
          if (atNs === undefined) {
            const [first] = waiting.toSorted((a, b) => a.atNs - b.atNs)
            taken.push(pending.nextNs, pending.pop())
            expected.push(first?.atNs ?? Infinity, first?.name)
            if (first !== undefined) waiting.splice(waiting.indexOf(first), 1)
          } else {
            pending.push(atNs, arrival % 7, arrival, String(arrival))
            waiting.push({ atNs, name: String(arrival) })
          }
        }
        expect(taken).toEqual(expected)
        expect(pending.size).toBe(waiting.length)
      }),
    )
  })

  it('keeps each one’s number and loop, through growth', () => {
    const pending = new PendingClones<number>()
    for (let index = 0; index < 5_000; index++) pending.push((index * 7_919) % 5_003, index % 100, index, index)
    let before = -1
    while (pending.size > 0) {
      const [atNs, clone, loop] = [pending.nextNs, pending.nextClone, pending.nextLoop]
      const index = pending.pop() ?? -1
      expect([atNs, clone, loop]).toEqual([(index * 7_919) % 5_003, index % 100, index])
      expect(atNs).toBeGreaterThan(before)
      before = atNs
    }
  })
})
