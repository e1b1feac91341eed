import { crc32 } from 'node:zlib'
import { concatBytes } from '../core/bytes.ts'
import type { Exchange, LateResponse } from '../core/exchange.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Originals, Seal } from '../core/originals.ts'
import { ByteBuilder } from './byte-builder.ts'
import { LATE_RESPONSE_CHANNEL, LEDGER_CHANNEL, SEALED_CHANNEL, exchangeChannel, fixedChannel } from './channels.ts'
import type { FixedChannelId } from './channels.ts'
import { encodeExchange, encodeLateResponse, exchangeBound, lateResponseBound } from './exchange-encoder.ts'
import { encodeLedger } from './ledger-codec.ts'
import { MESSAGE_HEAD_BYTES, OPCODE, RECORD_HEAD_BYTES, buildRecords, recordsBuilder } from './mcap.ts'
import type { McapChannel } from './mcap.ts'
import { OriginalsEncoder, encodeSealed } from './originals-encoder.ts'
import type { RecordingInfo } from '../core/recording.ts'
import { zstdCompress } from './zstd.ts'

/** Memory that a builder keeps between chunks: one that held a huge body gives it back. */
const KEPT_BYTES = 2 * 1024 * 1024

const INDEX_ENTRY_BYTES = 16
const TWO_32 = 0x1_0000_0000

/** A chunk that is ready for a file, at any place in any part of its recording. */
export interface EndedChunk {
  /** The chunk record, then its message index records; offsets inside `bytes`. */
  readonly bytes: Uint8Array
  readonly chunkLength: number
  readonly indexOffsets: ReadonlyMap<number, number>
  readonly compressedSize: number
  readonly uncompressedSize: number
  readonly channels: readonly McapChannel[]
  readonly messageCounts: ReadonlyMap<number, number>
  /** Nanoseconds from the recording's origin. */
  readonly startNs: number
  readonly endNs: number
  readonly exchanges: number
  readonly lateResponses: number
  readonly ledger: Ledger
}

interface OpenChannel {
  readonly channel: McapChannel
  /** Time and offset of each message, as they stand in the message index. */
  readonly index: ByteBuilder
}

/**
 * One chunk in the making. @mcap/core's `McapChunkBuilder` takes every message as bytes of its own with its times as bigints;
 * here messages are encoded in place and the index is kept as the bytes it will be written as, at about a quarter of the cost.
 */
export class ChunkBuilder {
  readonly #info: RecordingInfo
  readonly #originHigh: number
  readonly #originLow: number
  readonly #records = new ByteBuilder(KEPT_BYTES)
  readonly #open = new Map<number, OpenChannel>()
  readonly #exchangeChannels = new Map<string, McapChannel>()
  readonly #buildChunk = recordsBuilder()
  readonly #late: boolean
  readonly #seal: Seal | undefined
  readonly #originals = new OriginalsEncoder()
  #startNs = Infinity
  #endNs = -Infinity
  #sequence = 0
  exchanges = 0
  lateResponses = 0

  /** `late`: its exchanges go to the channel for those that are out of the window. Originals are kept where there is a `seal`. */
  constructor(info: RecordingInfo, late: boolean, seal?: Seal) {
    this.#info = info
    this.#late = late
    this.#seal = seal
    this.#originHigh = Number(info.originUnixNs / BigInt(TWO_32))
    this.#originLow = Number(info.originUnixNs % BigInt(TWO_32))
  }

  /** Bytes so far, before compression. */
  get length(): number {
    return this.#records.length + this.#originals.length
  }

