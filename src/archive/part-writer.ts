import { crc32 } from 'node:zlib'
import { addLedger, emptyLedger } from '../core/ledger.ts'
import type { RecordingInfo } from '../core/recording.ts'
import { FIXED_CHANNEL_IDS, RECORDING_SCHEMAS, fixedChannel } from './channels.ts'
import type { EndedChunk } from './chunk-builder.ts'
import { LEDGER_METADATA, PROFILE, RECORDING_METADATA, infoMetadata } from './info-metadata.ts'
import { ledgerMetadata } from './ledger-codec.ts'
import { OPCODE, buildRecords } from './mcap.ts'
import type { McapChannel, McapChunkIndex, McapStatistics } from './mcap.ts'
import type { WritableBytes } from './writable-bytes.ts'

/** CRC (4), then magic: what stands behind the bytes of a footer that its CRC covers. */
const FOOTER_PREFIX_BYTES = 25

/**
 * One part of a recording: a complete MCAP file. Header, the first `mesh.recording`, schemas and the fixed channels; chunks; at
 * the end `mesh.recording` again, `mesh.ledger`, and the summary. Calls come one after the other.
 */
export class PartWriter {
  readonly #sink: WritableBytes
  readonly #info: RecordingInfo
  readonly #channels = new Map<number, McapChannel>()
  readonly #messageCounts = new Map<number, bigint>()
  readonly #chunkIndexes: McapChunkIndex[] = []
  readonly #metadataIndexes: { name: string; offset: bigint; length: bigint }[] = []
  readonly #ledger = emptyLedger()
  #length = 0
  #crc = 0
  #firstNs = Infinity
  #lastNs = -Infinity

  constructor(sink: WritableBytes, info: RecordingInfo) {
    this.#sink = sink
    this.#info = info
  }

  get name(): string {
    return this.#sink.name
  }

  get length(): number {
    return this.#length
  }

  /** From the time of its first message to that of its last. */
  get spanNs(): number {
    return Math.max(0, this.#lastNs - this.#firstNs)
  }

  get chunks(): number {
    return this.#chunkIndexes.length
  }

  /** The place can be taken away: a file, not a stream. */
  get isRemovable(): boolean {
    return this.#sink.remove !== undefined
  }

  async start(): Promise<void> {
    const library = `mesh ${this.#info.version}`
    await this.#append(
      buildRecords((builder) => {
        builder.writeMagic()
        builder.writeHeader({ profile: PROFILE, library })
      }),
    )
    await this.#appendMetadata(RECORDING_METADATA, infoMetadata(this.#info))
    for (const id of FIXED_CHANNEL_IDS) this.#channels.set(id, fixedChannel(id))
    await this.#append(
      buildRecords((builder) => {
        for (const schema of RECORDING_SCHEMAS) builder.writeSchema(schema)
        for (const channel of this.#channels.values()) builder.writeChannel(channel)
      }),
    )
  }

