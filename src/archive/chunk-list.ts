import { asBuffer } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { RecordingInfo } from '../core/recording.ts'
import { channelKind } from './channels.ts'
import { KIND_BYTES, requireMcap, tooShort } from './file-kind.ts'
import { PROFILE, RECORDING_METADATA, parseInfoMetadata } from './info-metadata.ts'
import { MAX_RECORD_BYTES, OPCODE, RECORD_HEAD_BYTES, parseRecord, readSummary } from './mcap.ts'
import type { McapRecord, McapSummary } from './mcap.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import { damageError } from './record-order.ts'
import type { Damage } from './record-order.ts'
import { RecordWalk, endsWithMagic } from './record-walk.ts'
import type { TopRecord } from './record-walk.ts'

/** The longest record other than a chunk: metadata, schemas. */
const MAX_SMALL_RECORD_BYTES = 1024 * 1024

/** Records that tell what a file is. */
const DESCRIBING: ReadonlySet<number> = new Set([OPCODE.header, OPCODE.metadata, OPCODE.channel])

/** Where a chunk is, and what it holds. Times are wall clock, less `originUnixNs` of the recording. */
export interface ChunkRef {
  readonly offset: number
  /** Of the whole record, its head included. */
  readonly length: number
  readonly startNs: number
  readonly endNs: number
  readonly hasExchanges: boolean
  readonly hasLateResponses: boolean
}

/** One part of a recording as it was found. */
export interface PartContents {
  readonly info: RecordingInfo
  readonly ending: 'closed' | 'cut'
  readonly chunks: readonly ChunkRef[]
  readonly channelKinds: ReadonlyMap<number, string>
  readonly metadata: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Where what can be read ends: the file's size, or the end of the last whole record. */
  readonly readableBytes: number
  /** Where its records stop being a recording's, though it was not cut there. Not looked for where the index is sound. */
  readonly damage: Damage | undefined
  /** Where the record DataEnd begins, and the CRC it bears of all before it. */
  readonly dataEnd: { readonly offset: number; readonly crc: number | undefined } | undefined
  /** The index at its end can be trusted. */
  readonly hasIndex: boolean
}

/** Finds the chunks of a part: by its index, or where it has none from chunk to chunk, without unpacking any. */
export async function listChunks(bytes: ReadableBytes): Promise<PartContents> {
  const size = await bytes.size()
  requireMcap(await bytes.read(0, Math.min(size, KIND_BYTES)), bytes.name)
  const isClosed = await endsWithMagic(bytes, size)
  return (isClosed ? await fromSummary(bytes, size) : undefined) ?? fromScan(bytes, size, isClosed)
}

/** undefined where there is no summary that can be trusted; the scan then finds out why. */
async function fromSummary(bytes: ReadableBytes, size: number): Promise<PartContents | undefined> {
  try {
    const summary = await readSummary(size, (offset, length) => readWithin(bytes, offset, length, size))
    const metadata = await readMetadata(bytes, summary, size)
    const info = parseInfoMetadata(metadata.get(RECORDING_METADATA) ?? new Map(), bytes.name)
    const channelKinds = new Map([...summary.channels].map(([id, { topic }]) => [id, channelKind(topic) ?? '']))
    const chunks = summary.chunkIndexes.map((index): ChunkRef => {
      const kinds = new Set([...index.messageIndexOffsets.keys()].map((id) => channelKinds.get(id)))
      return {
        offset: Number(index.chunkStartOffset),
        length: Number(index.chunkLength),
        startNs: Number(index.messageStartTime - info.originUnixNs),
        endNs: Number(index.messageEndTime - info.originUnixNs),
        hasExchanges: kinds.has('exchange') || kinds.has('late'),
        hasLateResponses: kinds.has('late-response'),
      }
    })
    const dataEnd = { offset: summary.dataEndOffset, crc: summary.dataCrc }
    const found = { info, chunks, channelKinds, metadata, dataEnd }
    return { ...found, ending: 'closed', readableBytes: size, damage: undefined, hasIndex: true }
  } catch {
    return undefined
  }
}

/** The metadata that the index names. What stands twice is needed once: a damaged one is passed over, and told by the CRC of all data. */
async function readMetadata(
  bytes: ReadableBytes,
  { metadataOffsets }: McapSummary,
  size: number,
): Promise<Map<string, ReadonlyMap<string, string>>> {
  const metadata = new Map<string, ReadonlyMap<string, string>>()
  for (const { name, offset, length } of metadataOffsets) {
    const record = parsedOrNone(await readWithin(bytes, offset, length, size))
    if (record?.type === 'Metadata') metadata.set(name, record.metadata)
  }
  return metadata
}

function parsedOrNone(bytes: Uint8Array): McapRecord | undefined {
  try {
    return parseRecord(bytes)
  } catch {
    return undefined
  }
}