  addExchange(exchange: Exchange, publishNs: number): void {
    const channel = this.#exchangeChannel(exchange)
    const start = this.#begin(channel, exchange.requestFirstNs, publishNs, exchangeBound(exchange))
    encodeExchange(this.#records, exchange)
    this.#finish(start)
    this.#addOriginals(exchange.id, exchange.originals)
    this.exchanges++
  }

  addLateResponse(late: LateResponse, publishNs: number): void {
    const { response } = late
    const channel = this.#fixedChannel(LATE_RESPONSE_CHANNEL)
    const start = this.#begin(channel, response.lastNs, publishNs, lateResponseBound(response))
    encodeLateResponse(this.#records, late.exchangeId, response, response.lastNs)
    this.#finish(start)
    this.#addOriginals(late.exchangeId, late.originals)
    this.lateResponses++
  }

  /**
   * Ends the chunk with its ledger, whose time is that of the chunk's last message, or `idleNs` in a chunk that has none;
   * compresses it, and is empty again.
   */
  end(ledger: Ledger, idleNs: number, publishNs: number): EndedChunk {
    this.#sealOriginals(publishNs)
    this.#addLedger(ledger, Number.isFinite(this.#endNs) ? this.#endNs : idleNs, publishNs)
    const records = this.#records.borrow()
    const compressed = zstdCompress(records)
    const chunk = this.#buildChunk((builder) =>
      builder.writeChunk({
        messageStartTime: this.#unixNs(this.#startNs),
        messageEndTime: this.#unixNs(this.#endNs),
        uncompressedSize: BigInt(records.length),
        uncompressedCrc: crc32(records),
        compression: 'zstd',
        records: compressed,
      }),
    )
    const pieces = [chunk]
    const indexOffsets = new Map<number, number>()
    const messageCounts = new Map<number, number>()
    let offset = chunk.length
    for (const { channel, index } of this.#open.values()) {
      const record = messageIndexRecord(channel.id, index.borrow())
      indexOffsets.set(channel.id, offset)
      messageCounts.set(channel.id, index.length / INDEX_ENTRY_BYTES)
      pieces.push(record)
      offset += record.length
    }
    const ended = {
      bytes: concatBytes(pieces),
      chunkLength: chunk.length,
      indexOffsets,
      compressedSize: compressed.length,
      uncompressedSize: records.length,
      channels: [...this.#open.values()].map(({ channel }) => channel),
      messageCounts,
      startNs: this.#startNs,
      endNs: this.#endNs,
      exchanges: this.exchanges,
      lateResponses: this.lateResponses,
      ledger,
    }
    this.discard()
    return ended
  }

  /** Forgets what is in it. */
  discard(): void {
    this.#records.reset(KEPT_BYTES)
    this.#originals.reset()
    this.#open.clear()
    this.#startNs = Infinity
    this.#endNs = -Infinity
    this.exchanges = 0
    this.lateResponses = 0
  }

  #addOriginals(exchangeId: number, originals: Originals | undefined): void {
    if (this.#seal !== undefined && originals !== undefined) this.#originals.add(exchangeId, originals)
  }

  #sealOriginals(publishNs: number): void {
    if (this.#seal === undefined || this.#originals.length === 0) return
    const bytes = encodeSealed(this.#seal(this.#originals.borrow()))
    const channel = this.#open.get(SEALED_CHANNEL.id) ?? this.#openChannel(SEALED_CHANNEL)
    const start = this.#begin(channel, this.#endNs, publishNs, bytes.length)
    this.#records.append(bytes)
    this.#finish(start)
  }

  #addLedger(ledger: Ledger, atNs: number, publishNs: number): void {
    const bytes = encodeLedger(ledger)
    const start = this.#begin(this.#fixedChannel(LEDGER_CHANNEL), atNs, publishNs, bytes.length)
    this.#records.append(bytes)
    this.#finish(start)
  }

  /** Writes the head of a message record, with a length of 0, and its index entry; gives the record's offset. */
  #begin(channel: OpenChannel, logNs: number, publishNs: number, bound: number): number {
    const records = this.#records
    const { index } = channel
    const start = records.length
    if (logNs < this.#startNs) this.#startNs = logNs
    if (logNs > this.#endNs) this.#endNs = logNs
    index.reserve(INDEX_ENTRY_BYTES)
    this.#writeTime(index, logNs)
    index.uint64(start)
    records.reserve(MESSAGE_HEAD_BYTES + bound)
    records.byte(OPCODE.message)
    records.uint64(0)
    records.uint16(channel.channel.id)
    records.uint32(this.#sequence)
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#writeTime(records, logNs)
    this.#writeTime(records, publishNs)
    return start
  }

  #finish(start: number): void {
    this.#records.patchUint64(start + 1, this.#records.length - start - RECORD_HEAD_BYTES)
  }

  #exchangeChannel(exchange: Exchange): OpenChannel {
    let channel = this.#exchangeChannels.get(exchange.protocol)
    if (channel === undefined) {
      channel = exchangeChannel(this.#info, exchange.protocol, this.#late)
      this.#exchangeChannels.set(exchange.protocol, channel)
    }
    return this.#open.get(channel.id) ?? this.#openChannel(channel)
  }

  #fixedChannel(id: FixedChannelId): OpenChannel {
    return this.#open.get(id) ?? this.#openChannel(fixedChannel(id))
  }

  /** Every chunk declares the channels it uses: it can be read alone, and moved to another part. */
  #openChannel(channel: McapChannel): OpenChannel {
    const record = buildRecords((builder) => builder.writeChannel(channel))
    this.#records.reserve(record.length)
    this.#records.append(record)
    const open = { channel, index: new ByteBuilder(INDEX_ENTRY_BYTES * 64) }
    this.#open.set(channel.id, open)
    return open
  }

  #unixNs(ns: number): bigint {
    return this.#info.originUnixNs + BigInt(Math.round(ns))
  }

  /** The wall clock at `ns` from the origin as an unsigned 64-bit number: in halves, because a bigint a message is slow. */
  #writeTime(target: ByteBuilder, ns: number): void {
    const whole = Math.round(ns)
    const high = Math.floor(whole / TWO_32)
    const low = whole - high * TWO_32 + this.#originLow
    const carry = low >= TWO_32 ? 1 : 0
    target.uint32((low - carry * TWO_32) >>> 0)
    target.uint32((high + this.#originHigh + carry) >>> 0)
  }
}

/** A MessageIndex record (https://mcap.dev/spec#message-index-op0x07) around entries that are already in its form. */
function messageIndexRecord(channelId: number, entries: Uint8Array): Uint8Array {
  const record = new ByteBuilder(RECORD_HEAD_BYTES + 6 + entries.length)
  record.byte(OPCODE.messageIndex)
  record.uint64(6 + entries.length)
  record.uint16(channelId)
  record.uint32(entries.length)
  record.append(entries)
  return record.borrow()
}
