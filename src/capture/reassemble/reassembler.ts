import type { CloseReason, Segment } from '../../core/segment.ts'
import type { StreamCounters } from './counters.ts'
import { emptyStreamCounters } from './counters.ts'
import { Delivery, isCaused } from './delivery.ts'
import { Flow } from './flow.ts'
import { FlowTable } from './flow-table.ts'
import type { HalfStream } from './half-stream.ts'
import type { ReassembleLimits } from './limits.ts'
import { DEFAULT_REASSEMBLE_LIMITS } from './limits.ts'
import { serverIsSource } from './roles.ts'
import type { TcpPacket } from './tcp-packet.ts'
import { ACK, FIN, RST, SYN } from './tcp-packet.ts'

/** How far ahead an acknowledgement is believed: TCP's largest window, 1 GiB (RFC 7323 2.3). */
const MAX_WINDOW_BYTES = 2 ** 30

/** Idle connections and long waits are looked for every 100 ms of capture time, or so many packets where time does not go on. */
const SWEEP_NS = 100e6
const SWEEP_PACKETS = 50_000

/** How far from where its sender is known to be a RST is believed: a forged one has to guess. */
const RST_SLACK_BYTES = 1024 * 1024

/** What a reassembler follows. */
export interface ReassemblerOptions {
  /** Ports of servers: tells which end of a connection is the server where its SYN was not seen. Default: none known. */
  readonly ports?: readonly number[] | undefined
  readonly limits?: Partial<ReassembleLimits> | undefined
}

/**
 * Puts TCP connections together from packets seen on their way: packets in, segments out. It follows what the receivers
 * must have seen, in any order of packets, with repetitions, overlaps and losses; where bytes overlap the first ones win.
 *
 * What is lost becomes a gap of its exact length: at once where the receiver has acknowledged beyond it and it does not come within a
 * second, else where too much waits behind it, or at the connection's end. See `Delivery` for the order of segments and
 * `ReassembleLimits` for what is remembered. No packet makes it throw.
 */
export class TcpReassembler {
  readonly counters: StreamCounters = emptyStreamCounters()
  readonly #limits: ReassembleLimits
  readonly #ports: ReadonlySet<number>
  readonly #flows = new FlowTable()
  readonly #delivery: Delivery
  /** Flows that wait for something, longest first. */
  readonly #stalled = new Set<Flow>()
  #heldBytes = 0
  #nextSweepNs = Number.NEGATIVE_INFINITY
  #packetsToSweep = SWEEP_PACKETS
  #previousNs = Number.NEGATIVE_INFINITY

  constructor(options: ReassemblerOptions = {}) {
    this.#limits = { ...DEFAULT_REASSEMBLE_LIMITS, ...options.limits }
    this.#ports = new Set(options.ports)
    this.#delivery = new Delivery(this.#limits, this.counters)
  }

  /** Memory held for bytes that wait. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#flows.open.count
  }

  /** The segments since the last call, in the order to process them; the caller owns them. */
  take(): readonly Segment[] {
    return this.#delivery.take()
  }