function readWithin(bytes: ReadableBytes, offset: number, length: number, size: number): Promise<Uint8Array> {
  if (offset < 0 || length < 0 || offset + length > size || length > MAX_RECORD_BYTES) {
    throw new RangeError(`no ${length} bytes at offset ${offset}`)
  }
  return bytes.read(offset, length)
}

async function fromScan(bytes: ReadableBytes, size: number, isClosed: boolean): Promise<PartContents> {
  const metadata = new Map<string, ReadonlyMap<string, string>>()
  const channelKinds = new Map<number, string>()
  const chunks: ScannedChunk[] = []
  let info: RecordingInfo | undefined
  let profile: string | undefined
  const walk = new RecordWalk(bytes, size)
  for (let found = await walk.next(); found !== undefined; found = await walk.next()) {
    // The summary says again what the data said, for readers that go by it.
    if (walk.dataEnd !== undefined) continue
    if (DESCRIBING.has(found.opcode)) {
      const record = await readSmallRecord(bytes, found)
      if (record.type === 'Header') profile = record.profile
      if (record.type === 'Metadata') metadata.set(record.name, record.metadata)
      if (record.type === 'Channel') channelKinds.set(record.id, channelKind(record.topic) ?? '')
    } else if (found.opcode === OPCODE.chunk) {
      info ??= describedInfo(metadata, profile, undefined, found.offset, bytes.name)
      chunks.push(scannedChunk(found, info))
    } else if (found.opcode === OPCODE.messageIndex) {
      const chunk = chunks.pop()
      if (chunk !== undefined) chunks.push(indexed(chunk, found, channelKinds))
    }
  }
  const { damage, dataEnd } = walk
  info ??= describedInfo(metadata, profile, damage, walk.offset, bytes.name)
  const found = { info, chunks: chunks.map(settled), channelKinds, metadata, damage, dataEnd, hasIndex: false }
  const ending = isClosed || (walk.isFooted && damage !== undefined) ? 'closed' : 'cut'
  return { ...found, ending, readableBytes: ending === 'closed' && damage === undefined ? size : walk.offset }
}

/** Until its message index is seen, a chunk may hold anything. */
type ScannedChunk = ChunkRef & { readonly isIndexed: boolean }

function settled(chunk: ScannedChunk): ChunkRef {
  const { isIndexed, ...ref } = chunk
  return isIndexed ? ref : { ...ref, hasExchanges: true, hasLateResponses: true }
}

function scannedChunk({ start, offset, length }: TopRecord, info: RecordingInfo): ScannedChunk {
  const buffer = asBuffer(start)
  const ends = start.length >= RECORD_HEAD_BYTES + 16
  const startNs = ends ? Number(buffer.readBigUInt64LE(RECORD_HEAD_BYTES) - info.originUnixNs) : 0
  const endNs = ends ? Number(buffer.readBigUInt64LE(RECORD_HEAD_BYTES + 8) - info.originUnixNs) : 0
  return { offset, length, startNs, endNs, hasExchanges: false, hasLateResponses: false, isIndexed: false }
}

function indexed(chunk: ScannedChunk, index: TopRecord, channelKinds: ReadonlyMap<number, string>): ScannedChunk {
  if (index.length < RECORD_HEAD_BYTES + 2) return chunk
  const kind = channelKinds.get(asBuffer(index.start).readUInt16LE(RECORD_HEAD_BYTES))
  const hasExchanges = chunk.hasExchanges || (kind !== 'ledger' && kind !== 'late-response')
  return {
    ...chunk,
    hasExchanges,
    hasLateResponses: chunk.hasLateResponses || kind === 'late-response',
    isIndexed: true,
  }
}

async function readSmallRecord(bytes: ReadableBytes, found: TopRecord): Promise<McapRecord> {
  const where = `${bytes.name}, offset ${found.offset}`
  if (found.length > MAX_SMALL_RECORD_BYTES) {
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what: `found metadata of ${found.length} bytes`, where })
  }
  try {
    return parseRecord(await bytes.read(found.offset, found.length))
  } catch (cause) {
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what: 'expected an MCAP record, found other bytes', where, cause })
  }
}

/**
 * The info that must stand before the first chunk. Without it, a file of our profile was cut or damaged before it, and another is
 * another program's: `offset` is how far it was read.
 */
export function describedInfo(
  metadata: ReadonlyMap<string, ReadonlyMap<string, string>>,
  profile: string | undefined,
  damage: Damage | undefined,
  offset: number,
  name: string,
): RecordingInfo {
  const found = metadata.get(RECORDING_METADATA)
  if (found !== undefined) return parseInfoMetadata(found, name)
  if (profile === undefined || profile === PROFILE) {
    throw damage === undefined ? tooShort(offset, name) : damageError(damage, name)
  }
  throw new MeshError('MESH_ERR_FILE_KIND', {
    what: `expected a recording, found an MCAP file of another program (profile "${profile}")`,
    where: `${name}, offset ${offset}`,
  })
}
