import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/core/exchange.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_SHOTS, MAX_BATCH_SPAN_NS } from '../../src/replay/batches.ts'
import { planReplay } from '../../src/replay/plan.ts'
import { schedule } from '../../src/replay/schedule.ts'
import { surveyRecordings } from '../../src/replay/survey.ts'
import { rejectionOf } from '../support/errors.ts'
import type { ReadShot } from './recordings.ts'
import { asked, recording, recordingInfo, runOf, scheduleOptions, SECOND, TEN_OCLOCK } from './recordings.ts'

/** Sessions s0, s1, … with a connection each, their requests at random times; the path says session and place: `/s0/0`. */
const TRAFFIC = fc
  .array(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 })
  .map((sessions) => {
    const exchanges: Exchange[] = []
    for (const [session, times] of sessions.entries()) {
      for (const [place, at] of times.toSorted((a, b) => a - b).entries()) {
        exchanges.push(
          asked({ atNs: at * 1e6, connection: session, session: `s${session}`, path: `/s${session}/${place}` }),
        )
      }
    }
    return exchanges.toSorted((a, b) => a.requestFirstNs - b.requestFirstNs)
  })

function groupBy<Key>(shots: readonly ReadShot[], key: (shot: ReadShot) => Key): Map<Key, ReadShot[]> {
  const groups = new Map<Key, ReadShot[]>()
  for (const shot of shots) groups.set(key(shot), [...(groups.get(key(shot)) ?? []), shot])
  return groups
}

const sessionOf = (shot: ReadShot): string => shot.path.split('/', 2)[1] ?? ''
const dues = (shots: readonly ReadShot[]): number[] => shots.map(({ dueNs }) => dueNs)
const paths = (shots: readonly ReadShot[]): string[] => shots.map(({ path }) => path)