  /** Takes in the next packet. Payload that is handed on at once is a view of `tcp.bytes`; what must wait is copied. */
  push(tcp: TcpPacket): void {
    // The earlier of two times: one packet with a time far ahead must not make all connections look idle.
    const nowNs = Math.min(tcp.atNs, this.#previousNs)
    this.#previousNs = tcp.atNs
    if (nowNs >= this.#nextSweepNs || --this.#packetsToSweep === 0) this.advance(nowNs)
    const flow = this.#flowOf(tcp)
    if (flow === undefined) return
    flow.lastNs = tcp.atNs
    this.#flows.touch(flow)
    if (flow.over) {
      this.counters.outsideBytes += tcp.payloadLength
      return
    }
    const half = flow.isFromClient(tcp) ? flow.request : flow.response
    const other = half === flow.request ? flow.response : flow.request
    if ((tcp.flags & RST) !== 0) {
      if (!isBelievable(half, tcp)) return
      this.#end(flow, 'rst', tcp.atNs)
      if (flow.connection < 0) this.#flows.remove(flow)
      return
    }
    half.seen = true
    const acknowledged = this.#acknowledge(half, other, tcp)
    if ((tcp.flags & SYN) !== 0) {
      if (!half.based) half.base((tcp.sequence + 1) | 0)
      if ((tcp.flags & ACK) !== 0) this.#delivery.open(flow)
    }
    if (tcp.payloadLength > 0) this.#payload(flow, half, other, tcp, acknowledged)
    if ((tcp.flags & FIN) !== 0) this.#fin(half, tcp, acknowledged)
    if (flow.stalled || flow.waits) this.#settle(flow, tcp.atNs)
  }

  /** Time goes on without packets: ends what was silent for long, gives up what was waited for long. */
  advance(nowNs: number): void {
    this.#nextSweepNs = nowNs + SWEEP_NS
    this.#packetsToSweep = SWEEP_PACKETS
    for (const flow of this.#stalled) this.#settle(flow, nowNs)
    for (let flow = this.#flows.open.oldest; flow !== undefined; flow = this.#flows.open.oldest) {
      if (nowNs - flow.lastNs < this.#limits.idleNs) break
      if (flow.connection >= 0) this.counters.idle++
      this.#end(flow, 'cut', flow.lastNs)
      this.#flows.remove(flow)
    }
    for (let flow = this.#flows.over.oldest; flow !== undefined; flow = this.#flows.over.oldest) {
      if (nowNs - flow.lastNs < this.#limits.lingerNs) break
      this.#flows.remove(flow)
    }
  }

  /** No more packets come: every connection is closed as `cut`. */
  finish(): void {
    for (let flow = this.#flows.open.oldest; flow !== undefined; flow = this.#flows.open.oldest) {
      this.#end(flow, 'cut', flow.lastNs)
      this.#flows.remove(flow)
    }
  }

  /** The flow of a packet: known, new, or undefined for a packet that tells of none. */
  #flowOf(tcp: TcpPacket): Flow | undefined {
    const hash = this.#flows.hash(tcp)
    const known = this.#flows.find(tcp, hash)
    const syn = (tcp.flags & SYN) !== 0
    const isForgotten = known?.over === true && tcp.atNs - known.lastNs >= this.#limits.lingerNs
    if (known !== undefined && isForgotten) this.#flows.remove(known)
    else if (known !== undefined) {
      if (!syn || isSameConnection(known, tcp)) return known
      this.#end(known, 'cut', known.lastNs)
      this.#flows.remove(known)
    }
    if ((tcp.flags & RST) !== 0) return undefined
    const answered = syn && (tcp.flags & ACK) !== 0
    const fromServer = syn ? answered : serverIsSource(tcp, this.#ports)
    const flow = new Flow(tcp, hash, !fromServer, !syn)
    this.#flows.add(flow)
    this.#makeRoom()
    return flow
  }

  /** Too many connections: the longest silent ones go. */
  #makeRoom(): void {
    const { open, over } = this.#flows
    while (open.count > this.#limits.maxConnections && open.oldest !== undefined) {
      const flow = open.oldest
      if (flow.connection >= 0) this.counters.evicted++
      this.#end(flow, 'cut', flow.lastNs)
      this.#flows.remove(flow)
    }
    while (over.count > this.#limits.maxEnded && over.oldest !== undefined) this.#flows.remove(over.oldest)
  }

  /** Notes what the packet acknowledges of the other direction; returns it as a count of bytes. */
  #acknowledge(half: HalfStream, other: HalfStream, tcp: TcpPacket): number {
    if ((tcp.flags & ACK) === 0) return 0
    // Everything before was received before we looked, or the SYN that would tell was not captured.
    if (!other.based) other.base(tcp.acknowledgement)
    let place = other.placeOf(tcp.acknowledgement)
    if (other.finOffset >= 0) place = Math.min(place, other.finOffset)
    if (place > other.acknowledged && place - other.offset < MAX_WINDOW_BYTES) {
      other.acknowledged = place
      if (place > other.offset && other.provenSinceNs === Number.POSITIVE_INFINITY) other.provenSinceNs = tcp.atNs
    }
    return Math.max(0, Math.min(place, other.acknowledged))
  }

  #payload(flow: Flow, half: HalfStream, other: HalfStream, tcp: TcpPacket, acknowledged: number): void {
    const sequence = (tcp.flags & SYN) === 0 ? tcp.sequence : (tcp.sequence + 1) | 0
    if (!half.based) half.base(sequence)
    const start = half.placeOf(sequence)
    let end = start + tcp.payloadLength
    if (half.finOffset >= 0 && end > half.finOffset) {
      this.counters.outsideBytes += end - Math.max(start, half.finOffset)
      end = half.finOffset
    }
    if (start < half.offset) this.#countKnown(half, start, Math.min(end, half.offset))
    if (end <= half.offset) return
    const from = Math.max(start, half.offset)
    const at = tcp.payloadStart + (from - start)
    const heldEnd = Math.min(end, start + tcp.capturedEnd - tcp.payloadStart)
    const isNext = start <= half.offset && !half.holds && isCaused(other, acknowledged)
    if (isNext && heldEnd === end) {
      this.#delivery.data(flow, half, tcp.bytes, at, end - from, tcp.atNs, acknowledged)
      return
    }
    const before = half.heldBytes
    let added = 0
    const { atNs } = tcp
    if (heldEnd > from) {
      const bytes = tcp.bytes.subarray(at, at + heldEnd - from)
      added += half.held.insert({ start: from, end: heldEnd, bytes, atNs, acknowledged })
    }
    if (end > heldEnd) {
      added += half.held.insert({ start: Math.max(from, heldEnd), end, bytes: undefined, atNs, acknowledged })
    }
    this.#heldBytes += half.heldBytes - before
    this.counters.repeatedBytes += end - from - added
  }

  /** Bytes before `offset` came again; or came for the first time, after their gap, or from before the beginning. */
  #countKnown(half: HalfStream, start: number, end: number): void {
    const late = Math.max(0, Math.min(end, half.gapEnd) - Math.max(start, half.gapStart))
    const outside = Math.max(0, Math.min(end, 0) - start)
    this.counters.lateBytes += late
    this.counters.outsideBytes += outside
    this.counters.repeatedBytes += end - start - late - outside
  }

  #fin(half: HalfStream, tcp: TcpPacket, acknowledged: number): void {
    const sequence = (tcp.flags & SYN) === 0 ? tcp.sequence : (tcp.sequence + 1) | 0
    if (!half.based) half.base(sequence)
    const end = half.placeOf(sequence) + tcp.payloadLength
    // Bytes beyond it, or handed on before it, belie it.
    if (half.finOffset >= 0 || end < half.offset || end < half.heldEnd) return
    half.finOffset = end
    half.finNs = tcp.atNs
    half.finAcknowledged = acknowledged
  }

  /** Hands on what can be, gives up what must be, and keeps account of who waits. */
  #settle(flow: Flow, nowNs: number): void {
    const before = flow.heldBytes
    this.#delivery.drain(flow)
    while (this.#delivery.skipProven(flow, nowNs)) this.#delivery.drain(flow)
    if (flow.heldBytes > this.#limits.maxHeldBytes) {
      this.counters.forced++
      this.#delivery.relieve(flow, this.#limits.maxHeldBytes / 2)
    }
    this.#heldBytes += flow.heldBytes - before
    if (flow.request.closed && flow.response.closed) this.#retire(flow)
    else this.#markStalled(flow)
    if (this.#heldBytes > this.#limits.maxTotalHeldBytes) this.#relieveLongest()
  }

  #relieveLongest(): void {
    for (const flow of this.#stalled) {
      if (this.#heldBytes <= this.#limits.maxTotalHeldBytes) return
      if (flow.heldBytes === 0) continue
      this.counters.forced++
      const before = flow.heldBytes
      this.#delivery.relieve(flow, 0)
      this.#heldBytes += flow.heldBytes - before
      if (flow.request.closed && flow.response.closed) this.#retire(flow)
      else this.#markStalled(flow)
    }
  }

  #markStalled(flow: Flow): void {
    if (flow.stalled === flow.waits) return
    flow.stalled = !flow.stalled
    if (flow.stalled) this.#stalled.add(flow)
    else this.#stalled.delete(flow)
  }

  /** The connection ends here, whatever is still missing. */
  #end(flow: Flow, how: CloseReason, atNs: number): void {
    if (flow.over) return
    const before = flow.heldBytes
    this.#delivery.flush(flow)
    this.#heldBytes += flow.heldBytes - before
    if (flow.connection < 0) this.counters.silent++
    this.#delivery.close(flow, flow.request, how, atNs)
    this.#delivery.close(flow, flow.response, how, atNs)
    this.#retire(flow)
  }

