import { describe, expect, it } from 'vitest'
import { MeshError } from '../../src/core/errors.ts'
import type { ScheduleOptions } from '../../src/replay/options.ts'
import { checkPlan, planReplay } from '../../src/replay/plan.ts'
import { thrownBy } from '../support/errors.ts'
import { surveyRecordings } from '../../src/replay/survey.ts'
import type { Run } from './recordings.ts'
import { asked, recording, recordingInfo, runOf, scheduleOptions, SECOND } from './recordings.ts'

type Input = ReturnType<typeof recording>

/** A host whose requests come at these seconds, on ten connections in turn. */
function host(name: string, seconds: readonly number[]): Input {
  const exchanges = seconds.map((second, index) =>
    asked({ atNs: Math.round(second * SECOND), connection: index % 10, session: `${name}-${index % 50}` }),
  )
  return recording(recordingInfo({ host: name }), exchanges)
}

/** `perSecond` requests in each of `seconds`, from `fromSecond` on. */
function steady(perSecond: number, seconds: number, fromSecond = 0): readonly number[] {
  return Array.from({ length: perSecond * seconds }, (_, index) => fromSecond + index / perSecond)
}

/** 20 s of 12/s, then 20 s of 400/s: its mean is that of neither. */
const RAMP = [...steady(12, 20), ...steady(400, 20, 20)]

const rate = (perSecond: number): ScheduleOptions['pace'] => ({ kind: 'rate', perSecond })

/** What really runs, against the plan of it. */
function expectKept({ plan, shots }: Run, perSecond: number): void {
  const seconds = (plan.durationNs ?? Number.NaN) / SECOND
  expect(shots.length / seconds).toBeGreaterThan(perSecond * 0.95)
  expect(shots.length / seconds).toBeLessThan(perSecond * 1.05)
  expect(plan.meanPerSecond).toBeCloseTo(plan.shots / seconds, 6)
  expect(Math.abs(plan.shots - shots.length)).toBeLessThanOrEqual(shots.length * 0.03)
  expect(plan.warnings).toEqual([])
}

describe('the plan of a run that ends before its recordings do', () => {
  it('has the mean of what is sent, not of the whole recording', async () => {
    const { plan, shots } = await runOf([host('a', RAMP)], { durationNs: 5 * SECOND })
    expect(shots.length).toBe(60)
    expect(plan).toMatchObject({ speed: 1, shots: 60, meanPerSecond: 12, durationNs: 5 * SECOND })
  })

  it('has no mean above its own peak', async () => {
    for (const seconds of [0.3, 1.5, 2]) {
      const changes = { pace: { kind: 'speed', speed: 2 }, durationNs: seconds * SECOND } as const
      const { plan } = await runOf([host('a', steady(100, 3))], changes)
      expect(plan.meanPerSecond).toBeLessThanOrEqual(plan.peakPerSecond ?? 0)
    }
  })

  it.each([
    ['cut in the slow half', { durationNs: 5 * SECOND }],
    ['cut in the fast half', { durationNs: 30 * SECOND }],
    ['never cut', {}],
    ['shorter than what it may last', { durationNs: 500 * SECOND }],
    ['looped', { ending: 'loop', durationNs: 60 * SECOND }],
    ['amplified, its clones spread over some seconds', { amplify: 3, jitterNs: 2 * SECOND, durationNs: 5 * SECOND }],
    ['amplified by a fraction', { amplify: 2.5, durationNs: 20 * SECOND }],
  ] as const)('sends at the rate asked for where it is %s', async (_, changes) => {
    expectKept(await runOf([host('a', RAMP)], { ...changes, pace: rate(200) }), 200)
  })

  it('sends at the rate asked for where hosts begin at different times', async () => {
    const inputs = [host('a', RAMP), host('b', steady(30, 30, 8))]
    const changes = { align: 'clock', ending: 'ragged', durationNs: 4 * SECOND } as const
    expectKept(await runOf(inputs, { ...changes, pace: rate(100) }), 100)
  })

  it('warns where no speed makes the rate that was asked for', async () => {
    const { plan } = await runOf([host('a', [0, 0, 0])], { pace: rate(50) })
    expect(plan.warnings).toEqual(['a mean of 50.0/s cannot be reached: what runs has 3.00/s'])
  })

  it('does not take three requests in a microsecond for a rate', async () => {
    const { plan } = await runOf([host('a', [0, 5e-7, 1e-6])])
    expect([plan.meanPerSecond, plan.peakPerSecond]).toEqual([3, 3])
    expect(() => checkPlan(plan, { confirmed: false, maxPerSecond: 10 })).not.toThrow()
  })

  it('takes a rate that was asked for as one, however short the run', async () => {
    const { plan } = await runOf([host('a', steady(100, 3))], { pace: rate(30_000) })
    const error = thrownBy(() => checkPlan(plan, { confirmed: true, maxPerSecond: 20_000 }))
    expect(error).toBeInstanceOf(MeshError)
    expect(error.code).toBe('MESH_ERR_LIMIT')
  })

  it('plans nothing without failing where no session was chosen', async () => {
    const changes = { amplify: 0.000_001, ending: 'loop', pace: rate(10), durationNs: SECOND } as const
    const options = scheduleOptions(changes)
    const { signal } = new AbortController()
    const survey = await surveyRecordings([host('a', steady(10, 1))], options, () => false, signal)
    const plan = planReplay(survey, options)
    expect([plan.shots, plan.meanPerSecond, plan.speed]).toEqual([0, 0, 1])
  })
})

