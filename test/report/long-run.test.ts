import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun } from '../../src/report/describe-run.ts'
import { intervalLine } from '../../src/report/interval-row.ts'
import { readSeries } from '../../src/report/read-series.ts'
import { INTERVALS_FILE } from '../../src/report/run-directory.ts'
import { writeReports } from '../../src/report/write-reports.ts'
import { MS, outcome } from '../measure/outcomes.ts'
import { measure, runFacts, SECOND, SLOWEST } from './runs.ts'

const HOUR_SECONDS = 3600
const ROUTES = 50

/** Seconds that are made; the hour repeats them. */
const MADE_SECONDS = 10

const NAMES = Array.from({ length: ROUTES }, (_, route) => `GET /api/v2/resources-${route}/:id/items`)

describe('the reports of an hour at 1,000 requests a second', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mesh-hour-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true })
  })

  it('are pages that a browser opens and a CI system keeps, whatever the hour weighs', async () => {
    const random = seededRandom(7)
    const outcomes = Array.from({ length: MADE_SECONDS * 1000 }, (_, index) => {
      // From 1 ms to seconds, as a busy service has them.
      const serviceNs = MS * Math.exp(8 * random() ** 3)
      const error = random() < 0.001 ? 'timeout' : 'none'
      const facts = { route: Math.floor(ROUTES * random() ** 2), dueNs: index * MS, serviceNs }
      return outcome({ ...facts, error, status: error === 'none' ? (random() < 0.02 ? 503 : 200) : 0 })
    })
    const { measurement, rows } = measure(outcomes)
    const made: string[] = []
    // Later ones have the slowest replies alone.
    const seconds = rows.filter(({ kind }) => kind === 'second').slice(0, MADE_SECONDS)
    for (const row of seconds) made.push(await intervalLine(row, NAMES))
    const lines = Array.from({ length: HOUR_SECONDS }, (_, second) =>
      (made[second % made.length] ?? '').replace(/"second":\d+/, `"second":${second}`),
    )
    await writeFile(join(folder, INTERVALS_FILE), lines)
    const windowNs = HOUR_SECONDS * SECOND
    const facts = runFacts({ windowNs, slowest: SLOWEST, planned: { durationNs: windowNs } })
    const run = describeRun(facts, measurement, new RecordedStats(), NAMES)
    const timeline = Array.from({ length: HOUR_SECONDS }, () => 1000)
    await writeReports(folder, { ...run, timeline: { due: timeline, sent: timeline } })

    const { spans, spanSeconds, unread } = await readSeries(folder)
    expect({ spans: spans.length * spanSeconds, unread }).toEqual({ spans: HOUR_SECONDS, unread: 0 })
    expect(spans.reduce((sum, { shots }) => sum + shots, 0)).toBeGreaterThan(HOUR_SECONDS * 900)
    const size = async (name: string): Promise<number> => (await stat(join(folder, name))).size
    expect(await size('report.html')).toBeLessThan(500_000)
    expect(await size('report.html')).toBeGreaterThan(100_000)
    for (const name of ['summary.md', 'junit.xml', 'metrics.prom']) expect(await size(name)).toBeLessThan(100_000)
  })
})
