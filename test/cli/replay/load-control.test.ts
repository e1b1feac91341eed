import { describe, expect, it } from 'vitest'
import { LoadControl } from '../../../src/cli/replay/load-control.ts'
import { monotonicNs } from '../../../src/core/clock.ts'
import type { Plan } from '../../../src/replay/plan.ts'
import { operatorText } from '../../../src/report/operator.ts'

const PLAN: Pick<Plan, 'speed' | 'stages' | 'peakPerSecond'> = { speed: 1, stages: undefined, peakPerSecond: 100 }

function control(
  plan: Partial<typeof PLAN> = {},
  atNs = monotonicNs(),
): { readonly control: LoadControl; readonly speeds: number[] } {
  const speeds: number[] = []
  const fleet = { retime: (_: number, speed: number): void => void speeds.push(speed) }
  return { control: new LoadControl({ ...PLAN, ...plan }, 150, fleet, { atNs }), speeds }
}

describe('LoadControl', () => {
  it('goes on at the rate that a pause interrupted, and keeps what was done', () => {
    const { control: load, speeds } = control()
    load.step(1)
    load.pauseOrResume()
    load.step(1)
    load.pauseOrResume()
    expect(speeds).toEqual([1.1, 0, 1.2])
    expect(load.changes.map(({ speed }) => speed)).toEqual(speeds)
    expect(load.tempo.speed).toBe(1.2)
  })

  it('asks for no higher peak than --max-rate allows, and for no rate beyond its bounds', () => {
    const { control: load, speeds } = control()
    const said = Array.from({ length: 6 }, () => load.step(1))
    expect(speeds).toEqual([1.1, 1.2, 1.3, 1.4, 1.5])
    expect(said.at(-1)).toMatch(/peak would be 160\/s, more than --max-rate 150\/s/)
    const slow = control()
    const slower = Array.from({ length: 12 }, () => slow.control.step(-1))
    expect(slow.control.tempo.speed).toBe(0.1)
    expect(slower.at(-1)).toMatch(/between 0\.1x and 4x/)
  })

  it.each([
    ['before the run has begun', {}, 0, /has not begun/],
    ['in a closed loop', { speed: 'max' }, 1, /closed loop/],
    ['where stages say how much is sent', { stages: { kind: 'rate', basePerSecond: 1, list: [] } }, 1, /stages/],
  ] as const)('changes nothing %s, and says why', (_, plan, atNs, why) => {
    const { control: load, speeds } = control(plan, atNs)
    expect(load.pauseOrResume()).toMatch(why)
    expect(load.step(1)).toMatch(why)
    expect(speeds).toEqual([])
  })
})

describe('what is told of an operator', () => {
  it('is each change with its time, and how many more there were', () => {
    const changes = [
      { atNs: 12e9, speed: 0 },
      { atNs: 17.04e9, speed: 1 },
      { atNs: 20e9, speed: 1.1 },
    ]
    expect(operatorText(changes)).toBe(
      'paused it at 12.0s, let it go on at 17.0s at the planned rate, sent 1.1x the planned rate from 20.0s on',
    )
    expect(operatorText([])).toBe('')
    expect(operatorText(Array.from({ length: 20 }, () => ({ atNs: 1, speed: 2 })))).toMatch(/made 8 more changes$/)
  })
})