describe('the plan of requests that a run does not come to', () => {
  it('counts those after the shortest recording ends', async () => {
    const inputs = [host('a', steady(10, 10)), host('b', steady(10, 4))]
    const { plan, shots } = await runOf(inputs, { ending: 'shortest', amplify: 2, jitterNs: 0 })
    // To within the request at the very end: the plan knows tenths of seconds.
    expect(Math.abs(plan.beyondEnd - (140 - shots.length / 2))).toBeLessThanOrEqual(1)
    expect((await runOf(inputs, { ending: 'ragged' })).plan.beyondEnd).toBe(0)
    expect((await runOf(inputs, { ending: 'shortest', pace: { kind: 'max' } })).plan.beyondEnd).toBe(plan.beyondEnd)
  })

  it('counts those after the duration, and none that a loop comes to', async () => {
    const inputs = [host('a', steady(10, 10))]
    expect((await runOf(inputs, { durationNs: 4 * SECOND })).plan.beyondEnd).toBe(60)
    expect((await runOf(inputs, { ending: 'loop' }, 500)).plan.beyondEnd).toBe(0)
    expect((await runOf(inputs, { ending: 'loop', durationNs: 25 * SECOND })).plan.beyondEnd).toBe(0)
  })
})

describe('the sessions of a plan', () => {
  it('are connections where requests have no session', async () => {
    const exchanges = Array.from({ length: 30 }, (_, index) => asked({ atNs: index, connection: index % 6 }))
    const { plan } = await runOf([recording(recordingInfo(), exchanges)])
    expect(plan.sessions).toBe(6)
  })

  it('are keys where they have one; connections that send nothing are none', async () => {
    const exchanges = [
      asked({ atNs: 0, connection: 0, session: 'ann' }),
      asked({ atNs: 1, connection: 1, session: 'ann' }),
      asked({ atNs: 2, connection: 2 }),
      asked({ atNs: 3, connection: 2, session: 'bob' }),
      asked({ atNs: 4, connection: 3, method: 'POST' }),
      asked({ atNs: 5, connection: 4 }),
    ]
    const { plan } = await runOf([recording(recordingInfo(), exchanges)])
    expect(plan.sessions).toBe(3)
  })
})
