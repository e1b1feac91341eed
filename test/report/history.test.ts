import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { exitOfRun } from '../../src/cli/replay/run-exit.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { Finding } from '../../src/measure/comparison/finding.ts'
import { parseGate } from '../../src/measure/gates/parse-gate.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun, type RunFacts } from '../../src/report/describe-run.ts'
import { compareWithHistory, listRuns } from '../../src/report/history.ts'
import { REPORTERS } from '../../src/report/index.ts'
import { parseRun } from '../../src/report/read-run.ts'
import type { Run, RunPlan, RunRequest } from '../../src/report/run.ts'
import { MS, outcome } from '../measure/outcomes.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { measure, runFacts, SECOND } from './runs.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

const REQUESTS = 4000
const ROUTES = ['GET /cart', 'GET /search']

interface RunShape {
  readonly id: string
  /** Times what requests took. */
  readonly factor?: number
  /** Times it for searches alone. */
  readonly searchFactor?: number
  readonly failing?: number
  readonly facts?: Partial<RunFacts> & { readonly planned?: Partial<RunPlan> }
}

/** Four thousand requests in ten seconds: carts of 20 ms and searches of 60 ms, within 20 % either way. */
function runOf({ id, factor = 1, searchFactor = 1, failing = 0, facts = {} }: RunShape): Run {
  const random = seededRandom(Number(/\d+/.exec(id)?.[0] ?? 0) + 1)
  const outcomes = Array.from({ length: REQUESTS }, (_, index) => {
    const route = index % 2
    const dueNs = (index * 10 * SECOND) / REQUESTS
    const ms = route === 0 ? 20 * factor : 60 * factor * searchFactor
    return outcome({ route, dueNs, serviceNs: ms * (0.8 + 0.4 * random()) * MS, status: index < failing ? 503 : 200 })
  })
  const { measurement } = measure(outcomes)
  return describeRun(runFacts({ runId: id, ...facts }), measurement, new RecordedStats(), ROUTES)
}