  #retire(flow: Flow): void {
    if (flow.stalled) this.#stalled.delete(flow)
    flow.stalled = false
    this.#flows.end(flow)
    this.#makeRoom()
  }
}

/** A RST counts only near where its sender is (RFC 5961 3.2); a receiver ignores others. */
function isBelievable(half: HalfStream, tcp: TcpPacket): boolean {
  if (!half.based) return true
  const place = half.placeOf(tcp.sequence)
  const reached = Math.max(half.offset, half.acknowledged, half.heldEnd)
  return place >= half.offset - RST_SLACK_BYTES && place <= reached + RST_SLACK_BYTES
}

/**
 * A SYN on a known flow: does it belong to it? One that repeats what is known does; so does a new try or a new answer before a
 * byte has passed. Any other begins a new connection between the same ports.
 */
function isSameConnection(flow: Flow, tcp: TcpPacket): boolean {
  const answer = (tcp.flags & ACK) !== 0
  const half = answer ? flow.response : flow.request
  const isFromItsEnd = answer ? flow.isFromServer(tcp) : flow.isFromClient(tcp)
  if (!isFromItsEnd) return false
  const first = (tcp.sequence + 1) | 0
  if (!half.based || half.firstSequence === first) return true
  const untouched = !flow.over && flow.request.offset + flow.response.offset === 0 && !flow.waits
  if (!untouched || (flow.connection >= 0 && !answer)) return false
  half.base(first)
  return true
}
