import type { LedgerKeeper } from '../core/ledger.ts'
import type { RecordingWriter } from '../core/recording.ts'
import type { CloseSegment, DataSegment, Direction, GapSegment, OpenSegment, Segment } from '../core/segment.ts'
import { DEFAULT_DECODE_LIMITS, type DecodeLimits, type Protocol } from '../wire/protocol.ts'
import { ConnectionCapture, type ConnectionContext } from './connection.ts'
import { DEFAULT_MAX_HELD_BYTES, HeldExchanges } from './held-exchanges.ts'
import { ExchangeIntake } from './intake.ts'
import type { Stages } from './stages.ts'
import { HELD_LIMIT } from './verdict.ts'

/** Longer bodies are cut (`--max-body`). 1 MiB: nearly all API traffic, whole. */
export const DEFAULT_MAX_BODY_BYTES: number = 1024 * 1024

/** A decoder that holds less is not worth giving a connection up for. */
const LEAST_DECODER_BYTES = 4096

export interface PipelineOptions {
  readonly protocol: Protocol
  readonly writer: RecordingWriter
  /** The same keeper that the writer takes its deltas from. */
  readonly ledger: LedgerKeeper
  readonly stages: Stages
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Bound of what unfinished exchanges hold in all. At it the largest of them are dropped and counted. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined
  /** Exchanges to record at most. Default: no bound. */
  readonly limit?: number | undefined
  /** Connections are TLS on the client's side. Default: no. */
  readonly secure?: boolean | undefined
  readonly decodeLimits?: DecodeLimits | undefined
}

/**
 * The way from segments to a recording, for all connections of a source:
 *
 * ```
 * segment -> its connection: decoder -> pairing -> held until both messages are over -> intake: stages -> writer
 *                  \____________________ every byte, message and connection _______________> ledger
 * ```
 *
 * It holds no clock, timer or I/O: time is what segments and `tick` say, and it never goes back. The writer is called in
 * the same turn. The ledger balances at any moment, and nothing is pending after `end`.
 */
export class RecordingPipeline {
  /** The door to the recording, for sources that yield exchanges. */
  readonly intake: ExchangeIntake
  readonly #context: ConnectionContext
  readonly #held: HeldExchanges
  readonly #ledger: LedgerKeeper
  readonly #connections = new Map<number, ConnectionCapture>()
  #nowNs = 0
  #ended = false

  constructor(options: PipelineOptions) {
    const { ledger, protocol, stages, writer } = options
    this.#ledger = ledger
    this.#held = new HeldExchanges(options.maxHeldBytes ?? DEFAULT_MAX_HELD_BYTES)
    this.intake = new ExchangeIntake({ writer, ledger, stages, limit: options.limit })
    this.#context = {
      ledger,
      held: this.#held,
      intake: this.intake,
      protocol,
      protocolName: protocol.name,
      decodeLimits: options.decodeLimits ?? DEFAULT_DECODE_LIMITS,
      maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
      secure: options.secure ?? false,
    }
  }

  /** As many exchanges are recorded as were asked for: the rest would be counted and left out. */
  get limitReached(): boolean {
    return this.intake.limitReached
  }

  /** Memory held by unfinished exchanges and decoders. */
  get heldBytes(): number {
    return this.#held.bytes
  }

  get openConnections(): number {
    return this.#connections.size
  }

  feed(segments: readonly Segment[]): void {
    for (const segment of segments) {
      if (segment.atNs > this.#nowNs) this.tick(segment.atNs)
      const connection = this.#connections.get(segment.connection)
      if (segment.kind === 'open') this.#open(segment, connection)
      else if (connection === undefined) this.#countStray(segment)
      else this.#pass(segment, connection)
      if (this.#held.overBound) this.#makeRoom()
    }
  }

  /** Time passes, without a segment: holds end. Live sources need it, in files the segments tell the time. */
  tick(nowNs: number): void {
    if (nowNs <= this.#nowNs) return
    this.#nowNs = nowNs
    if (nowNs >= this.#held.nextExpiryNs) this.#held.expire(nowNs)
  }

  /** The capture is over: everything that is open is cut here, settled and written. Later calls do nothing. */
  end(nowNs: number = this.#nowNs): void {
    if (this.#ended) return
    this.tick(nowNs)
    this.#ended = true
    for (const [ordinal, connection] of this.#connections) {
      connection.close(cutAt(ordinal, 'request', this.#nowNs))
      connection.close(cutAt(ordinal, 'response', this.#nowNs))
    }
    this.#connections.clear()
  }

  #open(segment: OpenSegment, known: ConnectionCapture | undefined): void {
    if (known === undefined) this.#connections.set(segment.connection, new ConnectionCapture(segment, this.#context))
  }

  #pass(segment: DataSegment | GapSegment | CloseSegment, connection: ConnectionCapture): void {
    switch (segment.kind) {
      case 'data':
        connection.data(segment)
        break
      case 'gap':
        connection.gap(segment)
        break
      case 'close':
        connection.close(segment)
        if (connection.over) this.#connections.delete(segment.connection)
        break
    }
  }

  /** Bytes of a connection that was not opened, or is over: a fault of the source, counted all the same. */
  #countStray(segment: DataSegment | GapSegment | CloseSegment): void {
    if (segment.kind === 'close') return
    const length = segment.kind === 'data' ? segment.bytes.length : segment.length
    this.#ledger.see('bytes', length)
    this.#ledger.settle('bytes', segment.kind === 'gap' ? 'gap' : 'undecodable', length, 'no-connection')
  }

  /** Where decoders hold the most, connections with long unfinished heads go; else, and then, exchanges. */
  #makeRoom(): void {
    const held = this.#held
    if (held.decoderBytes > held.bytes / 2) {
      for (const connection of this.#connections.values()) {
        if (connection.decoderBytes >= LEAST_DECODER_BYTES) connection.abandon(HELD_LIMIT)
        if (held.hasRoom) return
      }
    }
    held.makeRoom()
  }
}

function cutAt(connection: number, direction: Direction, atNs: number): CloseSegment {
  return { kind: 'close', connection, direction, atNs, how: 'cut' }
}
