import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileParts } from '../../src/archive/parts.ts'
import { openPart, openRecording, readParts } from '../../src/archive/reader.ts'
import { WINDOW_NS } from '../../src/archive/window.ts'
import type { ReadableBytes } from '../../src/archive/readable-bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import {
  ORIGIN_UNIX_NS,
  TestRecorder,
  anyExchange,
  collect,
  openBytes,
  plain,
  readIds,
  recordChunks,
  recordedBytes,
  withFolder,
} from '../support/recordings.ts'

/** Chunks of exchanges that began at these times and bear them as ids. */
function chunksAt(times: readonly (readonly number[])[]): ReturnType<typeof exchange>[][] {
  return times.map((chunk) => chunk.map((firstNs) => exchange({ id: firstNs, requestFirstNs: firstNs })))
}

/** The exchanges of one chunk in the order of the file, which those of one time keep: those beyond the window stand first, in a chunk of their own. */
function inFile(written: readonly Exchange[]): Exchange[] {
  const [late, onTime]: [Exchange[], Exchange[]] = [[], []]
  let newestNs = -Infinity
  for (const one of written) {
    const list = one.requestFirstNs < newestNs - WINDOW_NS ? late : onTime
    list.push(one)
    newestNs = Math.max(newestNs, one.requestFirstNs)
  }
  return [...late, ...onTime]
}

/** Times of exchanges in chunks: disordered within the window, as captures are, and beyond it. */
const anyTimes = fc.array(fc.array(fc.nat(3 * WINDOW_NS), { minLength: 1, maxLength: 8 }), { maxLength: 12 })

describe('reading a recording', () => {
  it('gives back what was written, whatever it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyExchange, { maxLength: 5 }), async (written) => {
        const reader = await openBytes(await recordedBytes([written]))
        const read = await collect(reader.exchanges())
        expect(read).toEqual(inFile(written).sort((a, b) => a.requestFirstNs - b.requestFirstNs))
      }),
      { numRuns: 50 },
    )
  })

  it('restores the order of time over all chunks', async () => {
    await fc.assert(
      fc.asyncProperty(anyTimes, async (times) => {
        const reader = await openBytes(await recordedBytes(chunksAt(times)))
        expect(await readIds(reader)).toEqual(times.flat().sort((a, b) => a - b))
      }),
      { numRuns: 50 },
    )
  })

  it('restores it with one chunk open at a time too, when memory is short', async () => {
    await fc.assert(
      fc.asyncProperty(anyTimes, async (times) => {
        const reader = await openBytes(await recordedBytes(chunksAt(times)), 1)
        expect(await readIds(reader)).toEqual(times.flat().sort((a, b) => a - b))
      }),
      { numRuns: 50 },
    )
  })

  it('keeps exchanges of one moment in the order in which they were written', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, [
        [exchange({ id: 3, requestFirstNs: 7 }), exchange({ id: 1, requestFirstNs: 7 })],
        [exchange({ id: 2, requestFirstNs: 7 })],
      ])
      const reader = await openRecording(path)
      expect(await readIds(reader)).toEqual([3, 1, 2])
      await reader.close()
    })
  })

  it('may be done again, and by several at once', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, chunksAt([[1, 2], [3]]))
      const reader = await openRecording(path)
      const [a, b] = await Promise.all([readIds(reader), readIds(reader)])
      expect([a, b, await readIds(reader)]).toEqual([
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ])
      await reader.close()
    })
  })

  it('can be left in the middle, and stopped by a signal', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, chunksAt([[1, 2], [3]]))
      const reader = await openRecording(path)
      for await (const { id } of reader.exchanges()) {
        expect(id).toBe(1)
        break
      }
      const stop = new AbortController()
      stop.abort(new Error('enough'))
      await expect(collect(reader.exchanges(undefined, stop.signal))).rejects.toThrow('enough')
      await reader.close()
    })
  })

  it('hands on the same exchanges in batches', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, chunksAt([Array.from({ length: 1000 }, (_, index) => index)]))
      const reader = await openRecording(path)
      const batches = await collect(reader.exchangeBatches())
      expect(batches.flat().map(({ id }) => id)).toEqual(await readIds(reader))
      expect(batches.length).toBeLessThan(10)
      await reader.close()
    })
  })
})

