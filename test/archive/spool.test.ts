import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openRecordings } from '../../src/archive/open.ts'
import { fileParts } from '../../src/archive/parts.ts'
import { spoolBytes } from '../../src/archive/spool.ts'
import { exchange } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { TestRecorder, readIds, recordingInfo, withFolder } from '../support/recordings.ts'

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const folder = temporaryFolder()
const place = folder.path('tmp')
const spooled = (): string[] => readdirSync(place)

// A folder of our own: others that read pipes meanwhile keep them in the machine's.
beforeAll(() => {
  mkdirSync(place)
  vi.stubEnv('TMPDIR', place)
})
afterAll(() => {
  vi.unstubAllEnvs()
  folder.remove()
})

describe('a pipe that is read more than once', () => {
  it('is kept in a file without a name, and read at any place', async () => {
    const bytes = Buffer.from('a recording, for all that matters here')
    const kept = await spoolBytes(pieces(bytes, 7), 'stdin')
    expect(spooled()).toEqual([])
    expect(await kept.size()).toBe(bytes.length)
    expect(Buffer.from(await kept.read(2, 9)).toString()).toBe('recording')
    expect(Buffer.from(await kept.read(0, 1)).toString()).toBe('a')
    await kept.close()
  })

  it('gives its exchanges as often as they are asked for', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ info: recordingInfo(), openPart: fileParts(path) })
      for (const id of [1, 2, 3]) recorder.write(exchange({ id, requestFirstNs: id * 1e6 }))
      await recorder.writer.close()
      const [reader] = await openRecordings(['-'], pieces(readFileSync(path), 100), 'many')
      if (reader === undefined) expect.unreachable()
      for (let pass = 0; pass < 2; pass++) expect(await readIds(reader)).toEqual([1, 2, 3])
      await reader.close()
    })
  })

  it('is refused beyond its limit, and nothing is left of it', async () => {
    const error = await rejectionOf(spoolBytes(pieces(Buffer.alloc(100), 10), 'stdin', 99))
    expect(error).toMatchObject({ code: 'MESH_ERR_LIMIT', where: 'stdin' })
    expect(spooled()).toEqual([])
  })

  it('is refused where it is no recording', async () => {
    const error = await rejectionOf(openRecordings(['-'], pieces(Buffer.from('hello'), 2), 'many'))
    expect(error).toMatchObject({ code: 'MESH_ERR_FILE_KIND' })
  })
})
