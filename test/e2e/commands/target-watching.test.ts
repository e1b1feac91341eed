import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const file = folder.path('shop.mcap')
let target: HttpTarget

beforeAll(async () => {
  await recordSessions(file, { host: 'shop', users: 5, steps: 60, gapMs: 100 })
  target = await startHttpTarget()
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

describe('mesh replay --scrape --watch-pid', () => {
  it('keeps what the target told on the timeline of the run, and counts a page that is down without failing', async () => {
    const run = folder.path('run')
    const watched = ['--scrape', 'http://127.0.0.1:1', '--watch-pid', `${process.pid}`, '--scrape-interval', '1s']
    const words = ['--on-invalid', 'warn', '-o', run, ...watched]
    const { code, stdout, stderr } = await startReplay([file], target.url, ...words).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/no metrics: .*ECONNREFUSED.*the run goes on/)
    expect(stdout).toMatch(/resident_memory_bytes +[\d.]+ MiB/)
    const { target: sources = [] } = await readRunDirectory(run)
    expect(sources.map(({ kind }) => kind)).toEqual(['scrape', 'process'])
    expect(sources[0]?.failures).toBeGreaterThan(0)
    expect(sources[0]?.failures).toBe(sources[0]?.reads)
    expect(sources[1]?.metrics.map(({ name }) => name)).toContain('cpu_seconds/s')
    const samples = readFileSync(join(run, 'target.ndjson'), 'utf8').trimEnd().split('\n')
    expect(samples.length).toBe(sources.reduce((sum, { reads }) => sum + reads, 0))
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('cpu_seconds/s over time')
  })

  it.each([
    ['http://user:secret@canary/metrics', /without a user/],
    ['ftp://canary/metrics', /expected http/],
    ['http://canary/metrics?token=x', /without a query/],
  ])('refuses %s before anything is sent, without repeating what may be a secret', async (url, why) => {
    const { code, stderr } = await startReplay([file], target.url, '--scrape', url).ended
    expect(code).toBe(2)
    expect(stderr.split('\n').at(-2)).toMatch(why)
    expect(stderr.split('\n').at(-2)).not.toMatch(/secret|token/)
  })
})
