import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../src/report/read-run.ts'
import { type BusyCpu, keepFirstCpuBusy, PINNING_ABSENT, pinToFirstCpu } from '../support/busy-cpu.ts'
import { type MeshResult, temporaryFolder } from '../support/mesh.ts'
import { startReplay } from '../support/runs.ts'
import type { SessionRecording } from '../support/session-recordings.ts'
import { recordSessions } from '../support/session-recordings.ts'
import { answerAfter, startHttpTarget } from '../support/targets.ts'
import { MachineWatch, skipWhereDisturbed } from '../support/undisturbed.ts'
import { startWorkerPool } from '../support/worker-pool.ts'

/** Sixty requests a second by 30 users; the servers below do 200 a second, which is 3.33x of it. */
const RECORDING: SessionRecording = { host: 'a', users: 30, steps: 12, gapMs: 500 }
const TRUE_MULTIPLIER = 200 / 60

const folder = temporaryFolder()
const file = folder.path('a.mcap')
let busy: BusyCpu | undefined

beforeAll(() => recordSessions(file, RECORDING))
afterEach(() => busy?.stop())
afterAll(() => folder.remove())

/** A machine that others use too may disturb a whole search, which then says so. */
const DISTURBED = { retry: 2 }

describe('mesh replay --find-capacity', () => {
  it('finds what four workers of 20 ms hold, over connections that stay, and shows how', DISTURBED, async (context) => {
    const watch = new MachineWatch()
    const server = await startWorkerPool(4, 20)
    const directory = folder.path(`found ${context.task.result?.retryCount ?? 0}`)
    // A machine that others use disturbs a step now and then; the server keeps its own time. From 2.5x on no step is so near to the
    // true multiplier that it has to be repeated.
    const search = ['--find-capacity', '--gate', 'p90 < 150ms', '--step', '2s']
    const flags = [...search, '--amplify', '2.5', '--on-invalid', 'warn', '-o', directory]
    const { code, stdout, stderr } = await startReplay([file], server.url, ...flags).ended
    await server.stop()
    expect(stderr).toMatch(/^ {2}search {5}from 2\.5x up to 64x: /m)
    const run = await readRunDirectory(directory)
    const { capacity } = run
    skipWhereDisturbed(context, watch, run)
    expect([capacity?.limitedBy, capacity?.check]).toEqual([expect.stringMatching(/latency|throughput/), 'held'])
    expect(code).toBe(0)
    expect(Math.abs((capacity?.multiplier ?? 0) / TRUE_MULTIPLIER - 1)).toBeLessThan(0.1)
    expect(capacity?.low).toBeLessThanOrEqual(TRUE_MULTIPLIER * 1.02)
    expect(capacity?.high).toBeGreaterThan(TRUE_MULTIPLIER * 0.98)
    expect(Math.abs((capacity?.basePerSecond ?? 0) - 60)).toBeLessThan(1)
    const most = Math.max(...(capacity?.steps.map(({ multiplier }) => multiplier) ?? []))
    // Two sets of clones take turns where the recording starts over.
    expect(run.counters['peakConnections']).toBeLessThanOrEqual(2 * 30 * Math.ceil(most))
    expect(stdout).toMatch(/^capacity {4}holds 3\.\d+x \(/m)
    expect(stderr).toMatch(/^exit 0: holds 3/m)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    const page = readFileSync(join(directory, 'report.html'), 'utf8')
    expect(page).toContain('<h3>Capacity</h3>')
    expect(page).toContain('Response time over offered load')
    expect(readFileSync(join(directory, 'summary.md'), 'utf8')).toContain('**holds 3')
    expect(readFileSync(join(directory, 'junit.xml'), 'utf8')).toContain('name="capacity: p90 &lt; 150ms"')
  })
})

describe('a recording that gets busier', () => {
  it('has one rate for 1x: the check is at 0.9 of it, though it replays a longer part', async (context) => {
    const busier = folder.path('busier.mcap')
    // The users come one after the other for six seconds.
    await recordSessions(busier, { host: 'b', users: 60, steps: 40, gapMs: 200, firstMs: (user) => user * 100 })
    const target = await startHttpTarget()
    const directory = folder.path('run busier')
    const search = ['--find-capacity', '--gate', 'error_rate < 50%', '--step', '2s', '--on-invalid', 'warn']
    await startReplay([busier], target.url, ...search, '--max-multiplier', '1', '-o', directory).ended
    await target.close()
    const { capacity } = await readRunDirectory(directory)
    context.skip(capacity?.check !== 'held', 'the machine disturbed the search, and it said so')
    const [step, check] = capacity?.steps ?? []
    expect(step?.perSecond).toBeCloseTo(capacity?.basePerSecond ?? 0, 6)
    expect(check?.isCheck).toBe(true)
    expect((check?.perSecond ?? 0) / (step?.perSecond ?? 1)).toBeGreaterThan(0.8)
    expect((check?.perSecond ?? 0) / (step?.perSecond ?? 1)).toBeLessThan(1)
    expect(check?.multiplier).toBeCloseTo((check?.perSecond ?? 0) / (capacity?.basePerSecond ?? 1), 6)
  })
})

describe.skipIf(PINNING_ABSENT)(`a generator that is starved${PINNING_ABSENT ? ` (${PINNING_ABSENT})` : ''}`, () => {
  /** What a search ends with that has little of one CPU from its first request on. */
  async function starved(...flags: readonly string[]): Promise<MeshResult> {
    const target = await startHttpTarget(answerAfter(20))
    const mesh = startReplay([file], target.url, '--find-capacity', ...flags)
    await target.saw(1)
    pinToFirstCpu(mesh.process.pid ?? 0)
    busy = await keepFirstCpuBusy(6, 200)
    const result = await mesh.ended
    await target.close()
    return result
  }

  it('ends the search with exit 4, and is named as the limit', DISTURBED, async () => {
    const { code, stdout, stderr } = await starved('--gate', 'p90 < 150ms', '--step', '2s')
    expect(stdout).toMatch(/limited by the generator, not by the target/)
    expect(stdout).toMatch(/^INVALID/m)
    expect(stderr).toMatch(/starved, .*, once more/)
    expect(code).toBe(4)
  })

  it('is INVALID where --on-invalid warn goes on all the same, and says that its interval cannot be trusted', async () => {
    const flags = ['--gate', 'p90 < 9s', '--step', '2s', '--max-multiplier', '1x', '--on-invalid', 'warn']
    const { code, stdout, stderr } = await starved(...flags)
    expect(stdout).toMatch(/^INVALID/m)
    expect(stderr).toMatch(/^exit [03]: .*; our own side disturbed steps of it: the interval cannot be trusted$/m)
    expect([0, 3]).toContain(code)
  })
})