describe('schedule', () => {
  it('sends every request once at its recorded time, from the first one on', async () => {
    const exchanges = [3, 5, 5, 9].map((at, index) => asked({ atNs: at * SECOND, path: `/${index}` }))
    const { shots } = await runOf([recording(recordingInfo(), exchanges)])
    expect(dues(shots)).toEqual([0, 2 * SECOND, 2 * SECOND, 6 * SECOND])
    expect(paths(shots)).toEqual(['/0', '/1', '/2', '/3'])
  })

  it('sends each session N times, in its own order, each clone shifted as a whole within the jitter', async () => {
    await fc.assert(
      fc.asyncProperty(TRAFFIC, fc.integer({ min: 1, max: 5 }), fc.nat(), async (exchanges, amplify, seed) => {
        const jitterNs = 50e6
        const { shots, plan } = await runOf([recording(recordingInfo(), exchanges)], { amplify, seed, jitterNs })
        expect(shots.length).toBe(exchanges.length * amplify)
        expect(plan.shots).toBe(shots.length)
        expect(dues(shots)).toEqual(dues(shots).toSorted((a, b) => a - b))
        const original = groupBy(
          shots.filter(({ clone }) => clone === 0),
          sessionOf,
        )
        for (const copies of groupBy(shots, ({ session }) => session).values()) {
          const first = copies[0]
          const recorded = original.get(first === undefined ? '' : sessionOf(first)) ?? []
          const shiftNs = (first?.dueNs ?? Number.NaN) - (recorded[0]?.dueNs ?? Number.NaN)
          expect(shiftNs).toBeGreaterThanOrEqual(0)
          expect(shiftNs).toBeLessThanOrEqual(first?.clone === 0 ? 0 : jitterNs)
          expect(paths(copies)).toEqual(paths(recorded))
          expect(dues(copies)).toEqual(dues(recorded).map((due) => due + shiftNs))
          expect(new Set(copies.map(({ connection, clone }) => `${connection} ${clone}`)).size).toBe(1)
        }
        expect(new Set(shots.map(({ connection }) => connection)).size).toBe(original.size * amplify)
      }),
      { numRuns: 30 },
    )
  })

  it('sends whole sessions once more, or not at all, for a fraction', async () => {
    await fc.assert(
      fc.asyncProperty(TRAFFIC, fc.constantFrom(0.3, 0.5, 1.5, 2.25), fc.nat(), async (exchanges, amplify, seed) => {
        const recorded = new Map<string, number>()
        for (const { session } of exchanges) recorded.set(session, (recorded.get(session) ?? 0) + 1)
        const { shots } = await runOf([recording(recordingInfo(), exchanges)], { amplify, seed })
        const sent = groupBy(shots, sessionOf)
        for (const [session, count] of recorded) {
          const times = (sent.get(session)?.length ?? 0) / count
          expect([Math.floor(amplify), Math.ceil(amplify)]).toContain(times)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('chooses about the fraction of many sessions, and plans exactly what it sends', async () => {
    const exchanges = Array.from({ length: 2_000 }, (_, index) =>
      asked({ atNs: index * 1e6, connection: index, session: `user ${index}`, path: `/${index}` }),
    )
    for (const amplify of [0.25, 2.5]) {
      const { shots, plan } = await runOf([recording(recordingInfo(), exchanges)], { amplify })
      expect(shots.length / exchanges.length).toBeGreaterThan(amplify - 0.05)
      expect(shots.length / exchanges.length).toBeLessThan(amplify + 0.05)
      expect(plan.shots).toBe(shots.length)
    }
  })

  it('is the same for the same seed, and another for another', async () => {
    const exchanges = Array.from({ length: 200 }, (_, index) => asked({ atNs: index * 1e7, connection: index % 20 }))
    const run = async (seed: number): Promise<readonly ReadShot[]> =>
      (await runOf([recording(recordingInfo(), exchanges)], { amplify: 3, seed })).shots
    expect(await run(7)).toEqual(await run(7))
    expect(await run(8)).not.toEqual(await run(7))
  })

  it('shifts a session alike on all hosts that it appears on', async () => {
    const hosts = ['a', 'b'].map((host, index) =>
      recording(recordingInfo({ host }), [
        asked({ atNs: index * 1e6, session: 'u', path: `/${host}1` }),
        asked({ atNs: SECOND + index * 1e6, session: 'u', path: `/${host}2` }),
      ]),
    )
    const { shots } = await runOf(hosts, { amplify: 2, jitterNs: 100e6 })
    const clone = shots.filter(({ clone }) => clone === 1)
    expect(paths(clone)).toEqual(['/a1', '/b1', '/a2', '/b2'])
    expect(new Set(clone.map(({ session }) => session)).size).toBe(1)
    expect(new Set(clone.map(({ connection }) => connection)).size).toBe(2)
  })

  it('takes requests before the login for the session of their connection', async () => {
    const exchanges = [asked({ atNs: 0, path: '/login' }), asked({ atNs: 1e9, session: 'u', path: '/home' })]
    const { shots } = await runOf([recording(recordingInfo(), exchanges)], { amplify: 2, jitterNs: 3e9 })
    expect(paths(shots.filter(({ clone }) => clone === 1))).toEqual(['/login', '/home'])
    expect(new Set(shots.map(({ session }) => session)).size).toBe(2)
  })

  it('keeps order by session on a proxy’s pool, and lets apart what overlapped', async () => {
    const exchanges = [
      asked({ atNs: 0, session: 'u', path: '/u1' }),
      asked({ atNs: 2e6, session: 'v', path: '/v1', tookNs: 5e6 }),
      asked({ atNs: 3e6, connection: 1, session: 'u', path: '/u2' }),
      asked({ atNs: 4e6, connection: 1, session: 'v', path: '/v2' }),
      asked({ atNs: 9e6, connection: 0, session: 'v', path: '/v3' }),
    ]
    const { shots } = await runOf([recording(recordingInfo(), exchanges)])
    const lane = new Map(shots.map(({ path, connection }) => [path, connection]))
    expect(lane.get('/u2')).toBe(lane.get('/u1'))
    expect(lane.get('/v2')).not.toBe(lane.get('/v1'))
    expect([lane.get('/v1'), lane.get('/v2')]).toContain(lane.get('/v3'))
    expect(new Set(lane.values()).size).toBe(3)
    expect(shots.some(({ last }) => last)).toBe(false)
  })

  it('marks the last request of each connection, of every clone', async () => {
    const exchanges = [0, 1, 0, 1, 0].map((connection, index) =>
      asked({ atNs: index * 1e6, connection, path: `/${index}` }),
    )
    const held = asked({ atNs: 6e6, connection: 1, method: 'POST' })
    const { shots } = await runOf([recording(recordingInfo(), [...exchanges, held])], { amplify: 2 })
    expect(paths(shots.filter(({ last }) => last)).toSorted()).toEqual(['/3', '/3', '/4', '/4'])
  })

  it('divides time by the speed', async () => {
    const exchanges = [0, 1, 4].map((at) => asked({ atNs: at * SECOND }))
    const { shots, plan } = await runOf([recording(recordingInfo(), exchanges)], { pace: { kind: 'speed', speed: 2 } })
    expect(dues(shots)).toEqual([0, SECOND / 2, 2 * SECOND])
    expect(plan.durationNs).toBe(2 * SECOND)
  })

  it('keeps the shape at another mean rate', async () => {
    await fc.assert(
      fc.asyncProperty(TRAFFIC, fc.integer({ min: 1, max: 5_000 }), async (exchanges, perSecond) => {
        const input = recording(recordingInfo(), exchanges)
        const recorded = dues((await runOf([input])).shots)
        const rescaled = dues((await runOf([input], { pace: { kind: 'rate', perSecond } })).shots)
        const spanNs = recorded.at(-1) ?? 0
        if (spanNs === 0) return
        const factor = (rescaled.length * 1e9) / perSecond / spanNs
        for (const [index, due] of rescaled.entries()) expect(due).toBeCloseTo((recorded[index] ?? 0) * factor, 0)
      }),
      { numRuns: 20 },
    )
  })

  it('leaves only the order at speed max', async () => {
    const exchanges = [0, 1, 4].map((at, index) => asked({ atNs: at * SECOND, path: `/${index}` }))
    const { shots, plan } = await runOf([recording(recordingInfo(), exchanges)], { pace: { kind: 'max' } })
    expect(dues(shots)).toEqual([0, 0, 0])
    expect(paths(shots)).toEqual(['/0', '/1', '/2'])
    expect([plan.speed, plan.peakPerSecond, plan.durationNs]).toEqual(['max', undefined, undefined])
  })

  it.each([
    ['shortest', ['a0', 'b0', 'a1', 'b1']],
    ['ragged', ['a0', 'b0', 'a1', 'b1', 'b2']],
  ] as const)('ends with the %s recording', async (ending, expected) => {
    const { shots } = await runOf([host('a', [0, 10]), host('b', [0, 10, 12])], { ending })
    expect(paths(shots).map((path) => path.slice(1))).toEqual(expected)
  })

  it('starts each recording over when it ends, on new connections, for as long as it is told', async () => {
    const { shots, plan } = await runOf([host('a', [0, 1]), host('b', [0, 2, 4])], {
      ending: 'loop',
      align: 'start',
      durationNs: 7 * SECOND,
    })
    expect(shots.map(({ path, dueNs }) => `${path} ${dueNs / SECOND}`)).toEqual([
      '/a0 0',
      '/b0 0',
      '/a1 1',
      '/a0 2',
      '/b1 2',
      '/a1 3',
      '/a0 4',
      '/b2 4',
      '/a1 5',
      '/a0 6',
      '/b0 6',
    ])
    const ofA = shots.filter(({ path }) => path.startsWith('/a'))
    expect(new Set(ofA.map(({ connection }) => connection)).size).toBe(4)
    expect(new Set(ofA.map(({ session }) => session)).size).toBe(4)
    expect(plan.shots).toBe(11)
  })

  it('loops without an end where none is given, and clones as it does', async () => {
    const { shots, plan } = await runOf([host('a', [0, 1, 2])], { ending: 'loop', amplify: 2 }, 5_000)
    expect(plan.shots).toBe(Infinity)
    expect(shots.length).toBeGreaterThanOrEqual(5_000)
    expect(dues(shots)).toEqual(dues(shots).toSorted((a, b) => a - b))
    expect(new Set(shots.map(({ connection, path }) => `${connection} ${path}`)).size).toBe(shots.length)
  })

  it('reads a recording once for the plan and once for all loops where it fits into memory', async () => {
    let reads = 0
    const plain = host('a', [0, 1, 2])
    const counted = { info: plain.info, exchanges: () => (reads++, plain.exchanges()) }
    await runOf([counted], { ending: 'loop' }, 1_000)
    expect(reads).toBe(2)
  })

  it('sends nothing that is due at or after the duration', async () => {
    const { shots } = await runOf([host('a', [0, 1, 2, 3])], { durationNs: 2 * SECOND, amplify: 3, jitterNs: 1 })
    expect(Math.max(...dues(shots))).toBeLessThan(2 * SECOND)
    expect(shots.length).toBe(6)
  })

  it('takes only what was recorded between two times, and starts with it', async () => {
    const between = { fromUnixNs: TEN_OCLOCK + BigInt(SECOND), toUnixNs: TEN_OCLOCK + BigInt(3 * SECOND) }
    const { shots, plan } = await runOf([host('a', [0, 1, 2, 3])], { between })
    expect(shots.map(({ path, dueNs }) => `${path} ${dueNs / SECOND}`)).toEqual(['/a1 0', '/a2 1'])
    expect(plan.exchanges).toBe(2)
  })

  it('takes parts for one recording, whatever their order and overlap', async () => {
    const first = recording(
      recordingInfo(),
      [0, 2, 5].map((at) => asked({ atNs: at * SECOND, path: `/${at}` })),
    )
    const origin = TEN_OCLOCK + BigInt(4 * SECOND)
    const second = recording(
      recordingInfo({ part: 1, originUnixNs: origin }),
      [0, 2].map((at) => asked({ atNs: at * SECOND, path: `/${at + 4}` })),
    )
    const { shots } = await runOf([second, first])
    expect(shots.map(({ path, dueNs }) => `${path} ${dueNs / SECOND}`)).toEqual([
      '/0 0',
      '/2 2',
      '/4 4',
      '/5 5',
      '/6 6',
    ])
    expect(new Set(shots.map(({ connection }) => connection)).size).toBe(1)
    expect(paths(shots.filter(({ last }) => last))).toEqual(['/6'])
  })

  it('reads a part that is given twice once, and says so', async () => {
    const { shots, plan } = await runOf([host('a', [0, 1]), host('a', [0, 1])])
    expect(shots.length).toBe(2)
    expect(plan.warnings.join()).toContain('given twice')
  })

  it('makes batches of bounded count, bytes and span', async () => {
    const many = Array.from({ length: 3_000 }, (_, index) => asked({ atNs: index * 1e3 }))
    const heavy = Array.from({ length: 40 }, (_, index) =>
      asked({ atNs: SECOND + index, method: 'POST', body: 'x'.repeat(index === 20 ? 2 * MAX_BATCH_BYTES : 20_000) }),
    )
    const sparse = Array.from({ length: 20 }, (_, index) => asked({ atNs: 2 * SECOND + index * 20e6 }))
    const permissions = { allowWrites: true, keepReplayed: false }
    const { batches, shots } = await runOf([recording(recordingInfo(), [...many, ...heavy, ...sparse])], {
      permissions,
    })
    expect(shots.length).toBe(3_060)
    for (const { count, bytes, dueNs } of batches) {
      expect(count).toBeLessThanOrEqual(MAX_BATCH_SHOTS)
      expect(count === 1 || bytes.length <= MAX_BATCH_BYTES).toBe(true)
      expect((dueNs.at(-1) ?? 0) - (dueNs[0] ?? 0)).toBeLessThanOrEqual(MAX_BATCH_SPAN_NS)
    }
  })

  it('gives all shots of a clone of a session to one shard, and each shard its shots in order', async () => {
    const exchanges = Array.from({ length: 600 }, (_, index) =>
      asked({ atNs: index * 1e6, connection: index % 60, session: `u${index % 60}`, path: `/${index}` }),
    )
    const one = await runOf([recording(recordingInfo(), exchanges)], { amplify: 2 })
    const three = await runOf([recording(recordingInfo(), exchanges)], { amplify: 2, shards: 3 })
    expect(new Set(three.shots.map(({ shard }) => shard))).toEqual(new Set([0, 1, 2]))
    for (const shots of groupBy(three.shots, ({ session }) => session).values()) {
      expect(new Set(shots.map(({ shard }) => shard)).size).toBe(1)
    }
    for (const shots of groupBy(three.shots, ({ shard }) => shard).values()) {
      expect(dues(shots)).toEqual(dues(shots).toSorted((a, b) => a - b))
    }
    const identity = ({ path, dueNs, connection }: ReadShot): string => `${path} ${dueNs} ${connection}`
    expect(three.shots.map(identity).toSorted()).toEqual(one.shots.map(identity).toSorted())
  })

  it('carries route, recorded status and the recorded exchange with every shot', async () => {
    const options = scheduleOptions()
    const exchanges = [
      asked({ atNs: 0, path: '/users/7', tookNs: 3e6 }),
      { ...asked({ atNs: 1, path: '/users/8' }), response: 'gap' as const },
    ]
    const { batches } = await runOf([recording(recordingInfo(), exchanges)], options)
    expect([...(batches[0]?.recordedStatus ?? [])]).toEqual([200, 0])
    expect([...(batches[0]?.exchange ?? [])]).toEqual(exchanges.map(({ id }) => id))
    expect([...(batches[0]?.recordedAtNs ?? [])]).toEqual([0, 1])
    expect(new Set(batches[0]?.route)).toEqual(new Set([options.routes.indexOf('GET', '/users/9')]))
  })

  it('stops when its signal aborts', async () => {
    const options = scheduleOptions({ ending: 'loop' })
    const stop = new AbortController()
    const survey = await surveyRecordings([host('a', [0, 1])], options, () => false, stop.signal)
    const drain = async (): Promise<void> => {
      let batches = 0
      for await (const batch of schedule(survey, planReplay(survey, options), options, stop.signal)) {
        batches += Math.sign(batch.count)
        if (batches === 3) stop.abort()
      }
    }
    expect((await rejectionOf(drain())).code).toBe('MESH_ERR_ABORTED')
  })
})

/** A recording of one connection of a host, with requests at these seconds; paths say host and place: `/a0`. */
function host(name: string, seconds: readonly number[]): ReturnType<typeof recording> {
  const exchanges = seconds.map((at, place) => asked({ atNs: at * SECOND, path: `/${name}${place}` }))
  return recording(recordingInfo({ host: name }), exchanges)
}
