import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeHdr } from '../../src/measure/hdr.ts'
import { parseGate } from '../../src/measure/gates/parse-gate.ts'
import { Histogram } from '../../src/measure/histogram.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun } from '../../src/report/describe-run.ts'
import { REPORTERS } from '../../src/report/index.ts'
import { parseRun, readRunDirectory } from '../../src/report/read-run.ts'
import type { Run } from '../../src/report/run.ts'
import { RunDirectory } from '../../src/report/run-directory.ts'
import { bucketsOf } from '../measure/histograms.ts'
import { rejectionOf } from '../support/errors.ts'
import { measure, ROUTE_NAMES, runFacts, shopOutcomes, shopRun, SLOWEST } from './runs.ts'

const run = shopRun({
  gates: ['p50 < 1s', 'warn: errors == 0', 'p99{route="GET /never"} < 1s'].map((text) => parseGate(text, '--gate')),
  health: {
    threads: [{ name: 'sender 0', cpuShare: 1, waitShare: undefined, loopDelayP99Ns: undefined }],
    stealShare: 0,
  },
  slowest: SLOWEST,
})
const before = describeRun(runFacts(), measure([]).measurement, new RecordedStats(), [])

const { rows, measurement } = measure(shopOutcomes())

let place = ''
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'mesh-run-'))
})
afterEach(async () => {
  await rm(place, { recursive: true })
})

/** What JSON makes of a run: it has no undefined. */
function plain(run: Run): unknown {
  return JSON.parse(JSON.stringify(run))
}

async function written(path: string): Promise<void> {
  const directory = await RunDirectory.create(path, before, ROUTE_NAMES)
  for (const row of rows) directory.addRow(row)
  await directory.close(run, measurement.total.total().responseTime)
}

describe('RunDirectory', () => {
  it('gives back the run that was written', async () => {
    await written(join(place, 'run'))
    expect(plain(await readRunDirectory(join(place, 'run')))).toEqual(plain(run))
    expect(plain(await readRunDirectory(join(place, 'run', 'run.json')))).toEqual(plain(run))
  })

  it('reads a run of before there were gates as one without', async () => {
    const { gates: _, slowest: __, ...older } = run
    const path = join(place, 'run.json')
    await writeFile(path, JSON.stringify(older))
    expect(run.gates.map(({ outcome }) => outcome)).toEqual(['passed', 'failed', 'no_data'])
    expect((await readRunDirectory(path)).gates).toEqual([])
    expect((await readRunDirectory(path)).slowest).toBeUndefined()
  })

  it('is made with the directories above it', async () => {
    await written(join(place, 'a', 'b', 'run'))
    expect((await stat(join(place, 'a', 'b', 'run'))).mode & 0o777).toBe(0o700)
    await written(join(place, 'a', 'c'))
  })

  it.skipIf(!existsSync('/proc/self'))('is refused at once where the system takes no directory', async () => {
    const error = await rejectionOf(RunDirectory.create('/proc/mesh/run', before, ROUTE_NAMES))
    expect(error).toMatchObject({ code: 'MESH_ERR_FILE_NOT_FOUND', where: '/proc/mesh' })
  })

  it('is for its owner only', async () => {
    const path = join(place, 'run')
    await written(path)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    const files = await readdir(path)
    expect(files.sort((a, b) => (a < b ? -1 : 1))).toEqual(['intervals.ndjson', 'latency.hgrm', 'run.json'])
    for (const file of files) expect((await stat(join(path, file))).mode & 0o777).toBe(0o600)
  })

  it('has intervals that sum up to the run, bucket by bucket', async () => {
    const path = join(place, 'run')
    await written(path)
    const lines = (await readFile(join(path, 'intervals.ndjson'), 'utf8')).trim().split('\n')
    const documents = lines.map((line) => JSON.parse(line))
    const seconds = documents.filter((row) => row.kind === 'second')
    const sum = new Histogram()
    for (const row of seconds) sum.add(decodeHdr(row.responseTime.hdrNs, 'x', row.responseTime))
    const whole = decodeHdr(run.totals.responseTime.hdrNs, 'x', { ...run.totals.responseTime, minNs: 0, maxNs: 0 })
    expect(bucketsOf(sum)).toEqual(bucketsOf(whole))
    expect(sum.sumNs).toBe(run.totals.responseTime.sumNs)
    expect(seconds.reduce((total, row) => total + row.shots, 0)).toBe(run.totals.shots)
    const blocks = documents.filter((row) => row.kind === 'block')
    const carts = new Histogram()
    for (const block of blocks) {
      const route = block.routes.find((route: { name: string }) => route.name === ROUTE_NAMES[1])
      carts.add(decodeHdr(route.serviceTime.hdrNs, 'x'))
    }
    expect(bucketsOf(carts)).toEqual(bucketsOf(decodeHdr(run.routes[1]?.replayed?.serviceTime.hdrNs ?? '', 'x')))
  })

  it('holds a readable run from the first moment on, as interrupted', async () => {
    const path = join(place, 'run')
    const directory = await RunDirectory.create(path, before, [])
    expect(await readRunDirectory(path)).toMatchObject({ interrupted: true, finishedAt: null })
    await directory.destroy()
    expect(await readRunDirectory(path)).toMatchObject({ interrupted: true, finishedAt: null })
  })

  it('takes away what was made for a run that never began, and nothing else', async () => {
    const made = await RunDirectory.create(join(place, 'made'), before, ROUTE_NAMES)
    await made.discard()
    expect(existsSync(join(place, 'made'))).toBe(false)
    const given = join(place, 'given')
    await mkdir(given)
    const found = await RunDirectory.create(given, before, ROUTE_NAMES)
    await writeFile(join(given, 'note.txt'), 'mine')
    await found.discard()
    expect(await readdir(given)).toEqual(['note.txt'])
  })

  it('refuses a directory with something in it, and leaves that alone', async () => {
    await writeFile(join(place, 'run.json'), 'mine')
    await expect(RunDirectory.create(place, before, [])).rejects.toThrow(
      /new or empty directory for the run, found 1 file/,
    )
    expect(await readFile(join(place, 'run.json'), 'utf8')).toBe('mine')
  })

  it('refuses a file in its place', async () => {
    await writeFile(join(place, 'file'), '')
    await expect(RunDirectory.create(join(place, 'file'), before, [])).rejects.toMatchObject({
      code: 'MESH_ERR_FILE_EXISTS',
    })
  })
})

