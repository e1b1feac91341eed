import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { Answer } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const file = folder.path('a.mcap')

const refuse: Answer = (response) => response.writeHead(401, { 'content-length': 0 }).end()

/** Forty requests a second by 20 users. */
beforeAll(() => recordSessions(file, { host: 'a', users: 20, steps: 6, gapMs: 500 }))
afterAll(() => folder.remove())

describe('mesh replay --find-capacity', () => {
  it('says that a target holds nothing where it fails from the beginning, and that it was stopped where it was', async () => {
    const target = await startHttpTarget((response) => response.writeHead(503, { 'content-length': 0 }).end())
    const flags = ['--find-capacity', '--gate', 'error_rate < 50%', '--step', '1s', '--on-invalid', 'warn'] as const
    const { code, stdout } = await startReplay([file], target.url, ...flags, '--amplify', '4').ended
    expect(stdout).toMatch(/^capacity {4}does not hold 0\.\d+x/m)
    expect(code).toBe(3)
    const stopped = startReplay([file], target.url, ...flags)
    await stopped.said(/step 1x/)
    stopped.signal('SIGINT')
    expect((await stopped.ended).code).toBe(130)
    await target.close()
  })

  it('says of a target that lets nobody in that what it holds are refusals', async () => {
    const target = await startHttpTarget(refuse)
    const flags = ['--gate', 'error_rate < 50%', '--step', '1s', '--max-multiplier', '1', '--on-invalid', 'warn']
    const { stdout, stderr } = await startReplay([file], target.url, '--find-capacity', ...flags).ended
    await target.close()
    expect(stdout).toContain('every reply was 401 or 403, and not in the recording')
    expect(stderr).toMatch(/^verdict: \w+; every reply was 401 or 403/m)
    expect(stderr).toMatch(/^exit [0-4]: .*; the load was not the recorded one, see the verdict/m)
  })

  it.each([
    [[], 'a search needs a gate to hold'],
    [['--gate', 'warn: p99 < 1s'], 'a search needs a gate to hold'],
    [['--gate', 'achieved_rate > 100/s'], 'is a rate, and that is what is searched'],
    [['--gate', 'errors < 5'], 'counts, and steps differ in length'],
    [['--gate', 'p99 > 1s for 5s => abort'], 'stops a run'],
    [['--gate', 'p99.99 < 1s'], 'too few for gates that need 100000 samples'],
    [['--gate', 'p99 < 1s', '--stages', '5s:1x'], '--find-capacity and --stages exclude each other'],
    [['--gate', 'p99 < 1s', '--speed', 'max'], '--find-capacity and --speed max exclude each other'],
  ])('refuses %j before anything is sent', async (flags, what) => {
    const plan = ['replay', file, '--to', 'http://127.0.0.1:9', '--plan', '--find-capacity']
    const { code, stderr } = await runMesh(...plan, ...flags)
    expect(stderr).toContain(what)
    expect(code).toBe(2)
  })
})

describe('mesh replay --baseline', () => {
  it('says of a baseline that lets nobody in that its numbers are those of refusals', async () => {
    const [target, baseline] = await Promise.all([startHttpTarget(), startHttpTarget(refuse)])
    const flags = ['--baseline', baseline.url, '--step', '1s', '--on-invalid', 'warn']
    const stopped = startReplay([file], target.url, ...flags)
    await stopped.said(/^pair 1: measured/m)
    stopped.signal('SIGINT')
    const { code, stdout, stderr } = await stopped.ended
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('- at the baseline, every reply was 401 or 403')
    expect(stderr).toMatch(/^verdict: \w+; at the baseline, every reply was 401 or 403/m)
    expect(code).toBe(130)
    await Promise.all([target.close(), baseline.close()])
  })

  it('says in its plan which gates lack samples, and what gives them', async () => {
    const nowhere = 'http://127.0.0.1:9'
    const flags = ['--baseline', nowhere, '--pairs', '8', '--step', '1s', '--gate', 'p95 < 110% of baseline']
    const { code, stderr } = await runMesh('replay', file, '--to', nowhere, '--plan', ...flags)
    const said = /needs 2,000 samples, and (\d+) requests are planned: --pairs (\d+) or --step (\d+)s, or gate a lower/
    const [shots = 0, pairs = 0, seconds = 0] = said.exec(stderr)?.slice(1).map(Number) ?? []
    // About forty a second for eight seconds.
    expect(Math.abs(shots - 320)).toBeLessThan(20)
    expect([pairs, seconds]).toEqual([Math.ceil((8 * 2_000) / shots), Math.ceil(2_000 / shots)])
    expect(code).toBe(0)
  })

  it.each([
    [['--gate', 'p95 < 110% of baseline'], 'it compares with baseline, and no baseline was given'],
    [['--baseline', 'http://127.0.0.1:9', '--gate', 'errors < 110% of baseline'], 'errors has no ratio to a baseline'],
    [['--baseline', 'http://127.0.0.1:9', '--gate', 'p95 > 110% of baseline for 5s => abort'], 'cannot stop the run'],
    [['--baseline', 'http://127.0.0.1:9', '--stages', '5s:1x'], '--baseline and --stages exclude each other'],
    [['--baseline', 'http://127.0.0.1:9', '--find-capacity'], '--find-capacity and --baseline exclude each other'],
    [['--baseline', 'http://127.0.0.1:9', '--pairs', '3'], 'expected'],
  ])('refuses %j before anything is sent', async (flags, what) => {
    const { code, stderr } = await runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--plan', ...flags)
    expect(stderr).toContain(what)
    expect(code === 2 || stderr.includes('would not run')).toBe(true)
  })
})