/** A directory of runs, by their names in it. */
function directoryOf(name: string, runs: Readonly<Record<string, Run | string>>): string {
  const directory = folder.path(name)
  mkdirSync(directory)
  for (const [run, content] of Object.entries(runs)) {
    mkdirSync(join(directory, run))
    writeFileSync(join(directory, run, 'run.json'), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return directory
}

/** Machines differ by some percent from run to run. */
const FACTORS = [1, 1.02, 0.98, 1.01, 0.99, 1.015]
const history = (): Record<string, Run> =>
  Object.fromEntries(FACTORS.map((factor, index) => [`run-${index}`, runOf({ id: `r-${index}`, factor })]))

const answersOf = (findings: readonly Finding[]): readonly string[] =>
  findings
    .filter(({ answer }) => answer !== 'same')
    .map(({ route, metric, answer }) => `${metric} of ${route ?? 'all'} ${answer}`)

describe('a run against earlier ones', () => {
  const earlier = directoryOf('earlier', history())

  it('is no worse where it differs as they do among themselves', async () => {
    const { comparison } = await compareWithHistory(runOf({ id: 'r-70', factor: 1.01 }), earlier, [])
    expect(comparison).toMatchObject({ with: 'history', used: 6, needed: 5, skipped: [] })
    expect(answersOf(comparison.findings)).toEqual([])
    expect(comparison.findings).toHaveLength(9)
  })

  it('is worse by the route that is, with what was expected, and fails with exit 3', async () => {
    const current = runOf({ id: 'r-71', searchFactor: 1.25 })
    const { comparison } = await compareWithHistory(current, earlier, [])
    expect(answersOf(comparison.findings)).toEqual(
      expect.arrayContaining(['p50 of GET /search worse', 'p95 of GET /search worse']),
    )
    expect(answersOf(comparison.findings)).not.toContain('p50 of GET /cart worse')
    const search = comparison.findings.find(({ route, metric }) => route === 'GET /search' && metric === 'p50')
    expect(search?.change).toBeCloseTo(0.25, 1)
    expect(search?.before).toBeCloseTo(60 * MS, -7)
    const run: Run = { ...current, comparison }
    const end = {
      signal: undefined,
      breaker: undefined,
      abortedBy: undefined,
      lost: undefined,
      onInvalid: 'fail',
      exitZero: false,
    } as const
    expect(exitOfRun(run, end)).toMatchObject({ code: 3, line: expect.stringContaining('worse than earlier runs: ') })
    expect(parseRun(JSON.stringify(run), 'run.json').comparison).toEqual(comparison)
    let text = ''
    REPORTERS.text.write(run, { write: (part) => (text += part) }, { columns: 80, colour: false })
    expect(text).toMatch(/^GET \/search +p50 +60\.\dms +7\d\.\dms +\+2\d\.\d% +worse$/m)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('is worse by errors, and better without a verdict', async () => {
    const failing = await compareWithHistory(runOf({ id: 'r-72', failing: 60 }), earlier, [])
    expect(answersOf(failing.comparison.findings)).toContain('error_rate of all worse')
    const faster = await compareWithHistory(runOf({ id: 'r-73', factor: 0.7 }), earlier, [])
    expect(answersOf(faster.comparison.findings)).toContain('p50 of all better')
    expect(answersOf(faster.comparison.findings).some((answer) => answer.endsWith('worse'))).toBe(false)
  })

  it('leaves out what cannot be compared, and says why; itself it does not count', async () => {
    const good = history()
    const asked = runFacts().asked
    const other = { ...asked, recordings: asked.recordings.slice(1) }
    const directory = directoryOf('mixed', {
      ...Object.fromEntries(Object.entries(good).slice(0, 4)),
      'a-target': runOf({ id: 'r-10', facts: { asked: { ...asked, target: 'http://elsewhere' } } }),
      'b-recordings': runOf({ id: 'r-11', facts: { asked: other } }),
      'c-plan': runOf({ id: 'r-12', facts: { planned: { amplify: 2 } } }),
      'd-interrupted': runOf({ id: 'r-13', facts: { interrupted: true } }),
      'e-invalid': runOf({ id: 'r-14', facts: { verdict: { name: 'INVALID', reasons: [] } } }),
      'f-version': runOf({ id: 'r-15', facts: { version: '7.0.0' } }),
      'g-older': JSON.stringify({ schema: 'mesh.run/v0' }),
      'h-damaged': '{"schema": "mesh.run/v1", "ver',
      'j-stopped': runOf({ id: 'r-16', facts: { windowNs: 4 * SECOND } }),
      'k-operator': runOf({ id: 'r-17', facts: { operator: [{ atNs: SECOND, speed: 2 }] } }),
      'z-itself': runOf({ id: 'r-74' }),
    })
    mkdirSync(join(directory, 'i-empty'))
    const { comparison } = await compareWithHistory(runOf({ id: 'r-74' }), directory, [])
    expect(comparison.used).toBe(4)
    expect(answersOf(comparison.findings)).toHaveLength(9)
    expect(comparison.skipped.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'a-target: another target',
      'b-recordings: other recordings',
      'c-plan: another plan',
      'd-interrupted: interrupted',
      'e-invalid: disturbed by our own side',
      'f-version: another kind of machine or another mesh',
      'g-older: cannot be read: expected a run of schema mesh.run/v1, found mesh.run/v0',
      'h-damaged: cannot be read: expected JSON, found a file that ends early or is damaged',
      'i-empty: cannot be read: expected the directory of a run (with a run.json), found no run.json in it',
      'j-stopped: stopped before the end',
      "k-operator: its load was changed by hand, or this one's",
    ])
    let text = ''
    const run = { ...runOf({ id: 'r-74' }), comparison }
    REPORTERS.text.write(run, { write: (part) => (text += part) }, { columns: 80, colour: false })
    expect(text).toContain('not judged against earlier runs: 4 comparable earlier runs, and 5')
  })

  it('leaves out what sent something else or otherwise, and names the setting', async () => {
    const sent = (id: string, sending: RunRequest['sending']): Run => {
      const { asked } = runFacts()
      return runOf({ id, facts: { asked: sending === undefined ? asked : { ...asked, sending } } })
    }
    const now = { order: 'connection', workers: '1', rewrite: '#12ab' }
    const directory = directoryOf('otherwise', {
      'a-same': sent('r-20', now),
      'b-order': sent('r-21', { ...now, order: 'none' }),
      'c-rewrite': sent('r-22', { ...now, rewrite: '#34cd' }),
      'd-hook': sent('r-23', { ...now, hook: '#56ef' }),
      'e-without': sent('r-24', { order: 'connection', workers: '1' }),
      'f-older': sent('r-25', undefined),
    })
    const { comparison } = await compareWithHistory(sent('r-77', now), directory, [])
    expect(comparison.used).toBe(1)
    expect(comparison.skipped.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'b-order: --order none, and here connection',
      'c-rewrite: another --rewrite',
      'd-hook: with --hook, and this one without',
      'e-without: without --rewrite',
      'f-older: it does not say how it was sent: another mesh made it',
    ])
  })

  it('gives gates of history what is expected, by any metric, and nothing by too few runs', async () => {
    const gates = ['p90{route="GET /cart"} < 1.1 * history', 'service_mean < history', 'p50 < 1s'].map((text) =>
      parseGate(text, '--gate'),
    )
    const { reference } = await compareWithHistory(runOf({ id: 'r-75' }), earlier, gates)
    const [p90, mean] = gates.map((gate) => reference(gate) ?? 0)
    expect(p90).toBeGreaterThan(22 * MS)
    expect(p90).toBeLessThan(25 * MS)
    expect(mean).toBeCloseTo(40 * MS, -7)
    const few = directoryOf('few', { one: runOf({ id: 'r-1' }) })
    const unknown = await compareWithHistory(runOf({ id: 'r-75' }), few, gates)
    expect(gates.map((gate) => unknown.reference(gate))).toEqual([undefined, undefined, undefined])
  })

  it('expects no errors where earlier runs had none', async () => {
    const gate = parseGate('errors <= 2 * history', '--gate')
    const { reference } = await compareWithHistory(runOf({ id: 'r-76' }), earlier, [gate])
    expect(reference(gate)).toBe(0)
  })

  it('says before anything is sent that it was given a run, not the folder of runs', async () => {
    directoryOf('runs', { one: runOf({ id: 'r-1' }) })
    await expect(listRuns(folder.path('runs/one'))).rejects.toMatchObject({
      code: 'MESH_ERR_USAGE',
      what: 'expected a folder of runs, found a run',
    })
  })

  it('says before anything is sent that there is no such directory', async () => {
    await expect(listRuns(folder.path('nowhere'))).rejects.toMatchObject({ code: 'MESH_ERR_FILE_NOT_FOUND' })
  })
})
