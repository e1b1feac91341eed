import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { MeshError } from '../../src/core/errors.ts'
import { LedgerKeeper } from '../../src/core/ledger.ts'
import type { CutReason, Exchange, LateResponse, Message, MissingResponse, Response } from '../../src/core/exchange.ts'
import type { RecordingInfo, RecordingReader } from '../../src/core/recording.ts'
import { PROTOCOL_NAMES } from '../../src/core/exchange.ts'
import type { ReadableBytes } from '../../src/archive/readable-bytes.ts'
import { openPartBytes, readParts } from '../../src/archive/reader.ts'
import type { FileRecordingReader } from '../../src/archive/reader.ts'
import type { WritableBytes } from '../../src/archive/writable-bytes.ts'
import { createRecordingWriter } from '../../src/archive/writer.ts'
import type { ChunkedRecordingWriter, RecordingWriterOptions } from '../../src/archive/writer.ts'

/** 2026-09-01 10:00:00 UTC and some nanoseconds, so that lost digits show. */
export const ORIGIN_UNIX_NS = 1_788_256_800_123_456_789n

export function recordingInfo(changes: Partial<RecordingInfo> = {}): RecordingInfo {
  return {
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
    ...changes,
  }
}

/** A writer with a ledger that it keeps as a capture does: settled first, then written. */
export class TestRecorder {
  readonly ledger: LedgerKeeper
  readonly writer: ChunkedRecordingWriter

  private constructor(ledger: LedgerKeeper, writer: ChunkedRecordingWriter) {
    this.ledger = ledger
    this.writer = writer
  }

  static async open(
    options: Partial<RecordingWriterOptions> & Pick<RecordingWriterOptions, 'openPart'>,
  ): Promise<TestRecorder> {
    const ledger = new LedgerKeeper()
    const writer = await createRecordingWriter({
      info: recordingInfo(),
      takeLedgerDelta: () => ledger.takeDelta(),
      nowNs: () => 0,
      flushIntervalMs: 3_600_000,
      ...options,
    })
    return new TestRecorder(ledger, writer)
  }

  write(exchange: Exchange): void {
    this.ledger.see('requests')
    this.ledger.settle('requests', exchange.request.cut === undefined ? 'whole' : 'cut')
    if (typeof exchange.response !== 'string') this.#settleResponse(exchange.response)
    this.writer.write(exchange)
  }

  writeLate(late: LateResponse): void {
    this.#settleResponse(late.response)
    this.writer.writeLate(late)
  }

  #settleResponse(response: Response): void {
    this.ledger.see('responses')
    this.ledger.settle('responses', response.cut === undefined ? 'whole' : 'cut')
  }
}

/** Writes a recording of one part to a file; a list of exchanges a chunk. */
export async function recordChunks(path: string, chunks: readonly (readonly Exchange[])[]): Promise<void> {
  await writeFile(path, await recordedBytes(chunks), { flag: 'wx' })
}

/** The bytes of a recording of one part; a list of exchanges a chunk. */
export async function recordedBytes(chunks: readonly (readonly Exchange[])[]): Promise<Uint8Array> {
  const disk = new MemoryDisk()
  const recorder = await TestRecorder.open({ openPart: disk.openPart })
  for (const chunk of chunks) {
    for (const exchange of chunk) recorder.write(exchange)
    recorder.writer.flush()
  }
  await recorder.writer.close()
  return disk.parts[0] ?? new Uint8Array(0)
}

/** Opens a recording of one part that is in memory. */
export async function openBytes(bytes: Uint8Array, maxHeldBytes?: number): Promise<FileRecordingReader> {
  return readParts([await openPartBytes(memoryBytes('some.mcap', bytes))], maxHeldBytes)
}

/** Runs with a folder of its own, which is gone afterwards. */
export async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-archive-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Bytes in memory as a file. */
export function memoryBytes(name: string, bytes: Uint8Array): ReadableBytes {
  return {
    name,
    size: () => Promise.resolve(bytes.length),
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
    close: () => Promise.resolve(),
  }
}

