import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Histogram } from '../../src/measure/histogram.ts'
import { readSeries } from '../../src/report/read-series.ts'
import { INTERVALS_FILE, RunDirectory } from '../../src/report/run-directory.ts'
import { MAX_SPANS, RunSeries, type SecondOfRun } from '../../src/report/series.ts'
import { bucketsOf, histogramOf } from '../measure/histograms.ts'
import { measure, ROUTE_NAMES, shopOutcomes, shopRun } from './runs.ts'

function secondOf(second: number, durations: readonly number[]): SecondOfRun {
  return {
    second,
    shots: durations.length + 1,
    sent: durations.length + 1,
    replies: durations.length,
    statuses: { 200: durations.length },
    errors: { timeout: 1 },
    responseTime: histogramOf(durations),
    serviceTime: histogramOf(durations),
    lagP99Ns: second,
    routes: [{ route: 1, p99Ns: second }],
  }
}

describe('a series', () => {
  it('keeps every count and every latency, however many seconds are put together', () => {
    const seconds = fc.uniqueArray(
      fc.record({
        second: fc.nat(5_000),
        durations: fc.array(fc.double({ min: 1e3, max: 1e9, noNaN: true }), { maxLength: 4 }),
      }),
      { selector: ({ second }) => second, maxLength: 60 },
    )
    fc.assert(
      fc.property(seconds, (given) => {
        const series = new RunSeries()
        const rows = given.toSorted((a, b) => a.second - b.second)
        for (const { second, durations } of rows) series.add(secondOf(second, durations))
        const all = new Histogram()
        for (const span of series.spans) all.add(span.responseTime)
        expect(bucketsOf(all)).toEqual(bucketsOf(histogramOf(rows.flatMap(({ durations }) => durations))))
        expect(series.spans.reduce((sum, { shots }) => sum + shots, 0)).toBe(all.count + rows.length)
        expect(series.spans.length).toBeLessThanOrEqual(MAX_SPANS)
        const last = rows.at(-1)?.second
        expect(series.spans.length).toBe(last === undefined ? 0 : Math.floor(last / series.spanSeconds) + 1)
        expect(Math.max(0, ...(series.routeP99Ns.get(1) ?? []).map(Number))).toBe(last ?? 0)
      }),
      { numRuns: 60 },
    )
  })

  it('has the worst second of a span, and no mean of percentiles', () => {
    const series = new RunSeries()
    for (let second = 0; second < 2 * MAX_SPANS; second++) series.add(secondOf(second, []))
    expect(series.spanSeconds).toBe(2)
    expect(series.spans.map(({ lagP99Ns }) => lagP99Ns).slice(0, 3)).toEqual([1, 3, 5])
    expect(series.routeP99Ns.get(1)?.slice(0, 3)).toEqual([1, 3, 5])
  })
})

describe('the intervals of a run', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mesh-series-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true })
  })

  it('are read back as they were measured, but for a line that a crash cut', async () => {
    const { measurement, rows } = measure(shopOutcomes())
    const path = join(folder, 'run')
    const directory = await RunDirectory.create(path, shopRun(), ROUTE_NAMES)
    for (const row of rows) directory.addRow(row)
    const total = measurement.total.total()
    await directory.close(shopRun(), total.responseTime)
    await appendFile(join(path, INTERVALS_FILE), '{"kind":"second","second":11,"sho')
    const series = await readSeries(path)
    const sum = new Histogram()
    for (const { responseTime } of series.spans) sum.add(responseTime)
    expect(bucketsOf(sum)).toEqual(bucketsOf(total.responseTime))
    expect(series.spans.reduce((count, { replies }) => count + replies, 0)).toBe(total.replies)
    expect(series.unread).toBe(1)
    expect([...series.routeP99Ns.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2])
  })

  it('are none where the directory has none', async () => {
    expect((await readSeries(join(folder, 'nothing'))).spans).toEqual([])
  })
})
