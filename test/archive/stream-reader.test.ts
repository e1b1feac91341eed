import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileParts } from '../../src/archive/parts.ts'
import { RecordSplitter } from '../../src/archive/record-splitter.ts'
import { openRecordingStream } from '../../src/archive/stream-reader.ts'
import { WINDOW_NS } from '../../src/archive/window.ts'
import { exchange, response } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import { ORIGIN_UNIX_NS, TestRecorder, collect, readIds, recordedBytes, withFolder } from '../support/recordings.ts'

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

/** The bytes of a recording of exchanges that began at these times and bear them as ids, a list a chunk. */
function recordingAt(times: readonly (readonly number[])[]): Promise<Uint8Array> {
  return recordedBytes(times.map((chunk) => chunk.map((firstNs) => exchange({ id: firstNs, requestFirstNs: firstNs }))))
}

describe('a recording that comes as a stream', () => {
  it('gives the exchanges of the window in order of time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(WINDOW_NS - 1), { minLength: 1, maxLength: 6 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 5000 }),
        async (times, pieceLength) => {
          const reader = await openRecordingStream(pieces(await recordingAt(times), pieceLength), 'stdin')
          expect(await readIds(reader)).toEqual(times.flat().sort((a, b) => a - b))
          expect(reader.ending).toBe('closed')
        },
      ),
      { numRuns: 25 },
    )
  })

  it('hands on what is older than the window before the stream ends', async () => {
    const bytes = await recordingAt([[1, 2], [WINDOW_NS + 2], [WINDOW_NS + 3]])
    let open: (() => void) | undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const stream = (async function* () {
      yield bytes.subarray(0, bytes.length - 10)
      await gate
      yield bytes.subarray(bytes.length - 10)
    })()
    const reader = await openRecordingStream(stream, 'stdin')
    const iterator = reader.exchanges()[Symbol.asyncIterator]()
    expect((await iterator.next()).value?.id).toBe(1)
    expect((await iterator.next()).value?.id).toBe(2)
    open?.()
    expect((await iterator.next()).value?.id).toBe(WINDOW_NS + 2)
    await iterator.return?.()
  })

  it('hands on the earliest at once where memory is short', async () => {
    const bytes = await recordingAt([[5, 6], [1, 2], [3]])
    const reader = await openRecordingStream(pieces(bytes, 100), 'stdin', 0)
    expect(await readIds(reader)).toEqual([5, 6, 1, 2, 3])
  })

  it('gives a span of time, and the ledger of all', async () => {
    const reader = await openRecordingStream(
      pieces(
        await recordingAt([
          [1, 5],
          [3, 9],
        ]),
        64,
      ),
      'stdin',
    )
    const range = { fromUnixNs: ORIGIN_UNIX_NS + 3n, toUnixNs: ORIGIN_UNIX_NS + 9n }
    expect((await collect(reader.exchanges(range))).map(({ id }) => id)).toEqual([3, 5])
    expect((await reader.ledger()).requests).toMatchObject({ seen: 4, whole: 4 })
  })

  it('gives the ledger alone too, by reading to the end', async () => {
    const reader = await openRecordingStream(pieces(await recordingAt([[1], [2]]), 64), 'stdin')
    expect((await reader.ledger()).requests.whole).toBe(2)
    expect(reader.ending).toBe('closed')
  })

  it('can be read once', async () => {
    const reader = await openRecordingStream(pieces(await recordingAt([[1]]), 64), 'stdin')
    expect(await readIds(reader)).toEqual([1])
    expect((await rejectionOf(readIds(reader))).code).toBe('MESH_ERR_USAGE')
  })

  it('leaves a late response apart, because its exchange is gone', async () => {
    await withFolder(async (folder) => {
      const recorder = await TestRecorder.open({ openPart: fileParts(join(folder, 'a.mcap')) })
      recorder.write(exchange({ response: 'late' }))
      recorder.writeLate({
        exchangeId: 1,
        response: response(['HTTP/1.1 200 OK'], '', { firstNs: 11e9, lastNs: 12e9 }),
      })
      await recorder.writer.close()
      const reader = await openRecordingStream(pieces(await readFile(join(folder, 'a.mcap')), 64), 'stdin')
      expect((await collect(reader.exchanges())).map((one) => one.response)).toEqual(['late'])
    })
  })

  it('passes on that its source failed', async () => {
    const stream = (async function* () {
      yield* pieces(await recordingAt([[1]]), 1000)
      throw Object.assign(new Error('read EIO'), { code: 'EIO' })
    })()
    const reader = await openRecordingStream(stream, 'stdin')
    expect(await rejectionOf(readIds(reader))).toMatchObject({ code: 'MESH_ERR_IO', where: 'stdin' })
  })
})

describe('the splitter of records', () => {
  it('finds the same records however the bytes are split', async () => {
    const bytes = await recordingAt([[1, 2], [3]])
    const split = (lengths: readonly number[]): number[] => {
      const splitter = new RecordSplitter()
      const offsets: number[] = []
      let at = 0
      for (let index = 0; at < bytes.length; index++) {
        const length = lengths[index % lengths.length] ?? 1
        splitter.push(bytes.subarray(at, at + length))
        at += length
        for (let record = splitter.next(); record !== undefined; record = splitter.next()) offsets.push(record.offset)
      }
      expect(splitter.isClosed).toBe(true)
      return offsets
    }
    const expected = split([bytes.length])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }), (lengths) => {
        expect(split(lengths)).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })
})
