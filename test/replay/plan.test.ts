import { describe, expect, it } from 'vitest'
import { latin1Bytes } from '../../src/core/bytes.ts'
import { MAX_LOOK_AHEAD_BYTES, checkPlan, planReplay } from '../../src/replay/plan.ts'
import { surveyRecordings } from '../../src/replay/survey.ts'
import { exchange, message } from '../support/exchanges.ts'
import { rejectionOf, thrownBy } from '../support/errors.ts'
import { asked, recording, recordingInfo, runOf, scheduleOptions, SECOND, TEN_OCLOCK } from './recordings.ts'

const PSEUDONYM = 'mesh-0123456789abcdef'

/** `perSecond` requests in each second of `seconds`, from `fromSecond` of host `name` on. */
function steady(name: string, perSecond: number, seconds: number, fromSecond = 0): ReturnType<typeof recording> {
  const exchanges = Array.from({ length: perSecond * seconds }, (_, index) =>
    asked({ atNs: Math.round((fromSecond + index / perSecond) * SECOND), connection: index % 10 }),
  )
  return recording(recordingInfo({ host: name }), exchanges)
}

const consent = { confirmed: false, maxPerSecond: 20_000 }

describe('planReplay', () => {
  it('says what will be sent, how fast and for how long', async () => {
    const { plan } = await runOf([steady('a', 100, 10), steady('b', 100, 10)], { amplify: 3, jitterNs: 0 })
    expect(plan).toMatchObject({ exchanges: 2_000, shots: 6_000, speed: 1, amplify: 3, maskedShare: 0 })
    expect(plan.recordedPeakPerSecond).toBe(200)
    // 1,000 requests have 999 gaps: the busiest second counts 600, and the mean is a little more.
    expect(plan.meanPerSecond).toBeCloseTo(6_000 / 9.99, 5)
    expect(plan.peakPerSecond).toBe(plan.meanPerSecond)
    expect(plan.durationNs).toBe(9.99 * SECOND)
    expect(plan.recordings.map(({ host, sends, ratePerSecond }) => [host, sends, Math.round(ratePerSecond)])).toEqual([
      ['a', 1_000, 100],
      ['b', 1_000, 100],
    ])
    expect(plan.confirmations).toEqual([])
    expect(() => checkPlan(plan, consent)).not.toThrow()
  })

  it('counts what is held back by method and what cannot be replayed by reason', async () => {
    const cut = exchange({ request: message(['GET / HTTP/1.1'], '', { cut: 'limit' }) })
    const exchanges = [
      asked({ atNs: 0 }),
      asked({ atNs: 1, method: 'POST' }),
      asked({ atNs: 2, method: 'POST' }),
      asked({ atNs: 3, method: 'DELETE' }),
      { ...cut, requestFirstNs: 4 },
      asked({ atNs: 5, lines: ['x-mesh-replay: old'] }),
    ]
    const { plan, survey, shots } = await runOf([recording(recordingInfo(), exchanges)])
    expect([...plan.heldBack]).toEqual([
      ['POST', 2],
      ['DELETE', 1],
    ])
    expect([...plan.notReplayable]).toEqual([['limit', 1]])
    expect([plan.replayed, plan.shots, shots.length]).toEqual([1, 1, 1])
    expect(survey.recorded.total().count).toBe(5)
    // The table's rate is of the requests beside it.
    expect(plan.recordings.map(({ sends, spanNs, ratePerSecond }) => (ratePerSecond * spanNs) / 1e9 / sends)).toEqual([
      1,
    ])
  })

  it('bounds the methods it counts by name', async () => {
    const exchanges = Array.from({ length: 100 }, (_, index) => asked({ atNs: index, method: `M${index}` }))
    const { plan } = await runOf([recording(recordingInfo(), exchanges)])
    expect(plan.heldBack.get('other')).toBe(68)
  })

  it('tells which share carries masked values, those aside that the user replaces', async () => {
    const exchanges = [
      asked({ atNs: 0, lines: [`Cookie: id=${PSEUDONYM}`] }),
      asked({ atNs: 1, path: `/?token=${PSEUDONYM}` }),
      asked({ atNs: 2, method: 'POST', body: `{"password":"${PSEUDONYM}"}` }),
      asked({ atNs: 3 }),
    ]
    const permissions = { allowWrites: true, keepReplayed: false }
    const input = recording(recordingInfo(), exchanges)
    expect((await runOf([input], { permissions })).plan.maskedShare).toBe(0.75)
    const rewrite = { ...scheduleOptions().rewrite, headers: [{ name: 'cookie', value: 'id=mine' }] }
    expect((await runOf([input], { permissions, rewrite })).plan.maskedShare).toBe(0.5)
  })

  it.each([
    ['is as recorded', { amplify: 3 }, 0],
    ['is squeezed', { pace: { kind: 'speed', speed: 2 } }, 1],
    ['is rescaled to a greater rate', { pace: { kind: 'rate', perSecond: 500 } }, 1],
    ['is rescaled to a smaller rate', { pace: { kind: 'rate', perSecond: 50 } }, 0],
    ['has no pace at all', { pace: { kind: 'max' } }, 1],
    ['loops', { ending: 'loop' }, 0],
    ['loops for a while', { ending: 'loop', durationNs: 33 * SECOND, amplify: 2.5 }, 0],
  ] as const)('asks for a confirmation or not where the traffic %s', async (_, changes, count) => {
    const options = scheduleOptions(changes)
    const { signal } = new AbortController()
    const survey = await surveyRecordings([steady('a', 100, 10), steady('b', 60, 7, 1)], options, () => false, signal)
    expect(planReplay(survey, options).confirmations.length).toBe(count)
  })

  it('refuses a peak above the cap, an unconfirmed one, and a run of nothing', async () => {
    const fast = (await runOf([steady('a', 100, 3)], { pace: { kind: 'speed', speed: 10 } })).plan
    expect(thrownBy(() => checkPlan(fast, { confirmed: true, maxPerSecond: 299 })).code).toBe('MESH_ERR_LIMIT')
    expect(thrownBy(() => checkPlan(fast, consent)).code).toBe('MESH_ERR_CONFIRMATION')
    expect(() => checkPlan(fast, { ...consent, confirmed: true })).not.toThrow()
    const { plan } = await runOf([recording(recordingInfo(), [asked({ atNs: 0, method: 'POST' })])])
    const error = thrownBy(() => checkPlan(plan, consent))
    expect(error.code).toBe('MESH_ERR_NOTHING_TO_DO')
    expect(error.message).toContain('1 POST held back')
    expect(error.message).toContain('--allow-writes')
  })

  it('reports the multiplier in effect over time where recordings are of unequal length', async () => {
    const inputs = [steady('a', 10, 10), steady('b', 10, 7, 2)]
    const { plan } = await runOf(inputs, { amplify: 2, pace: { kind: 'speed', speed: 2 }, align: 'clock' })
    expect(plan.multipliers.map(({ fromNs, multiplier }) => [fromNs / SECOND, multiplier])).toEqual([
      [0, 2],
      [1, 4],
      [4.45, 2],
    ])
    const shortest = (await runOf(inputs, { ending: 'shortest', align: 'clock' })).plan
    expect(shortest.multipliers.map(({ recordings }) => recordings)).toEqual([1, 2])
  })

  it('warns of a recording that begins after the run has ended', async () => {
    const { plan, shots } = await runOf([steady('a', 10, 2), steady('b', 10, 2, 50)], {
      align: 'clock',
      ending: 'shortest',
    })
    expect(plan.warnings.join()).toContain('b begins after the run has ended')
    expect(shots.length).toBe(20)
    expect(plan.shots).toBe(20)
  })

  it('chooses a twentieth of the run as jitter, and at most 5 s', async () => {
    expect((await runOf([steady('a', 10, 10)], { amplify: 2 })).plan.jitterNs).toBe(495e6)
    expect((await runOf([steady('a', 1, 1_000)], { amplify: 2 })).plan.jitterNs).toBe(5e9)
    expect((await runOf([steady('a', 10, 10)])).plan.jitterNs).toBe(0)
  })

  it('makes the jitter shorter where its look-ahead would not fit into memory', async () => {
    const body = new Uint8Array(1024 * 1024)
    const request = {
      ...message(['POST / HTTP/1.1', 'Host: a', `Content-Length: ${body.length}`]),
      body,
      bodySize: body.length,
    }
    const exchanges = Array.from({ length: 400 }, (_, index) => ({ ...asked({ atNs: index * 10e6 }), request }))
    const options = scheduleOptions({
      amplify: 2,
      jitterNs: 4e9,
      permissions: { allowWrites: true, keepReplayed: false },
    })
    const { signal } = new AbortController()
    const survey = await surveyRecordings([recording(recordingInfo(), exchanges)], options, () => false, signal)
    const plan = planReplay(survey, options)
    expect(plan.jitterNs).toBeLessThan(((MAX_LOOK_AHEAD_BYTES / body.length) * 1e9) / 100)
    expect(plan.jitterNs).toBeGreaterThan(1e9)
    expect(plan.warnings.join()).toContain('jitter is 1.2')
  })

  it('says where a file holds nothing of the time asked for', async () => {
    const between = { fromUnixNs: TEN_OCLOCK, toUnixNs: TEN_OCLOCK + BigInt(5 * SECOND) }
    const { plan } = await runOf([steady('a', 1, 3), steady('b', 1, 3, 60)], { between })
    expect(plan.recordings.map(({ host }) => host)).toEqual(['a'])
    expect(plan.warnings.join()).toContain('nothing was recorded by b')
  })

  it('plans hostile numbers without failing', async () => {
    const exchanges = [
      { ...asked({ atNs: 0 }), connection: 2 ** 52 },
      { ...asked({ atNs: 3e17 }), connection: 2 ** 52 + 1 },
      { ...asked({ atNs: 1 }), request: { ...message([]), head: latin1Bytes('\0\n\r:') } },
    ]
    const { plan, shots } = await runOf([recording(recordingInfo(), exchanges)])
    expect([plan.shots, shots.length, plan.notReplayable.get('malformed')]).toEqual([2, 2, 1])
  })

  it.each([0, -1, 1_001, Number.NaN])('refuses to amplify %d times', async (amplify) => {
    expect((await rejectionOf(runOf([steady('a', 1, 1)], { amplify }))).code).toBe('MESH_ERR_USAGE')
  })

  it('stops reading when its signal aborts', async () => {
    const survey = surveyRecordings([steady('a', 10, 10)], scheduleOptions(), () => false, AbortSignal.abort())
    expect((await rejectionOf(survey)).code).toBe('MESH_ERR_ABORTED')
  })
})
