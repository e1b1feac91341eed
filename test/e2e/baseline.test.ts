import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../src/report/read-run.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { startReplay } from '../support/runs.ts'
import type { SessionRecording } from '../support/session-recordings.ts'
import { recordSessions } from '../support/session-recordings.ts'
import type { HttpTarget } from '../support/targets.ts'
import { answerAfter, startHttpTarget } from '../support/targets.ts'
import { MachineWatch, skipWhereDisturbed } from '../support/undisturbed.ts'

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
      const watch = new MachineWatch()
      const [baseline, candidate] = [await targetOf(20), await targetOf(60)]
      const directory = folder.path(`slower ${context.task.result?.retryCount ?? 0}`)
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
      expect(run.comparison).toMatchObject({ with: 'baseline', name: baseline.url })
      // It began before its blocks, of which each takes a second or more.
      expect(Date.parse(run.finishedAt ?? '') - Date.parse(run.startedAt)).toBeGreaterThan(16_000)
      skipWhereDisturbed(context, watch, run)
      expect(run.comparison?.used).toBe(8)
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
})
