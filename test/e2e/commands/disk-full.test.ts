import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest'
import { hasResponse } from '../../../src/core/exchange.ts'
import { CountingClient } from '../../support/load.ts'
import { MESH, runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { pathOf, readRecording } from '../../support/recorded.ts'
import type { SmallDisk } from '../../support/small-disk.ts'
import { MOUNT_ABSENT, mountSmallDisk } from '../../support/small-disk.ts'
import { startTap } from '../../support/taps.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

const MEBIBYTE = 1024 * 1024
const FULL = /the recording cannot be written: no space left on the device/

/** Each reply has this many bytes that no compression makes smaller: 64 of them fill a mebibyte. */
const REPLY_BYTES = 16 * 1024

/** Slow enough that a recorder that gets little of the CPU keeps up: then only the disk loses anything. */
const REPLY_AFTER_MS = 10

/** And room for what waits while it does not. */
const RING = ['--ring', '256MiB'] as const

const folder = temporaryFolder()
let target: HttpTarget | undefined
let disk: SmallDisk | undefined

/** Runs the built binary with a stdout that takes nothing. */
async function runOntoFullDevice(words: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [MESH, ...words], { stdio: ['ignore', full, 'pipe'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child, 'close')
  closeSync(full)
  return { code: child.exitCode, stderr }
}

function small(): { readonly disk: SmallDisk; readonly port: number } {
  if (disk === undefined || target === undefined) throw new Error('not started')
  return { disk, port: target.port }
}

beforeAll(async () => {
  target = await startHttpTarget((response) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': REPLY_BYTES }
    setTimeout(() => response.writeHead(200, headers).end(randomBytes(REPLY_BYTES)), REPLY_AFTER_MS)
  })
})

afterAll(async () => {
  await target?.close()
  folder.remove()
})

describe.skipIf(MOUNT_ABSENT)(`a tap whose disk is full${MOUNT_ABSENT ? ` (${MOUNT_ABSENT})` : ''}`, () => {
  beforeEach(() => {
    // Room for some chunks of a mebibyte: what is written before the disk is full has to be there after it.
    disk = mountSmallDisk(folder.path('disk'), 4 * MEBIBYTE)
  })
  afterEach(() => {
    disk?.remove()
    disk = undefined
  })

  it('lets traffic go on, resumes in a new part when space returns, and exits 1 with its ledger on stderr', async () => {
    const { disk, port } = small()
    const tap = await startTap(port, disk.path('shop.mcap'), ...RING)
    const client = new CountingClient(tap.port, 4)
    const running = client.run()
    await tap.said(FULL)
    await client.answered(client.answers + 200)
    disk.resize(256 * MEBIBYTE)
    await tap.said(/the disk takes data again: recording goes on in .*shop\.1\.mcap/)
    await client.answered(client.answers + 50)
    client.stop()
    await running
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^requests +\d/m)
    expect(stderr).toContain('the ledger balances')

    expect(readdirSync(disk.path('.')).toSorted()).toEqual(['shop.1.mcap', 'shop.mcap'])
    const { exchanges, imbalance, ledger } = await readRecording(disk.path('.'))
    expect(imbalance).toEqual(new Map())
    expect(client.answers).toBe(client.sent.length)
    expect(ledger.requests).toMatchObject({ seen: client.sent.length, pending: 0 })
    expect(ledger.requests.whole + ledger.requests.dropped).toBe(client.sent.length)
    expect(exchanges.filter(hasResponse)).toHaveLength(ledger.requests.whole)
    expect(exchanges.map(pathOf)).toContain(client.sent.at(-1)?.path)
    const verified = await runMesh('inspect', '--verify', disk.path('shop.mcap'), disk.path('shop.1.mcap'))
    expect(verified).toMatchObject({ code: 0 })
  })

  it('says at the end how much was lost where space never returns, and what was written opens and balances', async () => {
    const { disk, port } = small()
    const tap = await startTap(port, disk.path('shop.mcap'), ...RING)
    const client = new CountingClient(tap.port, 4)
    const running = client.run()
    await tap.said(FULL)
    await client.answered(client.answers + 200)
    client.stop()
    await running
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(code).toBe(1)
    expect(client.answers).toBe(client.sent.length)
    expect(stderr).toMatch(/lost [\d,]+ exchanges .*the disk takes nothing/)
    expect(stderr).toMatch(/^requests +\d/m)
    expect(stderr).toContain('the ledger balances')

    const { exchanges, imbalance, ledger } = await readRecording(disk.path('shop.mcap'))
    expect(imbalance).toEqual(new Map())
    expect(exchanges.length).toBe(ledger.requests.whole)
    expect(exchanges.length).toBeLessThan(client.sent.length)
    const told = /^requests +([\d,]+) +([\d,]+) +([\d,]+)$/m
      .exec(stderr)
      ?.slice(1)
      .map((count) => Number(count.replaceAll(',', '')))
    expect(told).toEqual([client.sent.length, exchanges.length, client.sent.length - exchanges.length])
  })

  it('says so at the end where only the last bytes do not fit', async () => {
    const { disk, port } = small()
    disk.resize(4096)
    const tap = await startTap(port, disk.path('shop.mcap'))
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(FULL)
    expect(stderr).toContain('the ledger balances')
    expect(await readRecording(disk.path('shop.mcap'))).toMatchObject({ ending: 'cut', exchanges: [] })
  })
})

describe.skipIf(!existsSync('/dev/full'))('output onto a device that is full', () => {
  const recording = (): string => folder.path('written.mcap')

  beforeAll(async () => {
    const tap = await startTap(target?.port ?? 0, recording())
    await new CountingClient(tap.port, 1).run(20)
    tap.signal('SIGTERM')
    await tap.ended
  })

  it.each([
    ['inspect', ['inspect']],
    ['inspect --list', ['inspect', '--list']],
    ['export', ['export', '--format', 'ndjson', '-o', '-']],
  ])('is an error of mesh %s, in one line', async (_, words) => {
    const { code, stderr } = await runOntoFullDevice([...words, recording(), '-q'])
    expect(stderr).toMatch(/^mesh: no space left on the device .*\[MESH_ERR_DISK_FULL\]\n$/)
    expect(code).toBe(1)
  })

  it('is no error where the reader of a pipe has seen enough', async () => {
    const mesh = startMesh(['export', '--format', 'ndjson', '-o', '-', recording(), '-q'])
    mesh.process.stdout?.destroy()
    expect(await mesh.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it.each(['--help', 'mirror --help', 'cow --help'])(
    'is no error where the reader of the help has seen enough: %s',
    async (words) => {
      const mesh = startMesh(words.split(' '))
      mesh.process.stdout?.destroy()
      expect(await mesh.ended).toMatchObject({ code: 0, stderr: '' })
    },
  )
})
