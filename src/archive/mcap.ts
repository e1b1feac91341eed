import { MCAP_MAGIC, McapIndexedReader, McapRecordBuilder, McapStreamReader } from '@mcap/core'
import type { McapTypes } from '@mcap/core'

/**
 * The one file that knows @mcap/core: records to bytes, bytes to records, the index of a closed file.
 *
 * The library's own writer decides itself when a chunk ends, waits inside `addMessage`, and knows no last message of a chunk; so
 * chunks are built in `chunk-builder.ts` and put into a file in `part-writer.ts`, from the library's records.
 */
export type McapRecord = McapTypes.TypedMcapRecord
export type McapChannel = McapTypes.Channel
export type McapChunkIndex = McapTypes.ChunkIndex
export type McapStatistics = McapTypes.Statistics

export const MAGIC: Uint8Array = Uint8Array.from(MCAP_MAGIC)

/** Numbers of the records that are read or written by hand: https://mcap.dev/spec#records. */
export const OPCODE = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  metadata: 0x0c,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
  metadataIndex: 0x0d,
  statistics: 0x0b,
} as const

/** Every record begins with its opcode and the length of its content. */
export const RECORD_HEAD_BYTES = 9

/** The longest record that is read at once; a longer length is taken for damage. */
export const MAX_RECORD_BYTES: number = 128 * 1024 * 1024

/** A message record before its data: head, channel (2), sequence (4), log time (8), publish time (8). */
export const MESSAGE_HEAD_BYTES: number = RECORD_HEAD_BYTES + 22

/** Turns what is written to the builder into bytes that the caller owns. */
export type BuildRecords = (write: (builder: McapRecordBuilder) => void) => Uint8Array

/** A `BuildRecords` that keeps its memory from call to call: for chunks, which would make it grow anew each time. */
export function recordsBuilder(): BuildRecords {
  const builder = new McapRecordBuilder()
  return (write) => {
    builder.reset()
    write(builder)
    return builder.buffer
  }
}

/** A `BuildRecords` for small records. */
export const buildRecords: BuildRecords = (write) => recordsBuilder()(write)

/** One record, read from exactly its bytes. Throws a plain error where they are not a record; they are copied. */
export function parseRecord(bytes: Uint8Array): McapRecord {
  const reader = new McapStreamReader({ noMagicPrefix: true, includeChunks: true, validateCrcs: true })
  reader.append(bytes)
  const record = reader.nextRecord()
  if (record === undefined) throw new RangeError('the record is not whole')
  return record
}

/** What the summary at the end of a closed file says. */
export interface McapSummary {
  readonly chunkIndexes: readonly McapChunkIndex[]
  readonly channels: ReadonlyMap<number, McapChannel>
  readonly metadataOffsets: readonly { readonly name: string; readonly offset: number; readonly length: number }[]
  readonly statistics: McapStatistics | undefined
  /** Where the record DataEnd begins, and the CRC it bears of all before it; undefined where it bears none. */
  readonly dataEndOffset: number
  readonly dataCrc: number | undefined
}

/** Reads the summary, its CRC checked. Throws a plain error where there is none or it cannot be trusted. */
export async function readSummary(
  size: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<McapSummary> {
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: () => Promise.resolve(BigInt(size)),
      read: (offset, length) => read(Number(offset), Number(length)),
    },
  })
  return {
    chunkIndexes: reader.chunkIndexes,
    channels: reader.channelsById,
    metadataOffsets: reader.metadataIndexes.map(({ name, offset, length }) => ({
      name,
      offset: Number(offset),
      length: Number(length),
    })),
    statistics: reader.statistics,
    dataEndOffset: Number(reader.dataEndOffset),
    dataCrc: reader.dataSectionCrc,
  }
}
