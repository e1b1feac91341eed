import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import { MOUNT_ABSENT, mountSmallDisk } from '../../support/small-disk.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { answerAtOnce, startHttpTarget } from '../../support/targets.ts'

const PAGE = 4096

const folder = temporaryFolder()
const file = folder.path('shop.mcap')
let target: HttpTarget

beforeAll(async () => {
  await recordSessions(file, { host: 'shop', users: 5, steps: 10, gapMs: 100 })
  target = await startHttpTarget()
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

describe('a run whose result cannot all be kept', () => {
  it('is published without the comparison where the earlier runs are gone by its end, and ends with 1', async () => {
    const [earlier, run] = [folder.path('earlier'), folder.path('run')]
    mkdirSync(earlier)
    let goOn = (): void => undefined
    const gone = new Promise<void>((resolve) => (goOn = resolve))
    // The run cannot end before they are gone.
    const patient = await startHttpTarget((response, request) => void gone.then(() => answerAtOnce(response, request)))
    const flags = ['--against', earlier, '--on-invalid', 'warn', '--exit-zero', '-o', run]
    const replay = startReplay([file], patient.url, ...flags)
    await patient.saw(1)
    rmSync(earlier, { recursive: true })
    goOn()
    const { code, stdout, stderr } = await replay.ended
    await patient.close()
    expect(stderr).toMatch(/^mesh: .*earlier.* \[MESH_ERR_FILE_NOT_FOUND\]$/m)
    expect(stderr).toMatch(/^exit 1: it was measured, but not all of its result is there: .*earlier.*\n$/m)
    expect(code).toBe(1)
    expect(stdout).toContain('50 requests')
    expect(await readRunDirectory(run)).toMatchObject({ interrupted: false, totals: { replies: 50 } })
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('<h3>Latency</h3>')
  })

  it.skipIf(MOUNT_ABSENT)('is printed where the disk is full, and ends with 1', async () => {
    const disk = mountSmallDisk(folder.path('small'), 4 * PAGE)
    try {
      const run = disk.path('run')
      const { code, stdout, stderr } = await startReplay([file], target.url, '--on-invalid', 'warn', '-o', run).ended
      expect(stderr).toContain('no space left on the device')
      expect(stderr).toMatch(/^exit 1: it was measured, but/m)
      expect(code).toBe(1)
      expect(stdout).toContain('50 requests')
      // What stands there is whole, if of the beginning.
      expect(await readRunDirectory(run)).toMatchObject({ interrupted: true })
      expect(readdirSync(run).filter((name) => name.endsWith('.new'))).toEqual([])
    } finally {
      disk.remove()
    }
  })

  it.skipIf(MOUNT_ABSENT)('leaves no directory where it cannot begin', async () => {
    const disk = mountSmallDisk(folder.path('smaller'), 2 * PAGE)
    try {
      writeFileSync(disk.path('filler'), Buffer.alloc(PAGE))
      const seen = target.seen.length
      const { code, stderr } = await startReplay([file], target.url, '-o', disk.path('run')).ended
      expect(stderr).toContain('no space left on the device')
      expect(code).toBe(1)
      expect(target.seen.length).toBe(seen)
      expect(existsSync(disk.path('run'))).toBe(false)
    } finally {
      disk.remove()
    }
  })
})

describe('mesh replay --closed', () => {
  it.each([
    ['-o', folder.path('closed')],
    ['--push-otlp', 'http://127.0.0.1:9'],
    ['--scrape', 'http://127.0.0.1:9'],
    ['--against', folder.path('')],
    ['--find-capacity'],
  ])('refuses %s before anything is sent', async (...flags) => {
    const seen = target.seen.length
    const { code, stderr } = await startReplay([file], target.url, '--closed', '2', ...flags).ended
    expect(stderr).toContain(`--closed and ${flags[0]} exclude each other`)
    expect(code).toBe(2)
    expect(target.seen.length).toBe(seen)
    expect(existsSync(folder.path('closed'))).toBe(false)
  })

  it('has to be confirmed, and says which flags do not slow it down or spread it', async () => {
    const seen = target.seen.length
    const flags = ['--closed', '2', '--rate', '5/s', '--workers', '2', '-d', '1s']
    const { code, stderr } = await startReplay([file], target.url, ...flags).ended
    expect(stderr).toContain('--rate, --workers: --closed sends as fast as replies come all the same')
    expect(stderr).toMatch(/ {2}rate {7}as fast as the target replies\n/)
    expect(stderr).toContain('--closed sends as fast as the target replies: confirm with --yes [MESH_ERR_CONFIRMATION]')
    expect([code, target.seen.length]).toEqual([2, seen])
  })

  it('leaves the gates of a settings file out, and says so', async () => {
    const settings = folder.path('mesh.yaml')
    writeFileSync(settings, "gates:\n  - 'p99 < 1ns'\n")
    const flags = ['--closed', '2', '-d', '1s', '--config', settings, '--yes']
    const { code, stdout, stderr } = await startReplay([file], target.url, ...flags).ended
    expect(stderr).toContain(`the gates of ${settings} are left out`)
    expect(stdout).toMatch(/ceiling +[\d,.]+\/s/)
    expect(code).toBe(0)
  })
})
