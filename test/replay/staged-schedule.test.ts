import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/core/exchange.ts'
import type { ReplayInput, ScheduleOptions } from '../../src/replay/options.ts'
import { parseStages } from '../../src/replay/parse-stages.ts'
import { checkPlan } from '../../src/replay/plan.ts'
import type { Stages } from '../../src/replay/stages.ts'
import { StageCurve } from '../../src/replay/stages.ts'
import type { ReadShot, Run } from './recordings.ts'
import { response } from '../support/exchanges.ts'
import { asked, recording, recordingInfo, runOf, SECOND } from './recordings.ts'

const stagesOf = (text: string): Stages => parseStages(text, '--stages')

/** Sessions side by side, each on a connection of its own and as long as the recording. */
function sessions(users: number, seconds: number, perSecond: number): ReplayInput {
  const exchanges: Exchange[] = []
  for (let step = 0; step < seconds * perSecond; step++) {
    for (let user = 0; user < users; user++) {
      const atNs = Math.round(((step + user / users) * SECOND) / perSecond)
      exchanges.push(asked({ atNs, connection: user, session: `s${user}`, path: `/${user}/${step}` }))
    }
  }
  return recording(recordingInfo(), exchanges)
}

async function staged(input: ReplayInput, text: string, changes: Partial<ScheduleOptions> = {}): Promise<Run> {
  return await runOf([input], { stages: stagesOf(text), jitterNs: 0, ...changes })
}

const within = (shots: readonly ReadShot[], fromS: number, toS: number): number =>
  shots.filter(({ dueNs }) => dueNs >= fromS * SECOND && dueNs < toS * SECOND).length

const keyOf = ({ dueNs, connection, session, clone, path }: ReadShot): string =>
  [dueNs, connection, session, clone, path].join(' ')

