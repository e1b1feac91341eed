import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../src/report/read-run.ts'
import { runMesh, temporaryFolder } from '../support/mesh.ts'
import { startReplay } from '../support/runs.ts'
import type { SessionRecording } from '../support/session-recordings.ts'
import { recordSessions } from '../support/session-recordings.ts'
import type { HttpTarget } from '../support/targets.ts'
import { answerAfter, startHttpTarget } from '../support/targets.ts'

/** Forty requests a second by 20 users. */
const RECORDING: SessionRecording = { host: 'a', users: 20, steps: 6, gapMs: 500 }

const folder = temporaryFolder()
const file = folder.path('a.mcap')
const targets: HttpTarget[] = []

beforeAll(() => recordSessions(file, RECORDING))
afterEach(async () => {
  await Promise.all(targets.splice(0).map((target) => target.close()))
})
afterAll(() => folder.remove())

async function targetOf(serviceMs: number): Promise<HttpTarget> {
  const target = await startHttpTarget(answerAfter(serviceMs))
  targets.push(target)
  return target
}

describe('mesh replay --baseline', () => {
  it(
    'sends the same requests to both in turns, and fails by what is significantly slower',
    { retry: 2 },
    async (context) => {
      const [baseline, candidate] = [await targetOf(20), await targetOf(60)]
      const directory = folder.path('slower')
      const flags = ['--baseline', baseline.url, '--pairs', '8', '--step', '1s', '--on-invalid', 'warn']
      const gates = ['--gate', 'p50 < 110% of baseline', '--gate', 'warn: mean < 2000% of baseline']
      const { code, stdout, stderr } = await startReplay([file], candidate.url, ...flags, ...gates, '-o', directory)
        .ended
      expect(stderr).toContain(`baseline   ${baseline.url}`)
      const paths = ({ seen }: HttpTarget): readonly string[] => seen.map(({ path }) => path).toSorted()
      expect(paths(candidate)).toEqual(paths(baseline))
      expect(baseline.seen[0]?.headers.host).toBe(new URL(baseline.url).host)
      // Connections stay from block to block.
      expect(new Set(candidate.seen.map(({ connection }) => connection)).size).toBeLessThanOrEqual(40)

      const run = await readRunDirectory(directory)
      expect(run.comparison).toMatchObject({ with: 'baseline', name: baseline.url, used: 8 })
      // It began before its blocks, of which each takes a second or more.
      expect(Date.parse(run.finishedAt ?? '') - Date.parse(run.startedAt)).toBeGreaterThan(16_000)
      context.skip(run.verdict.name === 'INVALID', 'the machine disturbed the blocks, and it said so')
      const p50 = run.comparison?.findings.find(({ metric }) => metric === 'p50')
      expect(p50).toMatchObject({ route: null, answer: 'worse' })
      expect(p50?.low).toBeGreaterThan(0)
      expect(run.gates.map(({ outcome }) => outcome)).toEqual(['failed', 'passed'])
      expect(run.gates[0]?.what).toContain('(110 % of baseline)')
      expect(code).toBe(3)
      expect(stderr).toMatch(/^exit 3: 1 of 2 gates failed$/m)
      expect(stdout).toMatch(/^compared {4}worse than the baseline: p50 of all routes/m)
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
      expect(readFileSync(join(directory, 'report.html'), 'utf8')).toContain('<h3>Comparison</h3>')
      expect(readFileSync(join(directory, 'summary.md'), 'utf8')).toContain('**worse than the baseline')
      expect(readFileSync(join(directory, 'junit.xml'), 'utf8')).toContain(
        'name="p50 of all routes against baseline"><failure',
      )
    },
  )

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

describe('mesh replay --against', () => {
  it('says that there are too few earlier runs, which fails only a gate of history', async () => {
    const target = await targetOf(1)
    const earlier = folder.path('perf')
    const flags = ['--on-invalid', 'warn', '--against', earlier]
    const first = await startReplay([file], target.url, '--on-invalid', 'warn', '-o', join(earlier, 'one')).ended
    expect(first.code).toBe(0)
    const { code, stdout } = await startReplay([file], target.url, ...flags, '-o', join(earlier, 'two')).ended
    expect(stdout).toMatch(/^compared {4}not judged against earlier runs: [01] comparable/m)
    expect(code).toBe(0)
    const gated = await startReplay([file], target.url, ...flags, '--gate', 'mean < 2 * history').ended
    expect(gated.stderr).toContain('exit 4: 1 of 1 gate has no data')
    expect(gated.code).toBe(4)
  })

  it('refuses a directory that is not there before anything is sent', async () => {
    const { code, stderr } = await runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--against', folder.path('no'))
    expect(stderr).toContain('MESH_ERR_FILE_NOT_FOUND')
    expect(code).toBe(1)
  })
})
