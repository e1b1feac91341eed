import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRecordings } from '../../src/archive/open.ts'
import { NO_ROTATION, fileParts, partPath } from '../../src/archive/parts.ts'
import { openPart, readParts } from '../../src/archive/reader.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import type { RecordingEvent } from '../../src/archive/writer.ts'
import { ledgerImbalance } from '../../src/core/ledger.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import { MemoryDisk, TestRecorder, collect, readIds, withFolder } from '../support/recordings.ts'

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}

/** Bytes that do not compress, so that chunks have the size that a test wants. */
function noise(length: number): Uint8Array {
  let state = 12_345
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

describe('parts of a recording', () => {
  it('are named after the first', () => {
    expect([0, 1, 12].map((part) => partPath('a/shop.mcap', part))).toEqual([
      'a/shop.mcap',
      'a/shop.1.mcap',
      'a/shop.12.mcap',
    ])
    expect(partPath('plain', 2)).toBe('plain.2.mcap')
  })

  it('begin when the last is long enough, and each balances by itself', async () => {
    await withFolder(async (folder) => {
      const events: RecordingEvent[] = []
      const recorder = await TestRecorder.open({
        openPart: fileParts(join(folder, 'shop.mcap')),
        rotation: { ...NO_ROTATION, maxBytes: 30_000 },
        onEvent: (event) => events.push(event),
      })
      recorder.ledger.see('requests', 2)
      for (let id = 0; id < 6; id++) {
        recorder.write(
          exchange({ id, requestFirstNs: id, request: { ...message(['GET / HTTP/1.1']), body: noise(15_000) } }),
        )
        recorder.writer.flush()
      }
      recorder.ledger.settle('requests', 'gap', 2)
      await recorder.writer.close()
      expect(await readdir(folder)).toEqual(['shop.1.mcap', 'shop.2.mcap', 'shop.3.mcap', 'shop.mcap'])
      expect(events.map((event) => (event.kind === 'part' ? event.part : event.kind))).toEqual([0, 1, 2, 3])
      for (const name of await readdir(folder)) {
        const part = await readParts([await openPart(join(folder, name))])
        expect(ledgerImbalance(await part.ledger())).toEqual(new Map())
        await part.close()
      }
    })
  })

  it('begin when the last spans enough time, and are read as one recording in order', async () => {
    await withFolder(async (folder) => {
      const recorder = await TestRecorder.open({
        openPart: fileParts(join(folder, 'shop.mcap')),
        rotation: { ...NO_ROTATION, maxSpanNs: 10 },
      })
      for (const firstNs of [0, 10, 4, 21, 9, 40]) {
        recorder.write(exchange({ id: firstNs, requestFirstNs: firstNs }))
        recorder.writer.flush()
      }
      await recorder.writer.close()
      const readers = await openRecordings([folder], nothing())
      expect(readers).toHaveLength(1)
      for (const reader of readers) {
        expect(await readIds(reader)).toEqual([0, 4, 9, 10, 21, 40])
        await reader.close()
      }
      expect((await readdir(folder)).length).toBeGreaterThan(1)
    })
  })

  it('may hold the late response of an exchange in an earlier one', async () => {
    await withFolder(async (folder) => {
      const recorder = await TestRecorder.open({
        openPart: fileParts(join(folder, 'shop.mcap')),
        rotation: { ...NO_ROTATION, maxBytes: 1 },
      })
      recorder.write(exchange({ id: 5, response: 'late' }))
      recorder.writer.flush()
      const late = response(['HTTP/1.1 504 Gateway Timeout'], '', { firstNs: 30e9, lastNs: 31e9 })
      recorder.writeLate({ exchangeId: 5, response: late })
      await recorder.writer.close()
      const [reader] = await openRecordings([folder], nothing())
      const [joined] = reader === undefined ? [] : await collect(reader.exchanges())
      expect(joined?.response).toMatchObject({ firstNs: 30e9, lastNs: 31e9 })
      await reader?.close()
    })
  })

  it('take the next name that is free', async () => {
    await withFolder(async (folder) => {
      await writeFile(join(folder, 'shop.1.mcap'), 'of an earlier day')
      const recorder = await TestRecorder.open({
        openPart: fileParts(join(folder, 'shop.mcap')),
        rotation: { ...NO_ROTATION, maxBytes: 1 },
      })
      for (const id of [1, 2]) {
        recorder.write(exchange({ id }))
        recorder.writer.flush()
      }
      await recorder.writer.close()
      expect(await readdir(folder)).toEqual(['shop.1.mcap', 'shop.2.mcap', 'shop.mcap'])
    })
  })
})

describe('a disk that is full', () => {
  /** Records one chunk, fills the disk, records two more. */
  async function recordOntoFullDisk(disk: MemoryDisk, events: RecordingEvent[]): Promise<TestRecorder> {
    const recorder = await TestRecorder.open({
      openPart: disk.openPart,
      retryIntervalMs: 1,
      onEvent: (event) => events.push(event),
    })
    recorder.write(exchange({ id: 1 }))
    recorder.writer.flush()
    await recorder.writer.drained()
    await expect.poll(() => disk.used).toBeGreaterThan(3000)
    disk.capacity = disk.used + 100
    for (const id of [2, 3]) {
      recorder.write(exchange({ id }))
      recorder.writer.flush()
    }
    await expect.poll(() => events.some(({ kind }) => kind === 'failed')).toBe(true)
    return recorder
  }

  it('is told once, and what waits goes to a new part when there is room', async () => {
    await withFolder(async (folder) => {
      const disk = new MemoryDisk()
      const events: RecordingEvent[] = []
      const recorder = await recordOntoFullDisk(disk, events)
      disk.capacity = Infinity
      await expect.poll(() => events.at(-1)).toEqual({ kind: 'part', part: 1, name: 'memory part 1', resumed: true })
      await recorder.writer.close()
      expect(events.map(({ kind }) => kind)).toEqual(['part', 'failed', 'part'])
      for (const [index, bytes] of disk.parts.entries()) await writeFile(join(folder, `${index}.mcap`), bytes)
      const [reader] = await openRecordings([folder], nothing())
      expect(reader === undefined ? [] : await readIds(reader)).toEqual([1, 2, 3])
      expect(ledgerImbalance(recorder.writer.total())).toEqual(new Map())
      await reader?.close()
    })
  })

  it('leaves no empty part at each retry, and is told once, where there is room for a beginning but for no chunk', async () => {
    const disk = new MemoryDisk()
    const events: RecordingEvent[] = []
    let opened = 0
    const recorder = await TestRecorder.open({
      openPart: (part) => {
        opened++
        return disk.openPart(part)
      },
      retryIntervalMs: 1,
      onEvent: (event) => events.push(event),
    })
    recorder.write(exchange({ id: 1 }))
    recorder.writer.flush()
    await expect.poll(() => disk.used).toBeGreaterThan(3000)
    disk.capacity = disk.used + 20_000
    recorder.write(exchange({ id: 2, request: { ...message(['GET / HTTP/1.1']), body: noise(30_000) } }))
    recorder.writer.flush()
    await expect.poll(() => opened).toBeGreaterThan(4)
    expect(events.map(({ kind }) => kind)).toEqual(['part', 'failed'])
    expect(disk.parts.length).toBeLessThanOrEqual(2)
    disk.capacity = Infinity
    await expect.poll(() => events.at(-1)).toEqual({ kind: 'part', part: 1, name: 'memory part 1', resumed: true })
    await recorder.writer.close()
    expect(events.map(({ kind }) => kind)).toEqual(['part', 'failed', 'part'])
    expect(disk.parts).toHaveLength(2)
  })

  it('gives a first part without a chunk its number again', async () => {
    await withFolder(async (folder) => {
      const disk = new MemoryDisk()
      const events: RecordingEvent[] = []
      const recorder = await TestRecorder.open({
        openPart: disk.openPart,
        retryIntervalMs: 1,
        onEvent: (event) => events.push(event),
      })
      disk.capacity = disk.used
      recorder.write(exchange({ id: 1 }))
      recorder.writer.flush()
      await expect.poll(() => events.at(-1)?.kind).toBe('failed')
      await expect.poll(() => disk.parts).toEqual([])
      disk.capacity = Infinity
      await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'part', part: 0, resumed: true })
      await recorder.writer.close()
      await writeFile(join(folder, 'a.mcap'), disk.parts[0] ?? '')
      const reader = await readParts([await openPart(join(folder, 'a.mcap'))])
      expect(await verifyRecording(reader)).toMatchObject({ exchanges: 1, ending: 'closed', findings: [] })
      await reader.close()
    })
  })

  it('leaves a part that reads up to its last whole chunk', async () => {
    await withFolder(async (folder) => {
      const disk = new MemoryDisk()
      const recorder = await recordOntoFullDisk(disk, [])
      const error = await rejectionOf(recorder.writer.close())
      expect(error.code).toBe('MESH_ERR_DISK_FULL')
      await writeFile(join(folder, 'a.mcap'), disk.parts[0] ?? '')
      const reader = await readParts([await openPart(join(folder, 'a.mcap'))])
      expect(await verifyRecording(reader)).toMatchObject({
        exchanges: 1,
        unreadableBytes: 0,
        ending: 'cut',
        findings: [],
      })
      await reader.close()
      expect(recorder.writer.total().requests).toMatchObject({ seen: 3, whole: 1, dropped: 2 })
    })
  })

  it('loses chunks beyond the backlog, and the next chunk that is written tells of them', async () => {
    await withFolder(async (folder) => {
      const disk = new MemoryDisk()
      const events: RecordingEvent[] = []
      const recorder = await TestRecorder.open({
        openPart: disk.openPart,
        retryIntervalMs: 1,
        maxBacklogBytes: 1,
        onEvent: (event) => events.push(event),
      })
      disk.capacity = disk.used
      for (const id of [1, 2, 3]) {
        recorder.write(exchange({ id }))
        recorder.writer.flush()
      }
      expect(events.filter(({ kind }) => kind === 'lost')).toHaveLength(2)
      expect(events.at(-1)).toMatchObject({ kind: 'lost', exchanges: 1, lateResponses: 0 })
      await expect.poll(() => events.some(({ kind }) => kind === 'failed')).toBe(true)
      disk.capacity = Infinity
      await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'part', resumed: true })
      recorder.write(exchange({ id: 4 }))
      await recorder.writer.close()
      for (const [index, bytes] of disk.parts.entries()) await writeFile(join(folder, `${index}.mcap`), bytes)
      const [reader] = await openRecordings([folder], nothing())
      expect(reader === undefined ? [] : await readIds(reader)).toEqual([1, 4])
      const ledger = await reader?.ledger()
      expect(ledger?.requests).toMatchObject({ seen: 4, whole: 2, dropped: 2 })
      expect(ledger?.requests).toEqual(recorder.writer.total().requests)
      await reader?.close()
    })
  })

  it('stops a source that can wait, at once and for good', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart, whenDiskFails: 'stop' })
    disk.capacity = disk.used
    recorder.write(exchange())
    recorder.writer.flush()
    expect((await rejectionOf(recorder.writer.close())).code).toBe('MESH_ERR_DISK_FULL')
    expect((await rejectionOf(recorder.writer.drained())).code).toBe('MESH_ERR_DISK_FULL')
    expect(recorder.writer.total().requests).toMatchObject({ seen: 1, whole: 0, dropped: 1 })
  })

  it('that has no room for the beginning of a part leaves no part behind', async () => {
    const disk = new MemoryDisk()
    disk.capacity = 10
    expect((await rejectionOf(TestRecorder.open({ openPart: disk.openPart }))).code).toBe('MESH_ERR_DISK_FULL')
    expect(disk.parts).toEqual([])
  })
})
