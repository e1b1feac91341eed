import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SourceSummary } from '../../src/observe/target-watch.ts'
import { REPORTERS } from '../../src/report/index.ts'
import { parseRun } from '../../src/report/read-run.ts'
import { readSeries } from '../../src/report/read-series.ts'
import { TARGET_FILE, TargetFile } from '../../src/report/target-file.ts'
import { metricCell } from '../../src/report/target-table.ts'
import { reportText } from '../../src/report/write-reports.ts'
import { shopRun } from './runs.ts'

const SCRAPE: SourceSummary = {
  kind: 'scrape',
  name: 'http://canary:8080/metrics',
  reads: 5,
  failures: 1,
  lastFailure: 'no metrics within 2 s',
  note: '4 samples of histograms and summaries are left out',
  metrics: [
    { name: 'process_cpu_seconds_total/s', count: 4, mean: 0.5, most: 0.914, last: 0.1 },
    { name: 'process_resident_memory_bytes', count: 4, mean: 2 ** 20, most: 2 ** 21, last: 2 ** 20 },
  ],
}
const WATCHED = { ...shopRun(), target: [SCRAPE], targetIntervalNs: 2e9 }

describe('what the target told of itself', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mesh-target-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true })
  })

  it('is in the text, a line a metric, with what failed and what was left out', () => {
    const text = reportText(WATCHED, 'text')
    expect(text).toMatch(/^target +mean +most +last +samples\nhttp:\/\/canary:8080\/metrics$/m)
    expect(text).toMatch(/process_cpu_seconds_total\/s +0\.5 CPUs +0\.914 CPUs +0\.1 CPUs +4/)
    expect(text).toMatch(/process_resident_memory_bytes +1\.00 MiB +2\.00 MiB/)
    expect(text.replaceAll('\n', ' ')).toContain('could not be read 1 of 5 times: no metrics within 2 s')
    expect(text.replaceAll('\n', ' ')).toContain('4 samples of histograms and summaries are left out')
  })

  it('is read back from run.json, and is not in one of a run that nobody watched', () => {
    expect(parseRun(JSON.stringify(WATCHED), 'run.json').target).toEqual([SCRAPE])
    expect(parseRun(JSON.stringify(shopRun()), 'run.json').target).toBeUndefined()
  })

  it('is drawn on the time of the run, with gaps where nothing could be read', async () => {
    const file = await TargetFile.create(folder)
    const at = (second: number, value: number): void =>
      file.add({ atNs: second * 1e9, source: 0, values: new Map([['heap', value]]), failure: '' })
    // The reading of second 4 came at the end of its span: the next one is not a gap.
    for (const [second, value] of [
      [0, 1],
      [2, 3],
      [5.9, 5],
      [8.1, 7],
    ] as const) {
      at(second, value)
    }
    file.add({ atNs: 12e9, source: 0, values: new Map(), failure: 'down' })
    at(16, 9)
    await file.close()
    await writeFile(join(folder, TARGET_FILE), '{"atNs":1,"sour', { flag: 'a' })
    const series = await readSeries(folder, 2e9)
    expect(series.target).toEqual([
      { source: 0, name: 'heap', spanSeconds: 2, values: [1, 3, 5, 6, 7, null, null, null, 9] },
    ])
    const parts: string[] = []
    REPORTERS.html.write(WATCHED, { write: (part) => parts.push(part) }, { columns: 80, colour: false }, series)
    expect(parts.join('')).toContain('heap over time')
    expect(parts.join('')).toContain('The target')
  })

  it.each([
    ['process_resident_memory_bytes', 1024, '1.00 KiB'],
    ['cpu_seconds/s', 0.25, '0.25 CPUs'],
    ['nodejs_eventloop_lag_p99_seconds', 0.0125, '12.5ms'],
    ['process_start_time_seconds', 1_788_256_800, '1,788,256,800'],
    ['http_requests_total{code="200"}/s', 12_345.6, '12,346/s'],
    ['heap_bytes{space="a_seconds"}', 2048, '2.00 KiB'],
  ])('shows %s by the unit that its name has', (name, value, cell) => {
    expect(metricCell(name, value)).toBe(cell)
  })
})
