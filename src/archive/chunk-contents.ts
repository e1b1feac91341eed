import { crc32 } from 'node:zlib'
import { latin1 } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { Exchange, LateResponse } from '../core/exchange.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Originals, Unseal } from '../core/originals.ts'
import { restoreExchange, restoreLateResponse } from '../core/restore.ts'
import { readUint64 } from './byte-builder.ts'
import { channelKind } from './channels.ts'
import { ExchangeDecoder } from './exchange-decoder.ts'
import { decodeLedger } from './ledger-codec.ts'
import { decodeOriginals, decodeSealed } from './originals-decoder.ts'
import { MAX_RECORD_BYTES, MESSAGE_HEAD_BYTES, OPCODE, RECORD_HEAD_BYTES, parseRecord } from './mcap.ts'
import { zstdDecompress } from './zstd.ts'

const TWO_32 = 0x1_0000_0000

/** Where the log time stands in a message record: after its head, channel (2) and sequence (4). */
const LOG_TIME_OFFSET = RECORD_HEAD_BYTES + 6

/**
 * One chunk, unpacked. Its exchanges are in order of time; their bytes are views of the chunk's memory, which lives as long as any
 * of them: safe to keep, but a single one keeps the whole chunk.
 */
export class ChunkContents {
  /** Times of the exchanges, in nanoseconds from the origin, ascending. */
  readonly times: readonly number[]
  readonly lateResponseCount: number
  readonly ledgerCount: number
  /** The chunk's last message is a ledger, as it must be. */
  readonly endsWithLedger: boolean
  readonly #spans: MessageSpans
  readonly #decoder: ExchangeDecoder
  readonly #records: Uint8Array
  readonly #where: string
  /** By exchange; undefined where they are not to be restored. */
  readonly #originals: ReadonlyMap<number, Originals> | undefined
  readonly #originalBytes: number

  constructor(records: Uint8Array, spans: MessageSpans, where: string, unseal?: Unseal) {
    this.#records = records
    this.#spans = spans
    this.#decoder = new ExchangeDecoder(records)
    this.#where = where
    const opened = unseal === undefined ? undefined : openOriginals(records, spans.sealed, unseal, where)
    this.#originals = opened?.byExchange
    this.#originalBytes = opened?.byteLength ?? 0
    this.times = spans.exchanges.times
    this.lateResponseCount = spans.lateResponses.times.length
    this.ledgerCount = spans.ledgers.times.length
    this.endsWithLedger = spans.endsWithLedger
  }

  get byteLength(): number {
    return this.#records.length + this.#originalBytes
  }

