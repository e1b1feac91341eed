import { MeshError, toMeshError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { addLedger, emptyLedger } from '../core/ledger.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Unseal } from '../core/originals.ts'
import type { OpenSeal, RecordingInfo, RecordingReader, TimeRange } from '../core/recording.ts'
import { flattenBatches } from './batches.ts'
import { channelKind } from './channels.ts'
import { describedInfo } from './chunk-list.ts'
import type { ChunkContents } from './chunk-contents.ts'
import { readChunk } from './chunk-contents.ts'
import { KIND_BYTES, requireMcap } from './file-kind.ts'
import { RECORDING_METADATA } from './info-metadata.ts'
import { OPCODE, parseRecord } from './mcap.ts'
import type { McapRecord } from './mcap.ts'
import { damageError } from './record-order.ts'
import { RecordSplitter } from './record-splitter.ts'
import type { StreamRecord } from './record-splitter.ts'
import { TimeOrder, firstAtOrAfter } from './time-order.ts'
import { WINDOW_NS } from './window.ts'
import { loadZstd } from './zstd.ts'

/** Unpacked chunks held for the window. Beyond it the earliest exchanges are handed on at once: order is then best effort. */
const MAX_HELD_BYTES = 192 * 1024 * 1024

/** Exchanges handed on at once. */
const BATCH = 256

/**
 * Reads a recording as it comes, once. Exchanges are in order of time within the window; late ones come when they come, and
 * late responses are not joined, because their exchanges are gone by then. What the recording says at its end counts for `ending`
 * only when the end is reached.
 */
export async function openRecordingStream(
  input: AsyncIterable<Uint8Array>,
  name: string,
  maxHeldBytes: number = MAX_HELD_BYTES,
  openSeal?: OpenSeal,
): Promise<RecordingReader> {
  await loadZstd()
  const stream = new RecordStream(input, name)
  const info = await stream.readInfo()
  return new StreamReader(stream, info, maxHeldBytes, await openSeal?.(info, name))
}

/** The records of a stream, pulled. */
class RecordStream {
  readonly name: string
  readonly channelKinds = new Map<number, string>()
  readonly #input: AsyncIterator<Uint8Array>
  readonly #splitter = new RecordSplitter()
  #ended = false

  constructor(input: AsyncIterable<Uint8Array>, name: string) {
    this.name = name
    this.#input = input[Symbol.asyncIterator]()
  }

  get isClosed(): boolean {
    return this.#splitter.isClosed
  }

  /** Reads up to the metadata that every recording begins with. */
  async readInfo(): Promise<RecordingInfo> {
    while (!this.#ended && this.#splitter.peek(KIND_BYTES).length < KIND_BYTES) await this.#pull()
    requireMcap(this.#splitter.peek(this.#splitter.peek(KIND_BYTES).length), this.name)
    const metadata = new Map<string, ReadonlyMap<string, string>>()
    let profile: string | undefined
    while (!metadata.has(RECORDING_METADATA)) {
      const found = await this.next()
      if (found === undefined || found.opcode === OPCODE.chunk || found.opcode === OPCODE.dataEnd) break
      const record = readRecord(found, this.name)
      if (record.type === 'Header') profile = record.profile
      if (record.type === 'Metadata') metadata.set(record.name, record.metadata)
    }
    return describedInfo(metadata, profile, this.#splitter.damage, this.#splitter.offset, this.name)
  }

  /** The next whole record; undefined at the end, or where what follows is none. */
  async next(): Promise<StreamRecord | undefined> {
    for (;;) {
      const record = this.#splitter.next()
      if (record !== undefined) return record
      if (this.#ended || this.#splitter.damage !== undefined) return undefined
      await this.#pull()
    }
  }

  /** Throws where the records did not end as a recording's do, whole or cut. */
  requireSound(): void {
    const { damage } = this.#splitter
    if (damage !== undefined) throw damageError(damage, this.name)
  }

  async close(): Promise<void> {
    this.#ended = true
    await this.#input.return?.()
  }

  async #pull(): Promise<void> {
    try {
      const result = await this.#input.next()
      if (result.done === true) {
        this.#ended = true
        this.#splitter.end()
      } else this.#splitter.push(result.value)
    } catch (error) {
      throw toMeshError(error, this.name)
    }
  }
}

class StreamReader implements RecordingReader {
  readonly info: RecordingInfo
  readonly #stream: RecordStream
  readonly #maxHeldBytes: number
  readonly #unseal: Unseal | undefined
  readonly #ledger = emptyLedger()
  #started = false
  #chunks = 0

  constructor(stream: RecordStream, info: RecordingInfo, maxHeldBytes: number, unseal: Unseal | undefined) {
    this.#stream = stream
    this.info = info
    this.#maxHeldBytes = maxHeldBytes
    this.#unseal = unseal
  }

  get ending(): 'closed' | 'cut' {
    return this.#stream.isClosed ? 'closed' : 'cut'
  }

  exchanges(range?: TimeRange, signal?: AbortSignal): AsyncIterable<Exchange> {
    return flattenBatches(this.exchangeBatches(range, signal))
  }

  async *exchangeBatches(range?: TimeRange, signal?: AbortSignal): AsyncGenerator<readonly Exchange[], void, void> {
    if (this.#started) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: 'expected to read a stream once, found a second reading',
        where: this.#stream.name,
        remedy: 'write it to a file first',
      })
    }
    this.#started = true
    const order = new TimeOrder()
    let newestNs = -Infinity
    for (let contents = await this.#nextChunk(); contents !== undefined; contents = await this.#nextChunk()) {
      signal?.throwIfAborted()
      newestNs = Math.max(newestNs, contents.times.at(-1) ?? -Infinity)
      const { next, end } = this.#within(contents, range)
      order.add({ contents, ordinal: this.#chunks++, next, end })
      yield* taken(order, newestNs - WINDOW_NS)
      while (order.heldBytes > this.#maxHeldBytes) yield order.take(Infinity, BATCH)
    }
    yield* taken(order, Infinity)
    this.#stream.requireSound()
  }

  /** Reads the stream to its end first. */
  async ledger(): Promise<Ledger> {
    this.#started = true
    while ((await this.#nextChunk()) !== undefined);
    this.#stream.requireSound()
    const copy = emptyLedger()
    addLedger(copy, this.#ledger)
    return copy
  }

  close(): Promise<void> {
    return this.#stream.close()
  }

  async #nextChunk(): Promise<ChunkContents | undefined> {
    const { channelKinds, name } = this.#stream
    for (let found = await this.#stream.next(); found !== undefined; found = await this.#stream.next()) {
      if (found.opcode === OPCODE.channel) {
        const record = readRecord(found, name)
        if (record.type === 'Channel') channelKinds.set(record.id, channelKind(record.topic) ?? '')
      }
      if (found.opcode !== OPCODE.chunk) continue
      const where = `${name}, offset ${found.offset}`
      const contents = readChunk(found.bytes, channelKinds, this.info.originUnixNs, where, this.#unseal)
      for (let index = 0; index < contents.ledgerCount; index++) addLedger(this.#ledger, contents.ledger(index))
      return contents
    }
    return undefined
  }

  #within({ times }: ChunkContents, range: TimeRange | undefined): { next: number; end: number } {
    if (range === undefined) return { next: 0, end: times.length }
    const fromNs = Number(range.fromUnixNs - this.info.originUnixNs)
    const toNs = Number(range.toUnixNs - this.info.originUnixNs)
    return { next: firstAtOrAfter(times, fromNs), end: firstAtOrAfter(times, toNs) }
  }
}

function readRecord(found: StreamRecord, name: string): McapRecord {
  try {
    return parseRecord(found.bytes)
  } catch (cause) {
    const where = `${name}, offset ${found.offset}`
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what: 'expected an MCAP record, found other bytes', where, cause })
  }
}

function* taken(order: TimeOrder, boundNs: number): Generator<readonly Exchange[], void, void> {
  while (order.headNs < boundNs) yield order.take(boundNs, BATCH)
}
