import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import type { SessionRecording } from '../../support/session-recordings.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import { startHttpTarget } from '../../support/targets.ts'

/** Ten users for six seconds, fifty requests a second. */
const RECORDING: SessionRecording = { host: 'a', users: 10, steps: 30, gapMs: 200 }

const folder = temporaryFolder()
const file = folder.path('a.mcap')

beforeAll(() => recordSessions(file, RECORDING))
afterAll(() => folder.remove())

/** How often the steps from one to another were sent. */
function sentOf(paths: readonly string[], fromStep: number, toStep: number): number {
  return paths.filter((path) => {
    const step = Number(path.split('/').at(-1))
    return step >= fromStep && step < toStep
  }).length
}

describe('mesh replay --stages', () => {
  it('sends each stage as often as it says over the connections that its sessions need, and reports each', async () => {
    const target = await startHttpTarget()
    const directory = folder.path('staged')
    const flags = ['--stages', '2s:1x,2s:3x,2s:1x', '--jitter', '0s', '-o', directory]
    const { stdout, stderr, code } = await startReplay([file], target.url, ...flags).ended
    await target.close()
    expect([0, 4]).toContain(code)
    expect(stderr).toContain('stage 2    2.00s:3x  about 300 requests, mean 150/s')

    const paths = target.seen.map(({ path }) => path)
    expect([sentOf(paths, 0, 10), sentOf(paths, 10, 20), sentOf(paths, 20, 30)]).toEqual([100, 300, 100])
    expect(new Set(target.seen.map(({ connection }) => connection)).size).toBe(30)

    const run = await readRunDirectory(directory)
    expect(run.counters).toMatchObject({ connected: 30, reconnected: 0 })
    expect(run.stages?.map(({ offered, errors }) => [offered, errors])).toEqual([
      [100, 0],
      [300, 0],
      [100, 0],
    ])
    expect(run.stages?.reduce((sum, { replies }) => sum + replies, 0)).toBe(500)
    expect(stdout).toMatch(/^2\.00s:3x +300 +300 +150\/s +\d+%/m)
    const page = readFileSync(join(directory, 'report.html'), 'utf8')
    expect(page).toContain('<h3>Stages</h3>')
    expect(page).toContain('The multiplier over time')
  })

  it('sends a rate in stages over the connections of the recording, by two threads as by one', async () => {
    const target = await startHttpTarget()
    const directory = folder.path('rates')
    const flags = ['--stages', '1s:20/s,1s:0,20/s..100/s@2s', '--workers', '2', '--yes', '-o', directory]
    const { code } = await startReplay([file], target.url, ...flags).ended
    await target.close()
    expect([0, 4]).toContain(code)
    const run = await readRunDirectory(directory)
    const offered = run.stages?.map((stage) => stage.offered) ?? []
    expect(offered[1]).toBe(0)
    expect(Math.abs((offered[0] ?? 0) - 20)).toBeLessThanOrEqual(2)
    expect(Math.abs((offered[2] ?? 0) - 120)).toBeLessThanOrEqual(4)
    expect(target.seen).toHaveLength(offered.reduce((sum, count) => sum + count, 0))
    expect(new Set(target.seen.map(({ connection }) => connection)).size).toBe(10)
  })

  it.each([
    [['--stages', '1s:1x', '--amplify', '2'], '--stages and --amplify exclude each other'],
    [['--stages', '1s:10/s', '--speed', '2x'], '--stages of rates and --speed exclude each other'],
    [['--stages', '1s:1x', '--speed', 'max'], '--stages and --speed max exclude each other'],
    [['--stages', '1s:1x', '--duration', '3s'], '--stages and --duration exclude each other'],
    [['--stages', '1s:1x', '--closed', '2', '-d', '3s'], '--stages and --duration exclude each other'],
    [['--stages', '1s:1y'], 'expected a multiplier such as'],
    [['--stages', '1s:0'], 'pauses only'],
  ])('refuses %j before anything is sent', async (flags, what) => {
    const { code, stderr } = await runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--plan', ...flags)
    expect(stderr).toContain(what)
    expect(code).toBe(2)
  })

  it('asks for a yes and holds the cap by the highest stage', async () => {
    const plan = ['replay', file, '--to', 'http://127.0.0.1:9', '--plan']
    const above = await runMesh(...plan, '--stages', '2s:10/s,2s:500/s')
    expect(above.stderr).toContain('above the recorded')
    const capped = await runMesh(...plan, '--stages', '2s:1x,2s:4x', '--max-rate', '150/s')
    expect(capped.stderr).toContain('expected a peak of at most 150/s, found 200/s in the plan')
  })
})
