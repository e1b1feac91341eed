import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { McapIndexedReader, McapStreamReader } from '@mcap/core'
import type { McapTypes } from '@mcap/core'
import { describe, expect, it } from 'vitest'
import { infoMetadata, parseInfoMetadata } from '../../src/archive/info-metadata.ts'
import { decodeLedger } from '../../src/archive/ledger-codec.ts'
import { fileParts } from '../../src/archive/parts.ts'
import { openRecording } from '../../src/archive/reader.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import { CHUNK_BYTES, MAX_BODY_BYTES } from '../../src/archive/writer.ts'
import { WINDOW_NS } from '../../src/archive/window.ts'
import { loadZstd, zstdDecompress } from '../../src/archive/zstd.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import { rejectionOf, thrownBy } from '../support/errors.ts'
import { MemoryDisk, ORIGIN_UNIX_NS, TestRecorder, recordingInfo, withFolder } from '../support/recordings.ts'

/** All records of an MCAP file, as the public library reads them: CRCs checked. */
async function libraryRecords(bytes: Uint8Array): Promise<McapTypes.TypedMcapRecord[]> {
  await loadZstd()
  const reader = new McapStreamReader({
    includeChunks: true,
    validateCrcs: true,
    decompressHandlers: { zstd: (packed, size) => zstdDecompress(packed, Number(size)) },
  })
  reader.append(bytes)
  const records: McapTypes.TypedMcapRecord[] = []
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) records.push(record)
  expect(reader.done()).toBe(true)
  return records
}

const types = (records: readonly McapTypes.TypedMcapRecord[]): string[] => records.map(({ type }) => type)

describe('a recording in a file', () => {
  it('is readable by its owner only', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const { writer } = await TestRecorder.open({ openPart: fileParts(path) })
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      await writer.close()
    })
  })

  it('never takes the place of a file that is there', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await writeFile(path, 'mine')
      const error = await rejectionOf(TestRecorder.open({ openPart: fileParts(path) }))
      expect(error.code).toBe('MESH_ERR_FILE_EXISTS')
      expect(error.where).toBe(path)
      expect(await readFile(path, 'utf8')).toBe('mine')
    })
  })

  it('names a folder that is not there', async () => {
    const error = await rejectionOf(TestRecorder.open({ openPart: fileParts('/nowhere/at/all.mcap') }))
    expect(error.code).toBe('MESH_ERR_FILE_NOT_FOUND')
  })

  it('refuses a body limit beyond what readers accept', async () => {
    const info = recordingInfo({ maxBodyBytes: MAX_BODY_BYTES + 1 })
    const error = await rejectionOf(TestRecorder.open({ info, openPart: new MemoryDisk().openPart }))
    expect(error.code).toBe('MESH_ERR_LIMIT')
  })

  it.each([-1n, 10n ** 19n, 9_223_286_400_000_000_000n])('refuses %s as its origin, as its reader does', async (ns) => {
    const disk = new MemoryDisk()
    const info = recordingInfo({ originUnixNs: ns })
    expect((await rejectionOf(TestRecorder.open({ info, openPart: disk.openPart }))).code).toBe('MESH_ERR_LIMIT')
    expect(disk.parts).toEqual([])
    expect(thrownBy(() => parseInfoMetadata(infoMetadata(info), 'a.mcap'))).toMatchObject({ where: 'a.mcap' })
  })

  it('refuses an exchange that would not fit a chunk, and goes on', async () => {
    const disk = new MemoryDisk()
    const { writer } = await TestRecorder.open({ openPart: disk.openPart })
    const huge = { ...message(['POST / HTTP/1.1']), body: new Uint8Array(2 * MAX_BODY_BYTES + 2 ** 24) }
    expect(thrownBy(() => writer.write(exchange({ request: huge }))).code).toBe('MESH_ERR_LIMIT')
    writer.write(exchange())
    await writer.close()
    expect(types(await libraryRecords(disk.parts[0] ?? huge.body)).filter((type) => type === 'Message')).toHaveLength(2)
  })
})

