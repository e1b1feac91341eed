import { monotonicNs, unixNs } from '../core/clock.ts'
import { MeshError } from '../core/errors.ts'
import type { Exchange, LateResponse } from '../core/exchange.ts'
import { addLedger, emptyLedger } from '../core/ledger.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Seal } from '../core/originals.ts'
import type { RecordingInfo, RecordingWriter } from '../core/recording.ts'
import { ChunkBuilder } from './chunk-builder.ts'
import type { EndedChunk } from './chunk-builder.ts'
import { exchangeBound, lateResponseBound } from './exchange-encoder.ts'
import { droppedLedger, isEmptyLedger, subtractLedger } from './ledger-codec.ts'
import { originOf } from './info-metadata.ts'
import { PartQueue } from './part-queue.ts'
import { NO_ROTATION } from './parts.ts'
import type { Rotation } from './parts.ts'
import type { WritableBytes } from './writable-bytes.ts'
import { WINDOW_NS } from './window.ts'
import { loadZstd } from './zstd.ts'

/** A chunk ends when it has this many bytes before compression: what compresses well and is quickly lost and read. */
export const CHUNK_BYTES: number = 1024 * 1024

/** A crash loses at most this much time. */
export const FLUSH_INTERVAL_MS = 1000

/** How soon after a failure the disk is tried again. */
export const RETRY_INTERVAL_MS = 1000

/** Compressed chunks that may wait for the disk; beyond it chunks are lost, and counted as dropped. */
export const MAX_BACKLOG_BYTES: number = 64 * 1024 * 1024

/** The largest body that a recording takes, so that an exchange fits a chunk that readers accept. */
export const MAX_BODY_BYTES: number = 32 * 1024 * 1024

/** Two such bodies, and heads. */
const MAX_MESSAGE_BYTES = 2 * MAX_BODY_BYTES + 8 * 1024 * 1024

/** What happens to a recording while it is written. */
export type RecordingEvent =
  | { readonly kind: 'part'; readonly part: number; readonly name: string; readonly resumed: boolean }
  | { readonly kind: 'failed'; readonly error: MeshError }
  | {
      readonly kind: 'lost'
      /** `backlog`: the disk is slower than the traffic. `disk`: it takes nothing at all. */
      readonly reason: 'backlog' | 'disk'
      readonly exchanges: number
      readonly lateResponses: number
      readonly bytes: number
    }

export interface RecordingWriterOptions {
  /** `part` is counted by the writer. */
  readonly info: RecordingInfo
  /**
   * What the ledger counted since the last call: taken when a chunk ends. An exchange must be settled before it is written, so that a
   * chunk's delta speaks of what is in it.
   */
  readonly takeLedgerDelta: () => Ledger
  /** Opens the place of a part: `fileParts`, `streamPart`. */
  readonly openPart: (part: number) => Promise<WritableBytes>
  /** Encrypts the originals of masked values, which exchanges bring along. Default: they are left out. */
  readonly seal?: Seal
  /** Default: one part. */
  readonly rotation?: Rotation
  /** `stop` for sources that can wait: `drained` and `close` reject. `resume` (default) for live traffic: it goes on in a new part. */
  readonly whenDiskFails?: 'stop' | 'resume'
  readonly onEvent?: (event: RecordingEvent) => void
  readonly flushIntervalMs?: number
  readonly retryIntervalMs?: number
  readonly maxBacklogBytes?: number
  /** Now, in nanoseconds from the recording's origin: the publish time of messages. */
  readonly nowNs?: () => number
}

/** A writer of recordings, with what only its owner needs. */
export interface ChunkedRecordingWriter extends RecordingWriter {
  /** Ends the chunk in the making, if there is anything in it or in the ledger. */
  flush(): void
  /** The sum of all ledger deltas so far, with what was lost counted as dropped: what all parts together say, or should. */
  total(): Ledger
}

/** Opens the first part and returns the writer, or throws where it cannot be opened. */
export async function createRecordingWriter(options: RecordingWriterOptions): Promise<ChunkedRecordingWriter> {
  if (options.info.maxBodyBytes > MAX_BODY_BYTES) {
    throw new MeshError('MESH_ERR_LIMIT', {
      what: `expected bodies of at most ${MAX_BODY_BYTES} bytes, found a limit of ${options.info.maxBodyBytes}`,
      remedy: 'lower --max-body',
    })
  }
  originOf(options.info.originUnixNs, 'MESH_ERR_LIMIT', options.info.source)
  await loadZstd()
  const writer = new ExchangeWriter(options)
  await writer.start()
  return writer
}

class ExchangeWriter implements ChunkedRecordingWriter {
  readonly #options: RecordingWriterOptions
  readonly #queue: PartQueue
  readonly #onTime: ChunkBuilder
  readonly #late: ChunkBuilder
  readonly #maxBacklogBytes: number
  readonly #nowNs: () => number
  readonly #total = emptyLedger()
  /** Deltas of lost chunks, told by the next chunk that is not. */
  #carried = emptyLedger()
  #newestNs = -Infinity
  #timer: NodeJS.Timeout | undefined
  #ended: Promise<void> | undefined

