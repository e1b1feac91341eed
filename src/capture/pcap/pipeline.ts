import type { Segment } from '../../core/segment.ts'
import { MeshError } from '../../core/errors.ts'
import type { StreamCounters } from '../reassemble/counters.ts'
import type { ReassemblerOptions } from '../reassemble/reassembler.ts'
import { TcpReassembler } from '../reassemble/reassembler.ts'
import type { PacketCounters } from './counters.ts'
import { emptyPacketCounters } from './counters.ts'
import { Dissector } from './dissector.ts'
import { emptyPacket } from './packet.ts'
import { CaptureParser } from './parser.ts'

/** Everything a passive source counts: packets, then what reassembly made of them. */
export interface CaptureCounters {
  readonly packets: Readonly<PacketCounters>
  readonly streams: Readonly<StreamCounters>
}

/** `ports`: servers' ports to follow, of which all other TCP is counted and left out; none: all are followed. */
export type PassiveOptions = ReassemblerOptions

/**
 * Bytes of a capture file in, segments out: reader, dissector and reassembly in one turn, a chunk at a time. What a chunk
 * holds is read whole before the next is asked for, so nothing queues up between the stages.
 */
export class SegmentPipeline {
  /** Nanoseconds since 1970 of time 0: the first packet's time, unless it was given. */
  originUnixNs: bigint | undefined
  readonly #packetCounters = emptyPacketCounters()
  readonly #packet = emptyPacket()
  readonly #parser: CaptureParser
  readonly #dissector: Dissector
  readonly #reassembler: TcpReassembler
  #originSeconds = 0
  #originNanoseconds = 0
  #lastNs = 0

  constructor(name: string, options: PassiveOptions, originUnixNs?: bigint) {
    this.#parser = new CaptureParser(name)
    this.#dissector = new Dissector(this.#packetCounters, options.ports ?? [])
    this.#reassembler = new TcpReassembler(options)
    if (originUnixNs !== undefined) {
      this.#setOrigin(Number(originUnixNs / 1_000_000_000n), Number(originUnixNs % 1_000_000_000n))
    }
  }

  get counters(): CaptureCounters {
    return { packets: this.#packetCounters, streams: this.#reassembler.counters }
  }

  /**
   * Reads what a chunk completes. The chunk must not be written to again: segments are views of it. Throws a `MeshError` where the
   * file cannot be read on; `take` then still gives what came before.
   */
  append(chunk: Uint8Array): void {
    this.#parser.append(chunk)
    try {
      this.#readPackets()
    } finally {
      this.#noteParser()
    }
  }

  #readPackets(): void {
    const packet = this.#packet
    while (this.#parser.next(packet)) {
      if (packet.timed) {
        if (this.originUnixNs === undefined) this.#setOrigin(packet.seconds, packet.nanoseconds)
        const seconds = packet.seconds - this.#originSeconds
        this.#lastNs = seconds * 1e9 + (packet.nanoseconds - this.#originNanoseconds)
      }
      if (this.#dissector.dissect(packet, this.#lastNs)) this.#reassembler.push(this.#dissector.tcp)
    }
  }

  #noteParser(): void {
    const counters = this.#packetCounters
    const skipped = this.#parser.unsupportedLinkPackets - counters.unsupportedLink
    counters.unsupportedLink += skipped
    counters.packets += skipped
    counters.captureDropped = this.#parser.reportedDrops
  }

  /** Capture time goes on without packets, to this time since the origin. */
  advance(nowNs: number): void {
    this.#reassembler.advance(nowNs)
  }

  /** No more bytes come: the error that says how the file is cut, or undefined where it ends as it should. */
  finish(): MeshError | undefined {
    this.#dissector.finish()
    this.#reassembler.finish()
    try {
      return this.#parser.finish()
    } catch (error) {
      if (error instanceof MeshError) return error
      throw error
    }
  }

  /** The segments since the last call; the caller owns them. */
  take(): readonly Segment[] {
    return this.#reassembler.take()
  }

  #setOrigin(seconds: number, nanoseconds: number): void {
    this.#originSeconds = seconds
    this.#originNanoseconds = nanoseconds
    this.originUnixNs = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)
  }
}