describe('reading a span of time', () => {
  it('gives what began in it, its end not included', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, chunksAt([[10, 20, 30], [25, 40], [50]]))
      const reader = await openRecording(path)
      const range = { fromUnixNs: ORIGIN_UNIX_NS + 20n, toUnixNs: ORIGIN_UNIX_NS + 40n }
      expect((await collect(reader.exchanges(range))).map(({ id }) => id)).toEqual([20, 25, 30])
      await reader.close()
    })
  })

  it('reads only the chunks that can hold it', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await recordChunks(path, chunksAt([[10], [20], [30], [40]]))
      const part = await openPart(path)
      const read: number[] = []
      const watched: ReadableBytes = {
        ...part.bytes,
        read: (offset, length) => {
          read.push(offset)
          return part.bytes.read(offset, length)
        },
      }
      const reader = await readParts([{ ...part, bytes: watched }])
      const range = { fromUnixNs: ORIGIN_UNIX_NS + 25n, toUnixNs: ORIGIN_UNIX_NS + 35n }
      expect((await collect(reader.exchanges(range))).map(({ id }) => id)).toEqual([30])
      expect(read).toEqual([part.contents.chunks[2]?.offset])
      await reader.close()
    })
  })
})

describe('late responses', () => {
  it('are joined to their exchanges, wherever they stand', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ openPart: fileParts(path) })
      const late = response(['HTTP/1.1 200 OK'], 'at last', { firstNs: 12e9, lastNs: 13e9 })
      recorder.write(exchange({ id: 1, response: 'late' }))
      recorder.write(exchange({ id: 2, requestFirstNs: 1, response: 'late' }))
      recorder.writer.flush()
      recorder.writeLate({ exchangeId: 1, response: late })
      await recorder.writer.close()
      const reader = await openRecording(path)
      const [first, second] = await collect(reader.exchanges())
      expect(first).toEqual(plain(exchange({ id: 1, response: late })))
      expect(second?.response).toBe('late')
      await reader.close()
    })
  })

  it('never replace a response that is there', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ openPart: fileParts(path) })
      recorder.write(exchange({ id: 1 }))
      recorder.writeLate({ exchangeId: 1, response: response(['HTTP/1.1 500 Oh'], '', { firstNs: 1, lastNs: 2 }) })
      await recorder.writer.close()
      const reader = await openRecording(path)
      const [only] = await collect(reader.exchanges())
      expect(only).toEqual(plain(exchange({ id: 1 })))
      await reader.close()
    })
  })
})

describe('the bytes of what is read', () => {
  it('stay as they are when other chunks are read', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const bodies = Array.from({ length: 50 }, (_, index) => `body ${index} `.repeat(2000))
      await recordChunks(
        path,
        bodies.map((body, id) => [exchange({ id, requestFirstNs: id, request: message(['POST / HTTP/1.1'], body) })]),
      )
      const reader = await openRecording(path)
      const all = await collect(reader.exchanges())
      expect(all.map(({ request }) => Buffer.from(request.body).toString())).toEqual(bodies)
      await reader.close()
    })
  })
})

describe('opening', () => {
  it('tells what is wrong with a name', async () => {
    expect((await rejectionOf(openRecording('/nowhere.mcap'))).code).toBe('MESH_ERR_FILE_NOT_FOUND')
    expect((await rejectionOf(openRecording('/tmp'))).code).toBe('MESH_ERR_FILE_KIND')
  })

  it('tells all that the writer knew', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ openPart: fileParts(path) })
      await recorder.writer.close()
      const reader = await openRecording(path)
      expect(reader.info).toEqual({
        recordingId: 'recording-1',
        part: 0,
        host: 'shop-1',
        service: 'shop',
        source: 'test',
        originUnixNs: ORIGIN_UNIX_NS,
        match: '',
        sessionBy: '',
        sample: 1,
        secrets: 'masked',
        maskKeyId: 'key-1',
        maxBodyBytes: 1024 * 1024,
        version: '0.0.0',
      })
      expect(reader.ending).toBe('closed')
      expect(await readIds(reader)).toEqual([])
      await reader.close()
    })
  })
})
