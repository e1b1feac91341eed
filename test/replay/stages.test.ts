import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStages, stagesText } from '../../src/replay/parse-stages.ts'
import type { Stage } from '../../src/replay/stages.ts'
import { mostOf, StageCurve } from '../../src/replay/stages.ts'

const parse = (text: string): ReturnType<typeof parseStages> => parseStages(text, '--stages')

describe('--stages', () => {
  it('reads multipliers, each for its time', () => {
    expect(parse('2m:1x,5m:300%, 2m:0.5x')).toEqual({
      kind: 'multiplier',
      list: [
        { durationNs: 120e9, from: 1, to: 1 },
        { durationNs: 300e9, from: 3, to: 3 },
        { durationNs: 120e9, from: 0.5, to: 0.5 },
      ],
    })
  })

  it('reads rates, lines, and pauses', () => {
    expect(parse('30s:100/s,100/s..1k/s@1m30s,30s:0')).toEqual({
      kind: 'rate',
      list: [
        { durationNs: 30e9, from: 100, to: 100 },
        { durationNs: 90e9, from: 100, to: 1000 },
        { durationNs: 30e9, from: 0, to: 0 },
      ],
    })
    expect(parse('0..3x@5m').list).toEqual([{ durationNs: 300e9, from: 0, to: 3 }])
  })

  it('is shown as it is read', () => {
    expect(stagesText(parse('30s:1x,100%..3x@5m,30s:0'))).toBe('30.0s:1x, 1x..3x@5m0s, 30.0s:0x')
    expect(stagesText(parse('1k/s..100/s@10s'))).toBe('1,000/s..100/s@10.0s')
  })

  it.each([
    ['', 'expected a stage such as', 'MESH_ERR_UNIT'],
    ['2m:1x,', 'found nothing', 'MESH_ERR_UNIT'],
    ['2m', 'found "2m"', 'MESH_ERR_UNIT'],
    ['1x..3x', 'found "1x..3x"', 'MESH_ERR_UNIT'],
    ['1x:2m', 'expected a duration', 'MESH_ERR_UNIT'],
    ['2 parsecs:1x', 'expected a duration', 'MESH_ERR_UNIT'],
    ['0s:1x', 'lasts more than zero', 'MESH_ERR_UNIT'],
    ['1x..2x@0', 'lasts more than zero', 'MESH_ERR_UNIT'],
    ['2m:3', 'expected a multiplier such as 3x or a rate such as 100/s', 'MESH_ERR_UNIT'],
    ['2m:3y', 'expected a multiplier', 'MESH_ERR_UNIT'],
    ['2m:3/fortnight', 'expected a rate', 'MESH_ERR_UNIT'],
    ['2m:-1x', 'expected a multiplier', 'MESH_ERR_UNIT'],
    ['2m:1001x', 'at most 1000', 'MESH_ERR_USAGE'],
    ['2m:1x,2m:100/s', 'all of one kind', 'MESH_ERR_USAGE'],
    ['1x..100/s@2m', 'all of one kind', 'MESH_ERR_USAGE'],
    ['2m:0', 'pauses only', 'MESH_ERR_USAGE'],
    ['2m:0x,1m:0', 'pauses only', 'MESH_ERR_USAGE'],
    [Array.from({ length: 101 }, () => '1s:1x').join(','), 'at most 100 stages', 'MESH_ERR_USAGE'],
  ])('refuses %s', (text, what, code) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(what) }))
  })

  it('names the stage that is wrong', () => {
    expect(() => parse('2m:1x,5m:3y')).toThrow(/--stages, stage 2/)
  })
})

const anyStage: fc.Arbitrary<Stage> = fc.record({
  durationNs: fc.integer({ min: 1, max: 600_000 }).map((ms) => ms * 1e6),
  from: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1000, noNaN: true })),
  to: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1000, noNaN: true })),
})
const anyList = fc.array(anyStage, { minLength: 1, maxLength: 8 })

describe('stages as a curve', () => {
  it('has the area that many small steps add up to', () => {
    fc.assert(
      fc.property(anyList, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const curve = new StageCurve({ kind: 'rate', list })
        const untilNs = curve.totalNs * share
        const steps = 20_000
        let sum = 0
        for (let step = 0; step < steps; step++) sum += curve.valueAt((untilNs * (step + 0.5)) / steps)
        const area = (sum / steps) * (untilNs / 1e9)
        const most = mostOf({ kind: 'rate', list })
        expect(Math.abs(curve.areaUntil(untilNs) - area)).toBeLessThanOrEqual(
          (list.length * most * untilNs) / 1e9 / steps + 1e-9,
        )
      }),
      { numRuns: 50 },
    )
  })

  it('comes to each area at its moment, in order, and never in a pause', () => {
    fc.assert(
      fc.property(
        anyList,
        fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { maxLength: 40 }),
        (list, shares) => {
          const curve = new StageCurve({ kind: 'rate', list })
          const total = curve.areaUntil(curve.totalNs)
          let before = 0
          for (const share of shares.toSorted((a, b) => a - b)) {
            const moment = curve.momentOf(total * share)
            if (total === 0) {
              expect(moment).toBe(Infinity)
              continue
            }
            expect(moment).toBeGreaterThanOrEqual(before)
            expect(Math.abs(curve.areaUntil(moment) - total * share)).toBeLessThanOrEqual(1e-6 * total)
            before = moment
          }
        },
      ),
    )
    const pause = new StageCurve(parse('10s:10/s,10s:0,10s:10/s'))
    expect(pause.momentOf(99.9)).toBeCloseTo(9.99e9, -3)
    expect(pause.momentOf(100)).toBe(20e9)
    expect(pause.momentOf(200)).toBe(Infinity)
  })
})
