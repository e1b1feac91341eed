import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ESCAPES } from '../../../src/replay/correlate/escape.ts'
import { hasPlan, joinPlans, packPlan, PlanReader, readPlan } from '../../../src/replay/correlate/plan-words.ts'
import type { ShotPlan } from '../../../src/replay/correlate/shot-plan.ts'

const number = fc.nat(0xffff_ffff)

/** Also of more values than are kept room for. */
const plan: fc.Arbitrary<ShotPlan> = fc.record({
  ticket: number,
  sources: fc.array(fc.record({ slot: number, place: fc.constantFrom('cookie sid', 'json .id', 'header etag') })),
  waits: fc.array(number, { maxLength: 20 }),
  sinks: fc.array(
    fc.record({
      slot: number,
      start: number,
      end: number,
      escape: fc.constantFrom(...ESCAPES),
      required: fc.boolean(),
    }),
    { maxLength: 20 },
  ),
  lengthStart: number,
  lengthEnd: number,
  bodyStart: number,
})

describe('the plans of a batch', () => {
  it('read back in any order by one reader, which lends them, and by one of their own', () => {
    fc.assert(
      fc.property(fc.array(fc.option(plan, { nil: undefined })), fc.infiniteStream(fc.nat()), (plans, order) => {
        const packed = plans.map((one) => ({ plan: one && packPlan(one) }))
        const joined = joinPlans(packed, packed.length)
        if (joined === undefined) {
          expect(plans.every((one) => one === undefined)).toBe(true)
          return
        }
        const reader = new PlanReader()
        const own = plans.map((_, index) => readPlan(joined, index))
        const sources: (ShotPlan['sources'] | undefined)[] = []
        for (const [index] of plans.entries()) {
          const other = (order.next().value ?? 0) % plans.length
          expect(reader.read(joined, other)).toEqual(plans[other])
          sources.push(reader.read(joined, index)?.sources)
          expect(hasPlan(joined, index)).toBe(plans[index] !== undefined)
        }
        expect(own).toEqual(plans)
        // Of a lent plan they may be kept: a reply is searched for them later.
        expect(sources).toEqual(plans.map((one) => one?.sources))
      }),
    )
  })
})