describe('a multiplier in stages', () => {
  it('sends every request as often as its stage says, on sessions that go on across the borders', async () => {
    const { shots, plan } = await staged(sessions(10, 9, 5), '3s:1x,3s:3x,3s:1x')
    expect([within(shots, 0, 3), within(shots, 3, 6), within(shots, 6, 9)]).toEqual([150, 450, 150])
    expect(plan.stages?.list.map((stage) => stage.shots)).toEqual([150, 450, 150])
    expect(plan.shots).toBe(750)
    expect(plan.amplify).toBe(3)
    expect(new Set(shots.map(({ connection }) => connection)).size).toBe(30)
  })

  it('follows a line within what the choice of sessions allows', async () => {
    const { shots, plan } = await staged(sessions(200, 10, 2), '0..4x@10s')
    for (let second = 0; second < 10; second++) {
      const expected = 400 * 4 * ((second + 0.5) / 10)
      // Of 200 sessions those between two whole multiples are chosen: 4 standard deviations of a share of them, twice a second.
      expect(Math.abs(within(shots, second, second + 1) - expected)).toBeLessThan(4 * 2 * Math.sqrt(200 * 0.25) + 4)
    }
    expect(Math.abs(plan.shots - shots.length)).toBeLessThan(0.05 * shots.length)
  })

  it('lets no clone go whose stage does not have it, keeps order, and is the same by any number of shards', async () => {
    const level = fc.double({ min: 0, max: 4, noNaN: true })
    const anyStages = fc.array(
      fc.record({ durationNs: fc.integer({ min: 200, max: 3000 }).map((ms) => ms * 1e6), from: level, to: level }),
      { minLength: 1, maxLength: 4 },
    )
    const input = sessions(12, 4, 5)
    await fc.assert(
      fc.asyncProperty(
        anyStages,
        fc.integer({ min: 0, max: 99 }),
        fc.integer({ min: 2, max: 4 }),
        async (list, seed, shards) => {
          const stages: Stages = { kind: 'multiplier', list }
          const options = { stages, seed, jitterNs: 0, pace: { kind: 'speed', speed: 2 } } as const
          const { shots } = await runOf([input], options)
          const again = await runOf([input], { ...options, shards })
          expect(again.shots.map(keyOf).toSorted()).toEqual(shots.map(keyOf).toSorted())
          const curve = new StageCurve(stages)
          const next = new Map<number, number>()
          for (const { dueNs, clone, connection, path } of shots) {
            expect(clone).toBeLessThan(curve.valueAt(dueNs))
            expect(dueNs).toBeLessThan(curve.totalNs)
            const step = Number(path.split('/')[2])
            expect(step).toBeGreaterThanOrEqual(next.get(connection) ?? 0)
            next.set(connection, step + 1)
          }
          // And whoever may go does: at each request all clones below the whole multiplier.
          const sent = new Map<string, number>()
          for (const { path } of shots) sent.set(path, (sent.get(path) ?? 0) + 1)
          for (const [path, count] of sent) {
            const dueNs = shots.find((shot) => shot.path === path)?.dueNs ?? Number.NaN
            const value = curve.valueAt(dueNs)
            expect([Math.floor(value), Math.ceil(value)]).toContain(count)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('ends with the stages or with the recording, and says which', async () => {
    const short = await staged(sessions(4, 2, 5), '1s:1x,4s:2x,5s:1x')
    expect(short.plan.warnings.join()).toContain("of the stages' 10.0s: --loop starts them over")
    expect(short.plan.stages?.list.map(({ playedNs }) => playedNs > 0)).toEqual([true, true, false])
    const looped = await staged(sessions(4, 2, 5), '1s:1x,4s:2x,5s:1x', { ending: 'loop' })
    expect(looped.plan.warnings).toEqual([])
    expect([within(looped.shots, 0, 1), within(looped.shots, 1, 5), within(looped.shots, 5, 10)]).toEqual([
      20, 160, 100,
    ])
    expect(looped.plan.shots).toBe(280)
  })

  it('is checked by the peak of its highest stage', async () => {
    const { plan } = await staged(sessions(10, 9, 10), '3s:1x,3s:5x,3s:1x')
    expect(plan.peakPerSecond).toBeCloseTo(500, -1.5)
    expect(() => checkPlan(plan, { confirmed: true, maxPerSecond: 300 })).toThrow(/--max-rate/)
    expect(plan.confirmations).toEqual([])
  })
})

/** Sessions of half a second a step, each of which begins with a login whose cookie the other requests send. */
function logins(startsS: readonly number[], steps: number): ReplayInput {
  const exchanges: Exchange[] = []
  for (const [user, startS] of startsS.entries()) {
    const token = `Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5${user}`
    for (let step = 0; step < steps; step++) {
      const atNs = Math.round((startS + step * 0.5) * SECOND)
      const lines = step === 0 ? [] : [`Cookie: sid=${token}`]
      const path = step === 0 ? '/login' : `/step/${step}`
      const one = asked({ atNs, connection: user, session: step === 0 ? '' : token, path, lines })
      const issued = ['HTTP/1.1 200 OK', `Set-Cookie: sid=${token}; Path=/`, 'Content-Length: 0']
      const times = { firstNs: atNs + 1e6, lastNs: atNs + 1e6 }
      exchanges.push(step === 0 ? { ...one, response: response(issued, '', times) } : one)
    }
  }
  return recording(
    recordingInfo(),
    exchanges.toSorted((a, b) => a.requestFirstNs - b.requestFirstNs),
  )
}

describe('a session to which the target issues values', () => {
  const correlate = { rules: [], forbidden: [] }
  const firstPaths = (shots: readonly ReadShot[]): readonly string[] => {
    const firsts = new Map<number, string>()
    for (const { connection, path } of shots) if (!firsts.has(connection)) firsts.set(connection, path)
    return [...firsts.values()]
  }

  it('gets a clone from its login on only, so that none comes without one', async () => {
    const { shots } = await staged(logins([0, 1, 4, 5], 12), '3s:1x,6s:3x,9s:1x', { correlate })
    // Two log in before there are clones, and two while there are: those have three each.
    expect(firstPaths(shots)).toEqual(Array.from({ length: 2 + 2 * 3 }, () => '/login'))
    expect(shots.filter(({ path, dueNs }) => path === '/step/6' && dueNs < 9 * SECOND).length).toBe(2 + 2 * 3)
    expect(shots.filter(({ dueNs, clone }) => dueNs >= 9 * SECOND && clone > 0)).toEqual([])
  })

  it('does not get a clone back that has left', async () => {
    const input = logins([0, 0.1, 0.2], 18)
    const { shots } = await staged(input, '3s:3x,3s:1x,3s:3x', { correlate })
    expect(within(shots, 0, 3)).toBe(3 * 6 * 3)
    expect(within(shots, 3, 9)).toBe(3 * 12)
    const sentAsRecorded = await staged(input, '3s:3x,3s:1x,3s:3x')
    expect(within(sentAsRecorded.shots, 6, 9)).toBe(3 * 6 * 3)
  })

  it('begins anew in the next round of a loop', async () => {
    const { shots } = await staged(logins([0, 0.1], 8), '5s:1x,10s:2x', { correlate, ending: 'loop' })
    expect(firstPaths(shots).every((path) => path === '/login')).toBe(true)
    expect(within(shots, 9, 13)).toBeGreaterThan(2 * within(shots, 0, 4) - 6)
  })
})

describe('a rate in stages', () => {
  it('is sent as its stage says, nothing in a pause, and along a line', async () => {
    const { shots, plan } = await staged(sessions(10, 60, 2), '4s:20/s,4s:80/s,4s:0,0..40/s@4s,4s:10/s')
    expect(within(shots, 8, 12)).toBe(0)
    const counts = [0, 4, 12, 16].map((fromS) => within(shots, fromS, fromS + 4))
    for (const [index, expected] of [80, 320, 80, 40].entries()) {
      expect(Math.abs((counts[index] ?? 0) - expected)).toBeLessThanOrEqual(3)
    }
    expect(within(shots, 12, 14)).toBeLessThan(within(shots, 14, 16) / 2)
    expect(plan.stages?.list.map((stage) => stage.shots)[1]).toBeCloseTo(320, -1)
    expect(Math.abs(plan.shots - shots.length)).toBeLessThanOrEqual(6)
    expect(plan.warnings).toContain('stage 3 sends nothing')
    expect(plan.durationNs).toBe(20 * SECOND)
  })

  it('needs a yes where its highest stage is above what was recorded', async () => {
    const { plan } = await staged(sessions(10, 60, 2), '4s:20/s,4s:80/s')
    expect(plan.peakPerSecond).toBeCloseTo(80, -1)
    expect(() => checkPlan(plan, { confirmed: false, maxPerSecond: 20_000 })).toThrow(/above the recorded/)
    expect(() => checkPlan(plan, { confirmed: true, maxPerSecond: 50 })).toThrow(/--max-rate/)
    const slower = await staged(sessions(10, 60, 2), '4s:5/s,4s:20/s')
    expect(slower.plan.confirmations).toEqual([])
  })

  it('keeps the order of connections and is the same by any number of shards', async () => {
    const input = sessions(12, 6, 5)
    const text = '1s:50/s,1s:0,50/s..200/s@2s'
    const one = await staged(input, text, { amplify: 2 })
    const three = await staged(input, text, { amplify: 2, shards: 3 })
    expect(three.shots.map(keyOf).toSorted()).toEqual(one.shots.map(keyOf).toSorted())
    const next = new Map<number, number>()
    for (const { connection, path } of one.shots) {
      const step = Number(path.split('/')[2])
      expect(step).toBe(next.get(connection) ?? 0)
      next.set(connection, step + 1)
    }
    expect(within(one.shots, 0, 1)).toBeCloseTo(50, -1)
  })
})
