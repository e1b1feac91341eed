import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { GateResult } from '../../../src/measure/gates/gate-result.ts'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import type { MeshResult } from '../../support/mesh.ts'
import { startMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import type { SessionRecording } from '../../support/session-recordings.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

/** 300 requests in 1.2 s, a fifth of them writes. */
const SHORT: SessionRecording = {
  host: 'short',
  users: 10,
  steps: 30,
  gapMs: 40,
  method: (step) => (step % 5 === 0 ? 'POST' : 'GET'),
}

/** 100 requests a second for 20 s. */
const LONG: SessionRecording = { host: 'long', users: 10, steps: 200, gapMs: 100 }

const folder = temporaryFolder()
const fileOf = ({ host }: SessionRecording): string => folder.path(`${host}.mcap`)
const ROUTE = 'GET /short/user/:id/step/:id'
let target: HttpTarget
let runs = 0

beforeAll(async () => {
  for (const recording of [SHORT, LONG]) await recordSessions(fileOf(recording), recording)
})
beforeEach(async () => {
  target = await startHttpTarget()
})
afterEach(() => target.close())
afterAll(() => folder.remove())

interface Judged extends MeshResult {
  readonly lastLine: string
  readonly gates: readonly GateResult[]
}

/** Replays SHORT with these gates. Others use this machine: whether the numbers are worth anything is not the question here. */
async function judge(gates: readonly string[], ...flags: readonly string[]): Promise<Judged> {
  const directory = folder.path(`run-${runs++}`)
  const words = ['-o', directory, '--on-invalid', 'warn', ...gates.flatMap((gate) => ['--gate', gate]), ...flags]
  const result = await startReplay([fileOf(SHORT)], target.url, ...words).ended
  const { gates: results } = await readRunDirectory(directory)
  return { ...result, lastLine: lastLineOf(result.stderr), gates: results }
}

function lastLineOf(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

describe('the exit code of a run with gates', () => {
  it('is 0 where all hold, and the report has a line for each', async () => {
    const gates = ['p50 < 10s', `mean{route="${ROUTE}"} < 10s`, 'error_rate < 1%', 'achieved_rate > 1% of target']
    const { code, stdout, lastLine, gates: results } = await judge(gates)
    expect([code, lastLine]).toEqual([0, 'exit 0: 4 of 4 gates passed'])
    expect(results.map(({ gate, outcome }) => [gate, outcome])).toEqual(gates.map((gate) => [gate, 'passed']))
    expect(results[2]).toMatchObject({ actual: 0, limit: 0.01, unit: 'ratio', samples: 240, severity: 'fail' })
    expect(stdout).toMatch(/^p50 < 10s .* 10\.0s +240 +passed$/m)
  })

  it('is 3 where one fails, and 0 with --exit-zero', async () => {
    const failing = ['p50 < 1us', 'errors == 0']
    const { code, stdout, lastLine } = await judge(failing)
    expect([code, lastLine]).toEqual([3, 'exit 3: 1 of 2 gates failed'])
    expect(stdout).toMatch(/^p50 < 1us .* FAILED$/m)
    expect(stdout).toMatch(/p50 is .*, not below 1\.00us/)
    const excused = await judge(failing, '--exit-zero')
    expect([excused.code, excused.lastLine]).toEqual([0, 'exit 0 (3 without --exit-zero): 1 of 2 gates failed'])
  })

  it('is 0 where only a warning fails', async () => {
    const { code, stdout, lastLine } = await judge(['warn: p50 < 1us', 'errors == 0'])
    expect([code, lastLine]).toEqual([0, 'exit 0: 1 of 2 gates passed, 1 warned'])
    expect(stdout).toMatch(/^warn: p50 < 1us .* warning$/m)
  })

  it('is 4 where a gate has no sample or too few, whatever else failed and was excused', async () => {
    const gates = ['errors{route="POST /short/user/:id/step/:id"} == 0', 'p99 < 10s', 'p50 < 1us']
    const { code, stderr, lastLine, gates: results } = await judge(gates)
    expect([code, lastLine]).toEqual([4, 'exit 4: 2 of 3 gates have no data'])
    expect(results.map(({ outcome }) => outcome)).toEqual(['no_data', 'no_data', 'failed'])
    expect(results[0]?.what).toBe('there was no request of POST /short/user/:id/step/:id in this run')
    expect(stderr).toContain('gate "p99 < 10s" needs 10,000 samples, and 240 requests are planned')
  })

  it('is 4 and not 3 where the measurement is not valid, and 3 where that is only warned of', async () => {
    await target.close()
    target = await startHttpTarget((response) => response.socket?.destroy())
    const invalid = await judge(['error_rate < 1%'], '--no-breaker', '--on-invalid', 'fail')
    expect([invalid.code, invalid.lastLine]).toEqual([
      4,
      expect.stringMatching(/^exit 4: the measurement is not valid: /),
    ])
    expect(invalid.gates).toMatchObject([{ outcome: 'failed', actual: 1 }])
    expect((await judge(['error_rate < 1%'], '--no-breaker')).code).toBe(3)
  })

  it('is 5 where a gate stops the run, which keeps what there was', async () => {
    const directory = folder.path('aborted')
    const flags = ['--gate', 'p50 > 1us for 2s => abort', '--gate', 'errors == 0', '-o', directory]
    const { code, stdout, stderr } = await startReplay([fileOf(LONG)], target.url, ...flags).ended
    expect([code, lastLineOf(stderr)]).toEqual([5, 'exit 5: stopped by the gate p50 > 1us for 2s => abort'])
    expect(stdout).toMatch(/ABORTED$/m)
    const run = await readRunDirectory(directory)
    expect(run.gates).toMatchObject([
      { outcome: 'aborted', what: 'p50 was above 1.00us for 2 seconds in a row, which stops a run' },
      { outcome: 'no_data', what: 'not judged: the gate p50 > 1us for 2s => abort stopped the run' },
    ])
    expect(run.totals.replies).toBe(target.seen.length)
    expect(target.seen.length).toBeLessThan(2000)
    expect(run.plan.shots).toBe(2000)
  })

  it('is 130 after Ctrl-C, and nothing is judged', async () => {
    const directory = folder.path('interrupted')
    const mesh = startReplay([fileOf(LONG)], target.url, '--gate', 'p50 < 1us', '-o', directory)
    await target.saw(20)
    mesh.signal('SIGINT')
    const { code, stderr } = await mesh.ended
    expect([code, lastLineOf(stderr)]).toEqual([130, 'exit 130: interrupted by SIGINT; gates were not judged'])
    const run = await readRunDirectory(directory)
    expect(run.gates).toMatchObject([{ outcome: 'no_data', what: 'not judged: the run was interrupted' }])
  })
})

describe('a gate that cannot be judged', () => {
  it.each([
    ['eror_rate < 1%', 'unknown metric "eror_rate" (--gate "eror_rate < 1%"): did you mean error_rate?'],
    ['p50{route="GET /short/user/:id/stp/:id"} < 1s', `did you mean ${ROUTE}?`],
  ])('is refused with exit 2 before anything is sent: %s', async (gate, said) => {
    const { code, stderr } = await startReplay([fileOf(SHORT)], target.url, '--gate', gate).ended
    expect(code).toBe(2)
    expect(stderr).toContain(said)
    expect(target.seen).toHaveLength(0)
  })
})

describe('gates of the environment and of mesh.yaml', () => {
  it('are those of the file, unless the environment has some, unless the command line does', async () => {
    const file = folder.path('mesh.yaml')
    writeFileSync(file, 'gates:\n  - p50 < 1us\n  - errors == 0\nreplay:\n  on-invalid: warn\n')
    const words = ['replay', fileOf(SHORT), '--to', target.url, '--config', file]
    const ofFile = await startMesh(words).ended
    expect([ofFile.code, lastLineOf(ofFile.stderr)]).toEqual([3, 'exit 3: 1 of 2 gates failed'])
    const environment = { MESH_GATE: 'errors == 0\nmismatches == 0\nreplies > 1' }
    const ofVariable = await startMesh(words, { environment }).ended
    expect([ofVariable.code, lastLineOf(ofVariable.stderr)]).toEqual([0, 'exit 0: 3 of 3 gates passed'])
    const ofFlag = await startMesh([...words, '--gate', 'p50 < 250'], { environment }).ended
    expect([ofFlag.code, lastLineOf(ofFlag.stderr)]).toEqual([2, expect.stringContaining('--gate "p50 < 250"')])
  })
})