describe('the file that a writer makes', () => {
  it('has the records of the specification, in its order', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    recorder.write(exchange())
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    expect(types(records)).toEqual([
      ...['Header', 'Metadata', 'Schema', 'Schema', 'Schema', 'Schema', 'Channel', 'Channel'],
      ...['Chunk', 'Channel', 'Message', 'Channel', 'Message', 'MessageIndex', 'MessageIndex'],
      ...['Metadata', 'Metadata', 'DataEnd'],
      ...['Schema', 'Schema', 'Schema', 'Schema', 'Channel', 'Channel', 'Channel', 'Statistics'],
      ...['MetadataIndex', 'MetadataIndex', 'MetadataIndex', 'ChunkIndex'],
      ...['SummaryOffset', 'SummaryOffset', 'SummaryOffset', 'SummaryOffset', 'SummaryOffset', 'Footer'],
    ])
    expect(records[0]).toMatchObject({ profile: 'mesh', library: 'mesh 0.0.0' })
  })

  it('is read by the indexed reader of the public library, in order of time', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    for (const firstNs of [3000, 1000, 2000]) recorder.write(exchange({ id: firstNs, requestFirstNs: firstNs }))
    recorder.writer.flush()
    recorder.write(exchange({ id: 1500, requestFirstNs: 1500 }))
    await recorder.writer.close()
    const bytes = disk.parts[0] ?? new Uint8Array(0)
    const reader = await McapIndexedReader.Initialize({
      readable: {
        size: async () => BigInt(bytes.length),
        read: async (offset, size) => bytes.subarray(Number(offset), Number(offset + size)),
      },
      decompressHandlers: { zstd: (packed, size) => zstdDecompress(packed, Number(size)) },
    })
    const times: number[] = []
    for await (const { logTime } of reader.readMessages({ topics: ['exchange/shop-1/shop/http1'] })) {
      times.push(Number(logTime - ORIGIN_UNIX_NS))
    }
    expect(times).toEqual([1000, 1500, 2000, 3000])
    expect(reader.statistics).toMatchObject({ messageCount: 6n, chunkCount: 2, channelCount: 3, metadataCount: 3 })
  })

  it('has one channel for each protocol, with host and service made safe for topics', async () => {
    const disk = new MemoryDisk()
    const info = recordingInfo({ host: 'a/b', service: '' })
    const recorder = await TestRecorder.open({ info, openPart: disk.openPart })
    recorder.write(exchange({ protocol: 'http1' }))
    recorder.write(exchange({ protocol: 'grpc' }))
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    const topics = new Set(records.flatMap((record) => (record.type === 'Channel' ? [record.topic] : [])))
    expect([...topics]).toEqual(['ledger', 'late-response', 'exchange/a%2Fb/-/http1', 'exchange/a%2Fb/-/grpc'])
  })

  it('has a ledger delta as the last message of every chunk, and their sum in its metadata', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    for (let id = 0; id < 3; id++) {
      recorder.ledger.see('connections')
      recorder.write(exchange({ id }))
      recorder.writer.flush()
    }
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    const messages = records.flatMap((record) => (record.type === 'Message' ? [record] : []))
    expect(messages.map(({ channelId }) => channelId)).toEqual([2, 0, 2, 0, 2, 0])
    const deltas = messages.filter(({ channelId }) => channelId === 0).map(({ data }) => decodeLedger(data))
    expect(deltas.map(({ connections }) => connections.pending)).toEqual([1, 1, 1])
    const total = records.find((record) => record.type === 'Metadata' && record.name === 'mesh.ledger')
    expect(total?.type === 'Metadata' && Object.fromEntries(total.metadata)).toEqual({
      'connections.seen': '3',
      'connections.pending': '3',
      'requests.seen': '3',
      'requests.whole': '3',
      'responses.seen': '3',
      'responses.whole': '3',
    })
  })

  it('says at its end what it said at its start', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    const infos = records.flatMap((record) =>
      record.type === 'Metadata' && record.name === 'mesh.recording' ? [record.metadata] : [],
    )
    expect(infos).toHaveLength(2)
    expect(infos[0]).toEqual(infos[1])
    expect(infos[0]?.get('origin_unix_ns')).toBe('1788256800123456789')
  })
})

describe('chunks', () => {
  it('end when they are full', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    const body = 'x'.repeat(CHUNK_BYTES / 4)
    for (let id = 0; id < 9; id++) recorder.write(exchange({ id, request: message(['POST / HTTP/1.1'], body) }))
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    expect(types(records).filter((type) => type === 'Chunk')).toHaveLength(3)
  })

  it('end by themselves after the interval, so that a crash loses little', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart, flushIntervalMs: 5 })
    const before = disk.used
    recorder.write(exchange())
    await expect.poll(() => disk.used).toBeGreaterThan(before)
    await recorder.writer.close()
  })

  it('are not written where nothing happened', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    recorder.writer.flush()
    recorder.ledger.see('bytes', 10)
    recorder.writer.flush()
    recorder.writer.flush()
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    expect(types(records).filter((type) => type === 'Chunk')).toHaveLength(1)
  })

  it('of their own take requests that are later than the window, on a channel named late', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart })
    recorder.write(exchange({ id: 1, requestFirstNs: WINDOW_NS + 1 }))
    recorder.write(exchange({ id: 2, requestFirstNs: 1 }))
    recorder.write(exchange({ id: 3, requestFirstNs: 0 }))
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    const topics = new Map(records.flatMap((record) => (record.type === 'Channel' ? [[record.id, record.topic]] : [])))
    const chunks: string[][] = []
    for (const record of records) {
      if (record.type === 'Chunk') chunks.push([])
      if (record.type === 'Message') chunks.at(-1)?.push(topics.get(record.channelId) ?? '')
    }
    expect(chunks).toEqual([
      ['late/shop-1/shop/http1', 'ledger'],
      ['exchange/shop-1/shop/http1', 'exchange/shop-1/shop/http1', 'ledger'],
    ])
  })

  it('bear as publish time when they were written', async () => {
    const disk = new MemoryDisk()
    const recorder = await TestRecorder.open({ openPart: disk.openPart, nowNs: () => 77e9 })
    recorder.write(exchange({ requestFirstNs: 5, response: 'late' }))
    recorder.writeLate({ exchangeId: 1, response: response(['HTTP/1.1 200 OK'], '', { firstNs: 6, lastNs: 9 }) })
    await recorder.writer.close()
    const records = await libraryRecords(disk.parts[0] ?? new Uint8Array(0))
    const messages = records.flatMap((record) => (record.type === 'Message' ? [record] : []))
    expect(messages.map(({ logTime }) => logTime - ORIGIN_UNIX_NS)).toEqual([5n, 9n, 9n])
    expect(messages.map(({ publishTime }) => publishTime - ORIGIN_UNIX_NS)).toEqual([
      77_000_000_000n,
      77_000_000_000n,
      77_000_000_000n,
    ])
  })
})

describe('a writer that is closed twice', () => {
  it('ends its recording once', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ openPart: fileParts(path) })
      recorder.write(exchange())
      await Promise.all([recorder.writer.close(), recorder.writer.close()])
      const reader = await openRecording(path)
      expect(await verifyRecording(reader)).toMatchObject({ ending: 'closed', exchanges: 1, findings: [] })
      await reader.close()
    })
  })
})
