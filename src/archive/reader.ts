import { MeshError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { addLedger, emptyLedger } from '../core/ledger.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Unseal } from '../core/originals.ts'
import type { OpenSeal, RecordingInfo, RecordingReader, TimeRange } from '../core/recording.ts'
import type { ChunkContents } from './chunk-contents.ts'
import { readChunk } from './chunk-contents.ts'
import type { ChunkRef, PartContents } from './chunk-list.ts'
import { listChunks } from './chunk-list.ts'
import { flattenBatches } from './batches.ts'
import { Heap } from './heap.ts'
import { LEDGER_METADATA } from './info-metadata.ts'
import { parseLedgerMetadata } from './ledger-codec.ts'
import { LateResponses } from './late-responses.ts'
import { openFileBytes } from './readable-bytes.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import { damageError } from './record-order.ts'
import { TimeOrder, firstAtOrAfter, headNs } from './time-order.ts'
import type { ChunkCursor } from './time-order.ts'
import { loadZstd } from './zstd.ts'

/**
 * Unpacked chunks that may be open at once to restore the order of time. Beyond it the chunk that is needed last is given up and
 * read again when it is due: slower, never out of order.
 */
export const MAX_HELD_BYTES: number = 64 * 1024 * 1024

/** Exchanges handed on at once. */
const BATCH = 256

/** One part of a recording, opened. */
export interface OpenPart {
  readonly bytes: ReadableBytes
  readonly contents: PartContents
  /** Grows by the channels that chunks declare. */
  readonly channelKinds: Map<number, string>
  /** Where masked values are to be restored. */
  readonly unseal?: Unseal | undefined
}

/** A chunk and where it is. */
interface PlacedChunk {
  readonly part: OpenPart
  readonly ref: ChunkRef
  readonly ordinal: number
  /** When it must be open, and how many of its exchanges were taken before it was given up. */
  readonly startNs: number
  readonly taken: number
}

/** A recording in files: one reader over all its parts. */
export interface FileRecordingReader extends RecordingReader {
  readonly parts: readonly OpenPart[]
}

/** Opens one file and finds out what it holds. Throws a `MeshError` where it is not a recording, or none any more. */
export async function openPart(path: string, openSeal?: OpenSeal): Promise<OpenPart> {
  return openPartBytes(await openFileBytes(path), openSeal)
}

/** The same for bytes from anywhere; it owns them. */
export async function openPartBytes(bytes: ReadableBytes, openSeal?: OpenSeal): Promise<OpenPart> {
  try {
    const contents = await listChunks(bytes)
    const unseal = await openSeal?.(contents.info, bytes.name)
    return { bytes, contents, channelKinds: new Map(contents.channelKinds), unseal }
  } catch (error) {
    await bytes.close()
    throw error
  }
}

/** Opens a recording of one part. */
export async function openRecording(path: string): Promise<FileRecordingReader> {
  return readParts([await openPart(path)])
}

/** One reader over the parts of one recording, which it then owns. Order and times are restored across parts. */
export async function readParts(
  parts: readonly OpenPart[],
  maxHeldBytes: number = MAX_HELD_BYTES,
): Promise<FileRecordingReader> {
  await loadZstd()
  const sorted = [...parts].sort((a, b) => a.contents.info.part - b.contents.info.part)
  const [first] = sorted
  if (first === undefined)
    throw new MeshError('MESH_ERR_NOTHING_TO_DO', { what: 'expected a recording, found no part' })
  return new PartsReader(sorted, first.contents.info, maxHeldBytes)
}

class PartsReader implements FileRecordingReader {
  readonly parts: readonly OpenPart[]
  readonly info: RecordingInfo
  readonly #maxHeldBytes: number
  readonly #chunks: readonly PlacedChunk[]
  #late: LateResponses | undefined

  constructor(parts: readonly OpenPart[], info: RecordingInfo, maxHeldBytes: number) {
    this.parts = parts
    this.info = info
    this.#maxHeldBytes = maxHeldBytes
    this.#chunks = placedChunks(parts)
  }

  get ending(): 'closed' | 'cut' {
    return this.parts.every(({ contents }) => contents.ending === 'closed') ? 'closed' : 'cut'
  }

  exchanges(range?: TimeRange, signal?: AbortSignal): AsyncIterable<Exchange> {
    return flattenBatches(this.exchangeBatches(range, signal))
  }

  async *exchangeBatches(range?: TimeRange, signal?: AbortSignal): AsyncGenerator<readonly Exchange[], void, void> {
    const fromNs = range === undefined ? -Infinity : Number(range.fromUnixNs - this.info.originUnixNs)
    const toNs = range === undefined ? Infinity : Number(range.toUnixNs - this.info.originUnixNs)
    const late = (this.#late ??= await this.#readLateResponses(signal))
    const pending = this.#pending(fromNs, toNs)
    const order = new TimeOrder()
    for (;;) {
      signal?.throwIfAborted()
      for (let due = pending.peek(); due !== undefined && due.startNs <= order.headNs; due = pending.peek()) {
        pending.pop()
        order.add(await this.#open(due, fromNs, toNs))
        this.#evict(order, pending)
      }
      const batch = order.take(pending.peek()?.startNs ?? Infinity, BATCH)
      if (batch.length === 0) break
      yield late.isEmpty ? batch : batch.map((exchange) => late.join(exchange))
    }
    for (const { bytes, contents } of this.parts) {
      if (contents.damage?.hidesChunks === true) throw damageError(contents.damage, bytes.name)
    }
  }

  async ledger(): Promise<Ledger> {
    const total = emptyLedger()
    for (const part of this.parts) {
      const metadata = part.contents.metadata.get(LEDGER_METADATA)
      if (metadata !== undefined) addLedger(total, parseLedgerMetadata(metadata))
      else await addDeltas(total, part)
    }
    return total
  }

  async close(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.bytes.close()))
  }

  #pending(fromNs: number, toNs: number): Heap<PlacedChunk> {
    const pending = new Heap<PlacedChunk>(
      (a, b) => a.startNs < b.startNs || (a.startNs === b.startNs && a.ordinal < b.ordinal),
    )
    for (const chunk of this.#chunks) {
      const { hasExchanges, startNs, endNs } = chunk.ref
      if (hasExchanges && startNs < toNs && endNs >= fromNs) pending.push(chunk)
    }
    return pending
  }

  async #open(chunk: PlacedChunk, fromNs: number, toNs: number): Promise<ChunkCursor> {
    const contents = await readPartChunk(chunk.part, chunk.ref)
    const { times } = contents
    const next = Math.max(chunk.taken, firstAtOrAfter(times, fromNs))
    return { contents, ordinal: chunk.ordinal, next, end: firstAtOrAfter(times, toNs) }
  }

  #evict(order: TimeOrder, pending: Heap<PlacedChunk>): void {
    while (order.heldBytes > this.#maxHeldBytes) {
      const cursor = order.evict()
      const place = cursor === undefined ? undefined : this.#chunks[cursor.ordinal]
      if (cursor === undefined || place === undefined) return
      pending.push({ ...place, startNs: headNs(cursor), taken: cursor.next })
    }
  }

  async #readLateResponses(signal: AbortSignal | undefined): Promise<LateResponses> {
    const late = new LateResponses()
    for (const { part, ref } of this.#chunks) {
      if (!ref.hasLateResponses) continue
      signal?.throwIfAborted()
      const contents = await readPartChunk(part, ref)
      for (let index = 0; index < contents.lateResponseCount; index++) {
        if (!late.add(contents.lateResponse(index))) return late
      }
    }
    return late
  }
}

function placedChunks(parts: readonly OpenPart[]): PlacedChunk[] {
  const chunks: PlacedChunk[] = []
  for (const part of parts) {
    for (const ref of part.contents.chunks) {
      chunks.push({ part, ref, ordinal: chunks.length, startNs: ref.startNs, taken: 0 })
    }
  }
  return chunks
}

/** Reads and unpacks one chunk. */
export async function readPartChunk(part: OpenPart, ref: ChunkRef): Promise<ChunkContents> {
  const { bytes, contents, channelKinds, unseal } = part
  const record = await bytes.read(ref.offset, ref.length)
  return readChunk(record, channelKinds, contents.info.originUnixNs, `${bytes.name}, offset ${ref.offset}`, unseal)
}

async function addDeltas(total: Ledger, part: OpenPart): Promise<void> {
  for (const ref of part.contents.chunks) {
    const contents = await readPartChunk(part, ref)
    for (let index = 0; index < contents.ledgerCount; index++) addLedger(total, contents.ledger(index))
  }
}
