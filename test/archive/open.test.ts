import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expandPaths } from '../../src/archive/expand-paths.ts'
import { openRecordings } from '../../src/archive/open.ts'
import { fileParts } from '../../src/archive/parts.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import { openPart, readParts } from '../../src/archive/reader.ts'
import { exchange } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import { TestRecorder, readIds, recordingInfo, withFolder } from '../support/recordings.ts'

async function* bytesOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  yield* pieces
}

/** A recording of one exchange, under an id of its own. */
async function record(path: string, recordingId: string, id: number): Promise<void> {
  const recorder = await TestRecorder.open({ info: recordingInfo({ recordingId }), openPart: fileParts(path) })
  recorder.write(exchange({ id }))
  await recorder.writer.close()
}

describe('the arguments of a command', () => {
  it('are files, directories and patterns; each file counts once', async () => {
    await withFolder(async (folder) => {
      for (const sub of ['', 'b', 'b/c']) {
        await mkdir(join(folder, sub), { recursive: true })
        for (const name of ['1.mcap', '2.mcap', 'notes.txt', '.hidden.mcap'])
          await writeFile(join(folder, sub, name), '')
      }
      const expand = async (...args: string[]): Promise<string[]> => {
        const paths = await expandPaths(
          args.map((arg) => (arg === '-' ? arg : join(folder, arg))),
          '.mcap',
        )
        return paths.map((path) => (path === '-' ? path : relative(folder, path)))
      }
      expect(await expand('1.mcap', '-', '1.mcap')).toEqual(['1.mcap', '-'])
      expect(await expand('notes.txt')).toEqual(['notes.txt'])
      expect(await expand('b')).toEqual(['b/.hidden.mcap', 'b/1.mcap', 'b/2.mcap'])
      expect(await expand('*.mcap')).toEqual(['1.mcap', '2.mcap'])
      expect(await expand('b/?.mcap')).toEqual(['b/1.mcap', 'b/2.mcap'])
      expect(await expand('[!2-9].mcap', 'b/[2-9].mcap')).toEqual(['1.mcap', 'b/2.mcap'])
      expect(await expand('**/1.mcap')).toEqual(['1.mcap', 'b/1.mcap', 'b/c/1.mcap'])
      expect(await expand('*/c/*.txt')).toEqual(['b/c/notes.txt'])
    })
  })

  it('that name nothing are an error with the argument in it', async () => {
    await withFolder(async (folder) => {
      for (const arg of ['none.mcap', '*.mcap', '.', 'none/*.mcap', '(.mcap*']) {
        const error = await rejectionOf(expandPaths([join(folder, arg)], '.mcap'))
        expect(error.code).toBe('MESH_ERR_FILE_NOT_FOUND')
        expect(error.where).toBe(join(folder, arg))
      }
      expect((await rejectionOf(expandPaths([], '.mcap'))).code).toBe('MESH_ERR_USAGE')
    })
  })
})

describe('opening several files', () => {
  it('gives one reader a recording, in the order of the arguments', async () => {
    await withFolder(async (folder) => {
      await record(join(folder, 'b.mcap'), 'b', 1)
      await record(join(folder, 'a.mcap'), 'a', 2)
      const readers = await openRecordings([join(folder, 'b.mcap'), folder], bytesOf())
      expect(readers.map(({ info }) => info.recordingId)).toEqual(['b', 'a'])
      await Promise.all(readers.map((reader) => reader.close()))
    })
  })

  it('takes a file once, however it is named', async () => {
    await withFolder(async (folder) => {
      await record(join(folder, 'a.mcap'), 'a', 1)
      await symlink(join(folder, 'a.mcap'), join(folder, 'link.mcap'))
      const readers = await openRecordings([join(folder, '*.mcap'), join(folder, '.', 'a.mcap')], bytesOf())
      expect(readers).toHaveLength(1)
      await Promise.all(readers.map((reader) => reader.close()))
    })
  })

  it('refuses the same part twice, because it would count twice', async () => {
    await withFolder(async (folder) => {
      await record(join(folder, 'a.mcap'), 'a', 1)
      await copyFile(join(folder, 'a.mcap'), join(folder, 'copy.mcap'))
      const error = await rejectionOf(openRecordings([folder], bytesOf()))
      expect(error.code).toBe('MESH_ERR_USAGE')
      expect(error.message).toContain('copy.mcap')
    })
  })

  it('reads standard input beside files', async () => {
    await withFolder(async (folder) => {
      await record(join(folder, 'a.mcap'), 'a', 1)
      await record(join(folder, 'b.mcap'), 'b', 2)
      const readers = await openRecordings(
        ['-', join(folder, 'a.mcap')],
        bytesOf(await readFile(join(folder, 'b.mcap'))),
      )
      expect(await Promise.all(readers.map(readIds))).toEqual([[2], [1]])
      await Promise.all(readers.map((reader) => reader.close()))
    })
  })

  it('closes what it has opened where one cannot be', async () => {
    await withFolder(async (folder) => {
      await record(join(folder, 'a.mcap'), 'a', 1)
      await writeFile(join(folder, 'b.mcap'), 'text')
      expect((await rejectionOf(openRecordings([folder], bytesOf()))).code).toBe('MESH_ERR_FILE_KIND')
    })
  })
})

describe('parts that are not all there', () => {
  it('are read, and verify names the one that is missing', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({
        openPart: fileParts(path),
        rotation: { maxBytes: 1, maxSpanNs: Infinity },
      })
      for (const id of [1, 2, 3]) {
        recorder.write(exchange({ id, requestFirstNs: id }))
        recorder.writer.flush()
      }
      await recorder.writer.close()
      const reader = await readParts([await openPart(path), await openPart(join(folder, 'a.2.mcap'))])
      expect(await readIds(reader)).toEqual([1, 3])
      const { findings } = await verifyRecording(reader)
      expect(findings).toEqual([{ kind: 'part', where: 'recording-1', what: 'expected parts 0 to 2, found no part 1' }])
      await reader.close()
    })
  })
})
