import { asBuffer, equalBytes } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { RecordingInfo } from '../core/recording.ts'
import { readUint64 } from './byte-builder.ts'
import { channelKind } from './channels.ts'
import { KIND_BYTES, requireMcap, tooShort } from './file-kind.ts'
import { PROFILE, RECORDING_METADATA, parseInfoMetadata } from './info-metadata.ts'
import { MAGIC, OPCODE, RECORD_HEAD_BYTES, parseRecord, readSummary } from './mcap.ts'
import type { McapRecord, McapSummary } from './mcap.ts'
import type { ReadableBytes } from './readable-bytes.ts'

/** The longest record that is read at once; a longer length is taken for the end of a cut file, or for garbage. */
export const MAX_RECORD_BYTES: number = 128 * 1024 * 1024

/** The longest record other than a chunk: metadata, schemas. */
const MAX_SMALL_RECORD_BYTES = 1024 * 1024

/** Records that tell what a file is. */
const DESCRIBING: ReadonlySet<number> = new Set([OPCODE.header, OPCODE.metadata, OPCODE.channel])

/** What is read at once to see a record's head: enough for a chunk's times. */
const PROBE_BYTES = 64

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
  /** The index at its end, where it has one that can be trusted. */
  readonly summary: McapSummary | undefined
}

/** Finds the chunks of a part: by its index, or where it has none from chunk to chunk, without unpacking any. */
export async function listChunks(bytes: ReadableBytes): Promise<PartContents> {
  const size = await bytes.size()
  requireMcap(await bytes.read(0, Math.min(size, KIND_BYTES)), bytes.name)
  const isClosed = size > MAGIC.length && (await endsWithMagic(bytes, size - MAGIC.length, size))
  return (isClosed ? await fromSummary(bytes, size) : undefined) ?? fromScan(bytes, size)
}

/** undefined where there is no summary that can be trusted; the scan then finds out why. */
async function fromSummary(bytes: ReadableBytes, size: number): Promise<PartContents | undefined> {
  try {
    const summary = await readSummary(size, (offset, length) => readWithin(bytes, offset, length, size))
    const metadata = new Map<string, ReadonlyMap<string, string>>()
    for (const { name, offset, length } of summary.metadataOffsets) {
      const record = parseRecord(await readWithin(bytes, offset, length, size))
      if (record.type === 'Metadata') metadata.set(name, record.metadata)
    }
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
    return { info, ending: 'closed', chunks, channelKinds, metadata, readableBytes: size, summary }
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

/** A record at the top level of a file, as much of it as tells what it is. */
export interface TopRecord {
  readonly opcode: number
  readonly offset: number
  /** Of the whole record, its head included. */
  readonly length: number
  /** Its first bytes, head included: all that there are, up to 64. */
  readonly start: Uint8Array
}

/** The whole records of a file, in order, until its end, its trailing magic, or what is no whole record. */
export async function* topRecords(bytes: ReadableBytes, size: number): AsyncGenerator<TopRecord, void, void> {
  let offset = MAGIC.length
  while (offset + RECORD_HEAD_BYTES <= size) {
    const start = await bytes.read(offset, Math.min(PROBE_BYTES, size - offset))
    const opcode = start[0] ?? 0
    const length = RECORD_HEAD_BYTES + readUint64(start, 1)
    if (opcode === 0 || offset + length > size || length > MAX_RECORD_BYTES) return
    yield { opcode, offset, length, start }
    offset += length
    if (opcode === OPCODE.footer) return
  }
}

async function fromScan(bytes: ReadableBytes, size: number): Promise<PartContents> {
  const metadata = new Map<string, ReadonlyMap<string, string>>()
  const channelKinds = new Map<number, string>()
  const chunks: ScannedChunk[] = []
  let info: RecordingInfo | undefined
  let profile: string | undefined
  let readableBytes = MAGIC.length
  let last = 0
  for await (const found of topRecords(bytes, size)) {
    last = found.opcode
    readableBytes = found.offset + found.length
    if (DESCRIBING.has(found.opcode)) {
      const record = await readSmallRecord(bytes, found)
      if (record.type === 'Header') profile = record.profile
      if (record.type === 'Metadata') metadata.set(record.name, record.metadata)
      if (record.type === 'Channel') channelKinds.set(record.id, channelKind(record.topic) ?? '')
    } else if (found.opcode === OPCODE.chunk) {
      info ??= describedInfo(metadata, profile, found.offset, bytes.name)
      chunks.push(scannedChunk(found, info))
    } else if (found.opcode === OPCODE.messageIndex) {
      const chunk = chunks.pop()
      if (chunk !== undefined) chunks.push(indexed(chunk, found, channelKinds))
    }
  }
  info ??= describedInfo(metadata, profile, readableBytes, bytes.name)
  const isClosed = last === OPCODE.footer && (await endsWithMagic(bytes, readableBytes, size))
  const ending = isClosed ? 'closed' : 'cut'
  if (isClosed) readableBytes = size
  return { info, ending, chunks: chunks.map(settled), channelKinds, metadata, readableBytes, summary: undefined }
}

async function endsWithMagic(bytes: ReadableBytes, offset: number, size: number): Promise<boolean> {
  return offset + MAGIC.length === size && equalBytes(await bytes.read(offset, MAGIC.length), MAGIC)
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
 * The info that must stand before the first chunk. Without it, a file of our profile was cut before it, and another is another
 * program's: `offset` is how far it was read.
 */
export function describedInfo(
  metadata: ReadonlyMap<string, ReadonlyMap<string, string>>,
  profile: string | undefined,
  offset: number,
  name: string,
): RecordingInfo {
  const found = metadata.get(RECORDING_METADATA)
  if (found !== undefined) return parseInfoMetadata(found, name)
  if (profile === undefined || profile === PROFILE) throw tooShort(offset, name)
  throw new MeshError('MESH_ERR_FILE_KIND', {
    what: `expected a recording, found an MCAP file of another program (profile "${profile}")`,
    where: `${name}, offset ${offset}`,
  })
}
