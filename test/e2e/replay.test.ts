import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../src/report/read-run.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { startReplay } from '../support/runs.ts'
import type { SessionRecording } from '../support/session-recordings.ts'
import { recordSessions, stepMs, stepPath, THREE_HOSTS } from '../support/session-recordings.ts'
import { byConnection, HttpTargets } from '../support/targets.ts'

const folder = temporaryFolder()
const fileOf = ({ host }: SessionRecording): string => folder.path(`${host}.mcap`)
const hostFiles = THREE_HOSTS.map(fileOf)
const targets = new HttpTargets()

beforeAll(async () => {
  for (const recording of THREE_HOSTS) await recordSessions(fileOf(recording), recording)
})

afterEach(() => targets.closeAll())

afterAll(() => folder.remove())

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

describe('three recordings of different days, folded onto one target with --amplify 3', () => {
  it('send every session three times, each on connections of its own, in the order and with the gaps recorded', async () => {
    const { url, seen } = await targets.start()
    const directory = folder.path('tripled')
    const flags = ['--amplify', '3', '--align', 'start', '-o', directory]
    const { code, stdout, stderr } = await startReplay(hostFiles, url, ...flags).ended
    expect(stderr).toContain('starts aligned')
    expect([0, 4]).toContain(code)
    expect(stdout).toContain('3x onto one target')

    const counts = new Map<string, number>()
    for (const { path } of seen) counts.set(path, (counts.get(path) ?? 0) + 1)
    const expected = THREE_HOSTS.flatMap(({ host, users, steps }) =>
      Array.from({ length: users * steps }, (_, index) => stepPath(host, index % users, Math.floor(index / users))),
    )
    expect([...counts.keys()].toSorted()).toEqual(expected.toSorted())
    expect([...counts].filter(([, count]) => count !== 3)).toEqual([])

    const connections = byConnection(seen)
    expect(connections).toHaveLength(3 * 30)
    const deviationsMs: number[] = []
    for (const requests of connections) {
      const [, host = '', user = ''] = /^\/(\w)\/user\/(\d+)\//.exec(requests[0]?.path ?? '') ?? []
      const recording = THREE_HOSTS.find((one) => one.host === host)
      if (recording === undefined) throw new Error(`${host} was not recorded`)
      expect(requests.map(({ path }) => path)).toEqual(
        Array.from({ length: recording.steps }, (_, step) => stepPath(host, Number(user), step)),
      )
      const offsetsMs = requests.map(({ atNs }, step) => atNs / 1e6 - stepMs(recording, Number(user), step))
      const shiftMs = median(offsetsMs)
      for (const offsetMs of offsetsMs) deviationsMs.push(Math.abs(offsetMs - shiftMs))
    }
    // On a machine that is busy with other things a run may be late: but then it says so itself.
    const { totals } = await readRunDirectory(directory)
    const admittedNs = [totals.lag, totals.blocked, totals.serviceTime].map(({ p90Ns }) => p90Ns ?? 0)
    expect(median(deviationsMs)).toBeLessThan(50 + Math.max(...admittedNs) / 1e6)
  })

  it('start at the same moment, whatever their clocks said', async () => {
    const { url, seen } = await targets.start()
    const directory = folder.path('started')
    const flags = ['--amplify', '2', '--align', 'start', '--jitter', '500ms', '-o', directory]
    const { stderr } = await startReplay(hostFiles, url, ...flags).ended
    expect(stderr).toContain('each 2 times, clones up to 500ms later')
    const startsNs = THREE_HOSTS.map(
      ({ host }) => seen.find(({ path }) => path === stepPath(host, 0, 0))?.atNs ?? Number.NaN,
    )
    const { totals } = await readRunDirectory(directory)
    const admittedNs = [totals.lag, totals.blocked, totals.serviceTime].map(({ maxNs }) => maxNs ?? 0)
    expect(Math.max(...startsNs) - Math.min(...startsNs)).toBeLessThan(1e9 + Math.max(...admittedNs))
  })
})