  /** Appends a chunk. Where that fails the part is cut back to its last whole chunk, and the error thrown. */
  async append(chunk: EndedChunk): Promise<void> {
    const chunkStart = this.#length
    await this.#append(chunk.bytes)
    addLedger(this.#ledger, chunk.ledger)
    this.#firstNs = Math.min(this.#firstNs, chunk.startNs)
    this.#lastNs = Math.max(this.#lastNs, chunk.endNs)
    for (const channel of chunk.channels) this.#channels.set(channel.id, channel)
    for (const [id, count] of chunk.messageCounts) {
      this.#messageCounts.set(id, (this.#messageCounts.get(id) ?? 0n) + BigInt(count))
    }
    this.#chunkIndexes.push({
      messageStartTime: this.#unixNs(chunk.startNs),
      messageEndTime: this.#unixNs(chunk.endNs),
      chunkStartOffset: BigInt(chunkStart),
      chunkLength: BigInt(chunk.chunkLength),
      messageIndexOffsets: new Map(
        [...chunk.indexOffsets].map(([id, offset]) => [id, BigInt(chunkStart + offset)] as const),
      ),
      messageIndexLength: BigInt(chunk.bytes.length - chunk.chunkLength),
      compression: 'zstd',
      compressedSize: BigInt(chunk.compressedSize),
      uncompressedSize: BigInt(chunk.uncompressedSize),
    })
  }

  /** Writes metadata and summary, and closes. Where that fails the part is cut back to its chunks: readable, but `cut`. */
  async finish(): Promise<void> {
    const dataLength = this.#length
    try {
      await this.#appendMetadata(RECORDING_METADATA, infoMetadata(this.#info))
      await this.#appendMetadata(LEDGER_METADATA, ledgerMetadata(this.#ledger))
      await this.#append(this.#summary())
    } catch (error) {
      await this.#cutBack(dataLength)
      throw error
    } finally {
      await this.#sink.close()
    }
  }

  /** Closes a part of which nothing could be written, and takes it away. */
  async remove(): Promise<void> {
    await this.#sink.close()
    await this.#sink.remove?.()
  }

  async #append(bytes: Uint8Array): Promise<void> {
    try {
      await this.#sink.write(bytes)
    } catch (error) {
      await this.#cutBack(this.#length)
      throw error
    }
    this.#length += bytes.length
    this.#crc = crc32(bytes, this.#crc)
  }

  /** A failure here changes nothing: a reader finds the last whole chunk by itself. */
  async #cutBack(length: number): Promise<void> {
    try {
      await this.#sink.truncate?.(length)
    } catch {
      // The write error that brought us here is the one to tell.
    }
  }

  async #appendMetadata(name: string, metadata: Map<string, string>): Promise<void> {
    const record = buildRecords((builder) => builder.writeMetadata({ name, metadata }))
    const offset = this.#length
    await this.#append(record)
    this.#metadataIndexes.push({ name, offset: BigInt(offset), length: BigInt(record.length) })
  }

  /** DataEnd, the summary section in groups, their offsets, the footer: https://mcap.dev/spec#summary-section. */
  #summary(): Uint8Array {
    const dataEnd = buildRecords((builder) => builder.writeDataEnd({ dataSectionCrc: this.#crc }))
    const summaryStart = this.#length + dataEnd.length
    const groups: [opcode: number, records: Uint8Array][] = [
      [OPCODE.schema, buildRecords((builder) => RECORDING_SCHEMAS.forEach((schema) => builder.writeSchema(schema)))],
      [OPCODE.channel, buildRecords((builder) => this.#channels.forEach((channel) => builder.writeChannel(channel)))],
      [OPCODE.statistics, buildRecords((builder) => builder.writeStatistics(this.#statistics()))],
      [
        OPCODE.metadataIndex,
        buildRecords((builder) => this.#metadataIndexes.forEach((i) => builder.writeMetadataIndex(i))),
      ],
      [OPCODE.chunkIndex, buildRecords((builder) => this.#chunkIndexes.forEach((i) => builder.writeChunkIndex(i)))],
    ]
    let groupStart = summaryStart
    const offsets = buildRecords((builder) => {
      for (const [groupOpcode, records] of groups) {
        if (records.length === 0) continue
        const groupLength = BigInt(records.length)
        builder.writeSummaryOffset({ groupOpcode, groupStart: BigInt(groupStart), groupLength })
        groupStart += records.length
      }
    })
    const summary = Buffer.concat([...groups.map(([, records]) => records), offsets])
    const footer = (summaryCrc: number): Uint8Array =>
      buildRecords((builder) => {
        builder.writeFooter({ summaryStart: BigInt(summaryStart), summaryOffsetStart: BigInt(groupStart), summaryCrc })
        builder.writeMagic()
      })
    const crc = crc32(footer(0).subarray(0, FOOTER_PREFIX_BYTES), crc32(summary))
    return Buffer.concat([dataEnd, summary, footer(crc)])
  }

  #statistics(): McapStatistics {
    let messageCount = 0n
    for (const count of this.#messageCounts.values()) messageCount += count
    const empty = this.#chunkIndexes.length === 0
    return {
      messageCount,
      schemaCount: RECORDING_SCHEMAS.length,
      channelCount: this.#channels.size,
      attachmentCount: 0,
      metadataCount: this.#metadataIndexes.length,
      chunkCount: this.#chunkIndexes.length,
      messageStartTime: empty ? 0n : this.#unixNs(this.#firstNs),
      messageEndTime: empty ? 0n : this.#unixNs(this.#lastNs),
      channelMessageCounts: this.#messageCounts,
    }
  }

  #unixNs(ns: number): bigint {
    return this.#info.originUnixNs + BigInt(Math.round(ns))
  }
}