describe('readRunDirectory', () => {
  it('says so where there is nothing', async () => {
    await expect(readRunDirectory(join(place, 'none'))).rejects.toMatchObject({ code: 'MESH_ERR_FILE_NOT_FOUND' })
  })

  it('says so where the directory is not that of a run', async () => {
    await expect(readRunDirectory(place)).rejects.toThrow(/expected the directory of a run .*found no run.json in it/)
  })

  it.each([
    ['\u0089MCAP', 'MESH_ERR_FILE_KIND', /found something else/, 'a recording'],
    ['[1]', 'MESH_ERR_FILE_KIND', /JSON of another kind/, 'other JSON'],
    ['{"schema":"mesh.run/v2"}', 'MESH_ERR_FILE_KIND', /found mesh.run\/v2 .*newer mesh/, 'a newer schema'],
    ['{"schema":"mesh.run/v0"}', 'MESH_ERR_FILE_KIND', /the mesh that wrote it/, 'an older one'],
    ['{"schema":"mesh.run/v1","ver', 'MESH_ERR_FILE_CORRUPT', /ends early/, 'a cut file'],
    [
      '{"schema":"mesh.run/v1"}',
      'MESH_ERR_FILE_CORRUPT',
      /expected an object, found nothing \(r: timeline\)/,
      'no figures',
    ],
  ])('refuses %j with %s %s: %s', (text, code, message, _what) => {
    expect(() => parseRun(text, 'r')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  it('names the place of what is wrong', () => {
    const text = JSON.stringify({ ...run, routes: [{ ...run.routes[0], replayed: { shots: 'many' } }] })
    expect(() => parseRun(text, 'run.json')).toThrow(
      'expected a number, found "many" (run.json: routes[0].replayed.shots)',
    )
  })
})

describe('reporters', () => {
  it('print the same JSON as the file holds', () => {
    let text = ''
    REPORTERS.json.write(run, { write: (piece) => (text += piece) }, { columns: 80, colour: false })
    expect(plain(parseRun(text, 'stdout'))).toEqual(plain(run))
  })

  it('print the percentile distribution of response time', () => {
    let text = ''
    REPORTERS.hgrm.write(run, { write: (piece) => (text += piece) }, { columns: 80, colour: false })
    expect(text).toContain('Total count    =        40000')
  })
})