/** The exchange with its bytes as plain arrays, so that equal ones are equal however their bytes are held. */
export function plain(of: Exchange): Exchange {
  const message = <Kind extends Message>({ head, body, trailers, ...rest }: Kind): Kind =>
    ({ ...rest, head: Uint8Array.from(head), body: Uint8Array.from(body), trailers: Uint8Array.from(trailers) }) as Kind
  const response = typeof of.response === 'string' ? of.response : message(of.response)
  return { ...of, request: message(of.request), response }
}

/** Ids of a recording's exchanges, in the order of reading. */
export async function readIds(reader: RecordingReader): Promise<number[]> {
  return (await collect(reader.exchanges())).map(({ id }) => id)
}

/** A place in memory that takes bytes until it is full, as a disk does: what fits of a write stays. */
export class MemoryDisk {
  readonly parts: Uint8Array[] = []
  /** Bytes that it takes in all. */
  capacity = Infinity

  get used(): number {
    return this.parts.reduce((sum, part) => sum + part.length, 0)
  }

  readonly openPart = (number: number): Promise<WritableBytes> => {
    const index = this.parts.length
    this.parts.push(new Uint8Array(0))
    return Promise.resolve({
      name: `memory part ${number}`,
      write: async (bytes) => {
        const fits = bytes.subarray(0, Math.max(0, this.capacity - this.used))
        this.parts[index] = Buffer.concat([this.parts[index] ?? new Uint8Array(0), fits])
        if (fits.length < bytes.length)
          throw new MeshError('MESH_ERR_DISK_FULL', { what: 'no space left on the device' })
      },
      truncate: async (length) => {
        this.parts[index] = (this.parts[index] ?? new Uint8Array(0)).subarray(0, length)
      },
      close: () => Promise.resolve(),
      remove: async () => {
        this.parts.pop()
      },
    })
  }
}

const CUTS: readonly (CutReason | undefined)[] = [undefined, 'limit', 'gap', 'close', 'end', 'undecodable']
const MISSINGS: readonly MissingResponse[] = ['late', 'gap', 'close', 'end', 'undecodable', 'absent']

const anyBytes = fc.uint8Array({ maxLength: 300 })
const anyCount = fc.oneof(fc.nat(), fc.maxSafeNat())
const anyDurationNs = fc.oneof(fc.nat(), fc.integer({ min: -(2 ** 50), max: 2 ** 50 }))
const anyEndpoint = fc.record({
  address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme' })),
  port: fc.nat(65_535),
})

export const anyMessage: fc.Arbitrary<Message> = fc.record({
  head: anyBytes,
  body: anyBytes,
  trailers: anyBytes,
  bodySize: anyCount,
  cut: fc.constantFrom(...CUTS),
})

export function anyResponse(originNs: number): fc.Arbitrary<Response> {
  return fc
    .tuple(anyMessage, anyDurationNs, anyDurationNs)
    .map(([message, first, last]) => ({ ...message, firstNs: originNs + first, lastNs: originNs + last }))
}

/** Any exchange that can be told; its request began within a day of the origin. */
export const anyExchange: fc.Arbitrary<Exchange> = fc.nat(86_400e9).chain((requestFirstNs) =>
  fc.record({
    id: anyCount,
    connection: anyCount,
    position: anyCount,
    session: fc.oneof(fc.string(), fc.string({ unit: 'grapheme', minLength: 50, maxLength: 100 })),
    protocol: fc.constantFrom(...PROTOCOL_NAMES),
    secure: fc.boolean(),
    client: anyEndpoint,
    server: anyEndpoint,
    request: anyMessage,
    requestFirstNs: fc.constant(requestFirstNs),
    requestLastNs: anyDurationNs.map((duration) => requestFirstNs + duration),
    response: fc.oneof(anyResponse(requestFirstNs), fc.constantFrom(...MISSINGS)),
  }),
)
