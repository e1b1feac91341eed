import type { CloseReason, Segment } from '../../core/segment.ts'
import type { StreamCounters } from './counters.ts'
import type { Flow } from './flow.ts'
import type { HalfStream } from './half-stream.ts'
import type { ReassembleLimits } from './limits.ts'

/**
 * Hands on what is in order, as segments, and decides when a hole is a gap. Two orders are kept:
 *
 * - each direction is in the order of its stream;
 * - a segment never comes before the bytes that it acknowledges, or their gap, have come. So a reader always sees a request, or that
 *   it was lost, before its response, and the loss of a response before the next request of a client that waited for it.
 *
 * Times do not go back within a direction: bytes that waited for a retransmission bear its time, which is when their
 * receiver could first read them; bytes behind a gap bear their own.
 */
export class Delivery {
  readonly #limits: ReassembleLimits
  readonly #counters: StreamCounters
  #segments: Segment[] = []

  constructor(limits: ReassembleLimits, counters: StreamCounters) {
    this.#limits = limits
    this.#counters = counters
  }

  /** The segments since the last call; the caller owns them. */
  take(): readonly Segment[] {
    const segments = this.#segments
    this.#segments = []
    return segments
  }

  open(flow: Flow): void {
    if (flow.connection >= 0) return
    flow.connection = this.#counters.connections++
    if (flow.midStream) this.#counters.midStream++
    this.#segments.push({
      kind: 'open',
      connection: flow.connection,
      atNs: flow.startNs,
      client: flow.clientEndpoint,
      server: flow.serverEndpoint,
      midStream: flow.midStream,
    })
  }

  /** The next bytes of a direction, `length` of them from `bytes[start]`. */
  data(
    flow: Flow,
    half: HalfStream,
    bytes: Uint8Array,
    start: number,
    length: number,
    atNs: number,
    acknowledged: number,
  ): void {
    this.open(flow)
    this.#segments.push({
      kind: 'data',
      connection: flow.connection,
      direction: half.direction,
      atNs: later(half, atNs),
      bytes: bytes.subarray(start, start + length),
      acknowledged,
    })
    this.#advance(half, length, atNs)
    this.#counters.deliveredBytes += length
  }

  /** The bytes of a direction up to `end` are given up. */
  gap(flow: Flow, half: HalfStream, end: number, atNs: number): void {
    this.open(flow)
    const length = end - half.offset
    this.#segments.push({
      kind: 'gap',
      connection: flow.connection,
      direction: half.direction,
      atNs: later(half, atNs),
      length,
      reason: 'missing',
    })
    half.gapStart = half.offset
    half.gapEnd = end
    const { provenSinceNs } = half
    this.#advance(half, length, atNs)
    // What is proven beyond has been proven for as long: the next hole need not be waited for anew.
    if (half.acknowledged > half.offset) half.provenSinceNs = provenSinceNs
    this.#counters.gaps++
    this.#counters.missingBytes += length
  }

  close(flow: Flow, half: HalfStream, how: CloseReason, atNs: number): void {
    if (half.closed) return
    half.closed = true
    if (flow.connection < 0) return
    const { connection } = flow
    this.#segments.push({ kind: 'close', connection, direction: half.direction, atNs: later(half, atNs), how })
  }

  /** Hands on everything whose turn it is. */
  drain(flow: Flow): void {
    for (;;) {
      const moved = this.#drainHalf(flow, flow.request, flow.response)
      if (this.#drainHalf(flow, flow.response, flow.request) || moved) continue
      if (!this.#breakCircle(flow)) return
    }
  }

  /** Reports the holes that are proven and were waited for long enough; true where anything changed. */
  skipProven(flow: Flow, nowNs: number): boolean {
    const request = this.#skipProvenHole(flow, flow.request, nowNs)
    return this.#skipProvenHole(flow, flow.response, nowNs) || request
  }

  /** Gives up holes until no more than `maxHeldBytes` are held. */
  relieve(flow: Flow, maxHeldBytes: number): void {
    this.drain(flow)
    while (flow.heldBytes > maxHeldBytes && this.#forceOne(flow)) this.drain(flow)
  }

  /** Nothing more comes: gives up every hole. */
  flush(flow: Flow): void {
    this.drain(flow)
    while (flow.waits && this.#forceOne(flow)) this.drain(flow)
  }

  /**
   * Each direction waits for the other: a retransmission carries old bytes with a new acknowledgement, and the packet that first
   * carried them was not captured in time. The request's bytes that the response acknowledges were sent before it.
   */
  #breakCircle(flow: Flow): boolean {
    const { request, response } = flow
    if (!request.holds || !response.holds) return false
    const asked = request.held.first
    const answer = response.held.first
    if (asked === undefined || answer === undefined) return false
    const isCircle = asked.start === request.offset && answer.start === response.offset
    if (!isCircle || answer.acknowledged <= request.offset) return false
    const end = Math.min(asked.end, answer.acknowledged)
    const length = end - asked.start
    if (asked.bytes === undefined) this.gap(flow, request, end, asked.atNs)
    else this.data(flow, request, asked.bytes, 0, length, asked.atNs, response.offset)
    if (end === asked.end) request.held.shift()
    else request.held.trimFirst(end)
    return true
  }

  #advance(half: HalfStream, length: number, atNs: number): void {
    half.advance(length)
    if (half.provenSinceNs !== Number.POSITIVE_INFINITY) {
      half.provenSinceNs = half.acknowledged > half.offset ? atNs : Number.POSITIVE_INFINITY
    }
  }

  #drainHalf(flow: Flow, half: HalfStream, other: HalfStream): boolean {
    let moved = false
    while (half.holds) {
      const first = half.held.first
      if (first === undefined || first.start > half.offset || !isCaused(other, first.acknowledged)) break
      this.#takeFirst(flow, half)
      moved = true
    }
    if (half.finOffset < 0 || half.closed || half.offset < half.finOffset) return moved
    if (!isCaused(other, half.finAcknowledged)) return moved
    this.open(flow)
    this.close(flow, half, 'fin', half.finNs)
    return true
  }

  #takeFirst(flow: Flow, half: HalfStream): void {
    const first = half.held.first
    if (first === undefined) return
    half.held.shift()
    const { bytes, end, atNs, acknowledged } = first
    const known = half.offset - first.start
    if (known >= end - first.start) return
    if (bytes === undefined) this.gap(flow, half, end, atNs)
    else this.data(flow, half, bytes, known, bytes.length - known, atNs, acknowledged)
  }

  #skipProvenHole(flow: Flow, half: HalfStream, nowNs: number): boolean {
    const end = half.provenEnd
    if (half.closed || end === half.offset) return false
    // Of a direction that the capture does not see at all nothing will come late.
    const patienceNs = half.seen || half.gapEnd === 0 ? this.#limits.holePatienceNs : 0
    if (nowNs - half.provenSinceNs < patienceNs) return false
    if (isUnseenFin(half)) {
      const found = half.unseenFin === 0
      half.unseenFin = 1
      return found
    }
    this.gap(flow, half, end, half.held.first?.atNs ?? half.provenSinceNs)
    return true
  }

  /** Gives up one hole, or one wait for the other direction; false where there is none. */
  #forceOne(flow: Flow): boolean {
    const { request, response } = flow
    for (const half of [request, response]) {
      if (half.closed || half.provenEnd === half.offset || isUnseenFin(half)) continue
      this.gap(flow, half, half.provenEnd, half.held.first?.atNs ?? half.provenSinceNs)
      return true
    }
    const requestNs = firstNs(request)
    const responseNs = firstNs(response)
    const half = requestNs <= responseNs ? request : response
    const first = half.holds ? half.held.first : undefined
    if (first !== undefined) {
      if (first.start > half.offset) this.gap(flow, half, first.start, first.atNs)
      this.#takeFirst(flow, half)
      return true
    }
    for (const half of [request, response]) {
      if (half.finOffset < 0 || half.closed) continue
      if (half.finOffset > half.offset) this.gap(flow, half, half.finOffset, half.finNs)
      half.finAcknowledged = 0
      return true
    }
    return false
  }
}

/** The bytes of the other direction that this acknowledges have been handed on. Its FIN takes a number of its own. */
export function isCaused(other: HalfStream, acknowledged: number): boolean {
  return acknowledged <= other.offset + (other.closed ? 1 : other.unseenFin)
}

/**
 * One byte was acknowledged that was not seen, and nothing beyond: more likely a FIN that was not captured than a segment of one
 * byte. It is not reported as a gap, unless something follows it.
 */
function isUnseenFin(half: HalfStream): boolean {
  return half.acknowledged === half.offset + 1 && !half.holds && half.finOffset < 0
}

function firstNs(half: HalfStream): number {
  return (half.holds ? half.held.first?.atNs : undefined) ?? Number.POSITIVE_INFINITY
}

function later(half: HalfStream, atNs: number): number {
  if (atNs > half.lastNs) half.lastNs = atNs
  return half.lastNs
}