  exchange(index: number): Exchange {
    const { starts, ends, times } = this.#spans.exchanges
    try {
      const exchange = this.#decoder.exchange(starts[index] ?? 0, ends[index] ?? 0, times[index] ?? 0)
      const originals = this.#originals?.get(exchange.id)
      return originals === undefined ? exchange : restoreExchange(exchange, originals)
    } catch (error) {
      throw placed(error, this.#where)
    }
  }

  lateResponse(index: number): LateResponse {
    const { starts, ends, times } = this.#spans.lateResponses
    try {
      const late = this.#decoder.lateResponse(starts[index] ?? 0, ends[index] ?? 0, times[index] ?? 0)
      const originals = this.#originals?.get(late.exchangeId)
      return originals === undefined ? late : restoreLateResponse(late, originals)
    } catch (error) {
      throw placed(error, this.#where)
    }
  }

  ledger(index: number): Ledger {
    const { starts, ends } = this.#spans.ledgers
    try {
      return decodeLedger(this.#records.subarray(starts[index] ?? 0, ends[index] ?? 0))
    } catch (cause) {
      throw corrupt('a ledger that cannot be read', this.#where, cause)
    }
  }
}

interface Spans {
  readonly times: number[]
  readonly starts: number[]
  readonly ends: number[]
}

interface MessageSpans {
  exchanges: Spans
  readonly lateResponses: Spans
  readonly ledgers: Spans
  readonly sealed: Spans
  endsWithLedger: boolean
}

/**
 * Reads a chunk from the bytes of its whole record. `channelKinds` grows by the channels that the chunk declares. With `unseal`, masked
 * values are restored. Throws `MESH_ERR_FILE_CORRUPT` where the record is not what its lengths and CRC promise, or its seal.
 */
export function readChunk(
  record: Uint8Array,
  channelKinds: Map<number, string>,
  originUnixNs: bigint,
  where: string,
  unseal?: Unseal,
): ChunkContents {
  const records = unpack(record, where)
  const spans = findMessages(records, channelKinds, originUnixNs, where)
  spans.exchanges = inOrder(spans.exchanges)
  return new ChunkContents(records, spans, where, unseal)
}

/** Bytes of a chunk record before its compression's name: head, times (16), size (8), CRC (4), length of the name (4). */
const CHUNK_HEAD_BYTES = RECORD_HEAD_BYTES + 32

/**
 * The chunk's records, unpacked (layout: https://mcap.dev/spec#chunk-op0x06). By hand, because the library's parser copies the chunk
 * twice on the way.
 */
function unpack(record: Uint8Array, where: string): Uint8Array {
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  if (record.length < CHUNK_HEAD_BYTES || record[0] !== OPCODE.chunk) throw corrupt('another record', where)
  const size = readUint64(record, RECORD_HEAD_BYTES + 16)
  const expectedCrc = view.getUint32(RECORD_HEAD_BYTES + 24, true)
  const nameEnd = CHUNK_HEAD_BYTES + view.getUint32(RECORD_HEAD_BYTES + 28, true)
  const start = nameEnd + 8
  if (start > record.length) throw corrupt('a chunk that is shorter than its head', where)
  const end = start + readUint64(record, nameEnd)
  if (end > record.length) throw corrupt('a chunk whose content is longer than itself', where)
  if (size > MAX_RECORD_BYTES) throw corrupt(`a chunk of ${size} bytes, more than ${MAX_RECORD_BYTES}`, where)
  const compression = latin1(record, CHUNK_HEAD_BYTES, nameEnd)
  const records = decompressed(record.subarray(start, end), compression, size, where)
  const crc = crc32(records)
  if (expectedCrc !== 0 && crc !== expectedCrc) {
    throw corrupt(`a chunk of CRC ${hex(crc)} instead of ${hex(expectedCrc)}`, where)
  }
  return records
}

function decompressed(bytes: Uint8Array, compression: string, size: number, where: string): Uint8Array {
  if (compression === '') return bytes
  if (compression !== 'zstd') throw corrupt(`a chunk compressed by "${compression}"`, where)
  try {
    return zstdDecompress(bytes, size)
  } catch (cause) {
    throw corrupt('a chunk that cannot be unpacked', where, cause)
  }
}

function findMessages(
  records: Uint8Array,
  channelKinds: Map<number, string>,
  originUnixNs: bigint,
  where: string,
): MessageSpans {
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  const originHigh = Number(originUnixNs / BigInt(TWO_32))
  const originLow = Number(originUnixNs % BigInt(TWO_32))
  const spans: MessageSpans = {
    exchanges: noSpans(),
    lateResponses: noSpans(),
    ledgers: noSpans(),
    sealed: noSpans(),
    endsWithLedger: false,
  }
  let at = 0
  while (at < records.length) {
    if (at + RECORD_HEAD_BYTES > records.length) throw corrupt('a record cut short in a chunk', where)
    const opcode = view.getUint8(at)
    const end = at + RECORD_HEAD_BYTES + readUint64(records, at + 1)
    if (end > records.length) throw corrupt('a record that is longer than its chunk', where)
    if (opcode === OPCODE.message) {
      if (at + MESSAGE_HEAD_BYTES > end) throw corrupt('a message without its times', where)
      const kind = channelKinds.get(view.getUint16(at + RECORD_HEAD_BYTES, true)) ?? ''
      const low = view.getUint32(at + LOG_TIME_OFFSET, true) - originLow
      const high = view.getUint32(at + LOG_TIME_OFFSET + 4, true) - originHigh
      const target = spansOf(spans, kind)
      target?.times.push(high * TWO_32 + low)
      target?.starts.push(at + MESSAGE_HEAD_BYTES)
      target?.ends.push(end)
      spans.endsWithLedger = kind === 'ledger'
    } else if (opcode === OPCODE.channel) {
      declareChannel(records.subarray(at, end), channelKinds, where)
    }
    at = end
  }
  return spans
}

function spansOf(spans: MessageSpans, kind: string): Spans | undefined {
  if (kind === 'exchange' || kind === 'late') return spans.exchanges
  if (kind === 'late-response') return spans.lateResponses
  if (kind === 'sealed') return spans.sealed
  return kind === 'ledger' ? spans.ledgers : undefined
}

/** What was sealed in a chunk, and how many bytes it takes. */
function openOriginals(
  records: Uint8Array,
  { starts, ends }: Spans,
  unseal: Unseal,
  where: string,
): { byExchange: ReadonlyMap<number, Originals>; byteLength: number } {
  const byExchange = new Map<number, Originals>()
  let byteLength = 0
  try {
    for (const [index, start] of starts.entries()) {
      const plain = unseal(decodeSealed(records.subarray(start, ends[index] ?? start)))
      byteLength += plain.length
      for (const [id, originals] of decodeOriginals(plain)) byExchange.set(id, originals)
    }
  } catch (error) {
    throw placed(error, where)
  }
  return { byExchange, byteLength }
}

/** What a chunk says of its channels wins over what was said before: a CRC covers it. */
function declareChannel(record: Uint8Array, channelKinds: Map<number, string>, where: string): void {
  const channel = parsed(record, where)
  if (channel.type === 'Channel') channelKinds.set(channel.id, channelKind(channel.topic) ?? '')
}

/** Sorted by time, equal times as written. Mostly they are in order but for a few: a response that took longer than its neighbours'. */
function inOrder(spans: Spans): Spans {
  const { times, starts, ends } = spans
  if (times.every((time, index) => index === 0 || time >= (times[index - 1] ?? 0))) return spans
  const order = times.map((_, index) => index).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b)
  return {
    times: order.map((index) => times[index] ?? 0),
    starts: order.map((index) => starts[index] ?? 0),
    ends: order.map((index) => ends[index] ?? 0),
  }
}

function noSpans(): Spans {
  return { times: [], starts: [], ends: [] }
}

function parsed(record: Uint8Array, where: string): ReturnType<typeof parseRecord> {
  try {
    return parseRecord(record)
  } catch (cause) {
    throw corrupt('bytes that are no MCAP record', where, cause)
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

function placed(error: unknown, where: string): unknown {
  return error instanceof MeshError ? new MeshError(error.code, { what: error.what, where, cause: error }) : error
}

function corrupt(found: string, where: string, cause?: unknown): MeshError {
  return new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: `expected a chunk of a recording, found ${found}`,
    where,
    remedy: '`mesh inspect --verify` lists what is damaged',
    cause,
  })
}
