import { latin1Bytes } from '../../src/core/bytes.ts'
import type { Segment } from '../../src/core/segment.ts'
import type { TcpPacket } from '../../src/capture/reassemble/tcp-packet.ts'
import { ACK, emptyTcpPacket, FIN, RST, SYN } from '../../src/capture/reassemble/tcp-packet.ts'
import type { ReassemblerOptions } from '../../src/capture/reassemble/reassembler.ts'
import { TcpReassembler } from '../../src/capture/reassemble/reassembler.ts'

/** One packet of a script. Numbers count the bytes of a stream, from 0: the SYN has the number before. */
export interface ScriptPacket {
  readonly from: 'client' | 'server'
  /** Default: one millisecond after the last. */
  readonly atMs?: number
  readonly seq?: number
  /** How much of the other direction was received. Default: none; no acknowledgement in a first SYN. */
  readonly ack?: number
  /** `S`yn, `F`in, `R`st. */
  readonly flags?: string
  readonly data?: string
  /** How many bytes of `data` the capture holds. Default: all. */
  readonly captured?: number
  /** Offset of the initial sequence numbers: another incarnation of the connection. */
  readonly incarnation?: number
  readonly clientPort?: number
}

const CLIENT_ISN = 0xffff_fff0 // wraps after 15 bytes
const SERVER_ISN = 5_000

/** Feeds packets to a reassembler and gives what it made of them. */
export class TcpScript {
  readonly reassembler: TcpReassembler
  readonly #packet = emptyTcpPacket()
  #nowNs = 0

  constructor(options: ReassemblerOptions = {}) {
    this.reassembler = new TcpReassembler(options)
  }

  play(...packets: readonly ScriptPacket[]): this {
    for (const packet of packets) this.reassembler.push(this.#build(packet))
    return this
  }

  /** Three packets that open the connection. */
  handshake(): this {
    return this.play({ from: 'client', flags: 'S' }, { from: 'server', flags: 'S', ack: 0 }, { from: 'client', ack: 0 })
  }

  take(): readonly Segment[] {
    return this.reassembler.take()
  }

  /** The segments after the capture's end. */
  finish(): readonly Segment[] {
    this.reassembler.finish()
    return this.reassembler.take()
  }

  #build(from: ScriptPacket): TcpPacket {
    const packet = this.#packet
    const fromClient = from.from === 'client'
    const flags = from.flags ?? ''
    const data = latin1Bytes(from.data ?? '')
    const shift = (from.incarnation ?? 0) * 1_000_000
    const [own, other] = fromClient ? [CLIENT_ISN, SERVER_ISN] : [SERVER_ISN, CLIENT_ISN]
    const acknowledges = from.ack !== undefined || !flags.includes('S')
    this.#nowNs = from.atMs === undefined ? this.#nowNs + 1e6 : from.atMs * 1e6
    packet.atNs = this.#nowNs
    packet.source.d = fromClient ? 0x0a00_0001 : 0x0a00_0002
    packet.destination.d = fromClient ? 0x0a00_0002 : 0x0a00_0001
    packet.sourcePort = fromClient ? (from.clientPort ?? 40_000) : 80
    packet.destinationPort = fromClient ? 80 : (from.clientPort ?? 40_000)
    packet.sequence = (own + shift + (from.seq ?? (flags.includes('S') ? -1 : 0)) + 1) | 0
    packet.acknowledgement = acknowledges ? (other + shift + (from.ack ?? 0) + 1) | 0 : 0
    packet.flags =
      (flags.includes('S') ? SYN : 0) |
      (flags.includes('F') ? FIN : 0) |
      (flags.includes('R') ? RST : 0) |
      (acknowledges ? ACK : 0)
    packet.bytes = data
    packet.payloadStart = 0
    packet.capturedEnd = from.captured ?? data.length
    packet.payloadLength = data.length
    return packet
  }
}