  constructor(options: RecordingWriterOptions) {
    this.#options = options
    this.#onTime = new ChunkBuilder(options.info, false, options.seal)
    this.#late = new ChunkBuilder(options.info, true, options.seal)
    this.#maxBacklogBytes = options.maxBacklogBytes ?? MAX_BACKLOG_BYTES
    this.#nowNs = options.nowNs ?? clockFrom(options.info.originUnixNs)
    this.#queue = new PartQueue({
      info: options.info,
      openPart: options.openPart,
      rotation: options.rotation ?? NO_ROTATION,
      whenDiskFails: options.whenDiskFails ?? 'resume',
      retryIntervalMs: options.retryIntervalMs ?? RETRY_INTERVAL_MS,
      onPart: (part, name, resumed) => options.onEvent?.({ kind: 'part', part, name, resumed }),
      onFailure: (error) => options.onEvent?.({ kind: 'failed', error }),
      onLost: (chunk) => this.#lose(chunk, chunk.ledger, chunk.uncompressedSize),
    })
  }

  async start(): Promise<void> {
    await this.#queue.start()
    this.#timer = setInterval(() => this.flush(), this.#options.flushIntervalMs ?? FLUSH_INTERVAL_MS)
    this.#timer.unref()
  }

  write(exchange: Exchange): void {
    if (exchangeBound(exchange) > MAX_MESSAGE_BYTES) tooLarge('an exchange', exchange.id)
    const firstNs = exchange.requestFirstNs
    const builder = firstNs < this.#newestNs - WINDOW_NS ? this.#late : this.#onTime
    if (firstNs > this.#newestNs) this.#newestNs = firstNs
    builder.addExchange(exchange, this.#nowNs())
    if (builder.length >= CHUNK_BYTES) this.flush()
  }

  writeLate(late: LateResponse): void {
    if (lateResponseBound(late.response) > MAX_MESSAGE_BYTES) tooLarge('a late response of exchange', late.exchangeId)
    this.#onTime.addLateResponse(late, this.#nowNs())
    if (this.#onTime.length >= CHUNK_BYTES) this.flush()
  }

  flush(): void {
    const delta = emptyLedger()
    addLedger(delta, this.#options.takeLedgerDelta())
    addLedger(this.#total, delta)
    addLedger(delta, this.#carried)
    this.#carried = emptyLedger()
    const messages = this.#onTime.length + this.#late.length > 0
    if (!messages && isEmptyLedger(delta)) return
    if (this.#queue.backlogBytes >= this.#maxBacklogBytes) {
      this.#discard(delta)
      return
    }
    // One delta speaks of both chunks. It stands in the second, so that a crash between them leaves the ledger short, not wrong.
    if (this.#late.length > 0) this.#endChunk(this.#late, emptyLedger())
    this.#endChunk(this.#onTime, delta)
  }

  drained(): Promise<void> {
    return this.#queue.drained()
  }

  async close(): Promise<void> {
    this.#ended ??= this.#end()
    await this.#ended
  }

  total(): Ledger {
    const copy = emptyLedger()
    addLedger(copy, this.#total)
    return copy
  }

  async #end(): Promise<void> {
    clearInterval(this.#timer)
    this.flush()
    await this.#queue.close()
  }

  #endChunk(builder: ChunkBuilder, delta: Ledger): void {
    const idleNs = Number.isFinite(this.#newestNs) ? this.#newestNs : 0
    this.#queue.offer(builder.end(delta, idleNs, this.#nowNs()))
  }

  #discard(delta: Ledger): void {
    const lost = { exchanges: 0, lateResponses: 0 }
    let bytes = 0
    for (const builder of [this.#late, this.#onTime]) {
      lost.exchanges += builder.exchanges
      lost.lateResponses += builder.lateResponses
      bytes += builder.length
      builder.discard()
    }
    this.#lose(lost, delta, bytes)
  }

  #lose(lost: Pick<EndedChunk, 'exchanges' | 'lateResponses'>, delta: Ledger, bytes: number): void {
    const reason = this.#queue.failure === undefined ? 'backlog' : 'disk'
    const dropped = droppedLedger(delta, reason)
    addLedger(this.#carried, dropped)
    addLedger(this.#total, dropped)
    subtractLedger(this.#total, delta)
    const { exchanges, lateResponses } = lost
    if (exchanges + lateResponses > 0)
      this.#options.onEvent?.({ kind: 'lost', reason, exchanges, lateResponses, bytes })
  }
}

function clockFrom(originUnixNs: bigint): () => number {
  const offsetNs = Number(unixNs() - originUnixNs) - monotonicNs()
  return () => monotonicNs() + offsetNs
}

function tooLarge(what: string, id: number): never {
  throw new MeshError('MESH_ERR_LIMIT', {
    what: `expected messages of at most ${MAX_BODY_BYTES} bytes, found more`,
    where: `${what} ${id}`,
    remedy: 'cut bodies at --max-body',
  })
}
