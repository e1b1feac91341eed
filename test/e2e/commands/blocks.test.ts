import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import { startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const file = folder.path('a.mcap')

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
