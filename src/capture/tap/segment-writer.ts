import { monotonicNs } from '../../core/clock.ts'
import { opposite } from '../../core/segment.ts'
import type { CloseReason, Direction, Endpoint, Segment } from '../../core/segment.ts'
import type { ConnectionTap, RelayTap } from '../../net/relay-tap.ts'
import type { RingProducer } from '../../net/ring.ts'
import { CostSampler } from './cost-sampler.ts'
import { writeData, writeEvent } from './segment-codec.ts'

/** How often what did not fit is tried again while no traffic does so. */
const RETRY_MS = 20

/** About as much as an opening, two gaps and two closings take. */
const SETTLE_BYTES = 256

/** What was not recorded, and why. Bytes are of both directions. */
export interface WriterLosses {
  /** The ring had no room: the copy was dropped, and is reported to the reader as a gap. */
  ringFullBytes: number
  ringFullChunks: number
  /** Nobody read the ring: the recording thread died. */
  unheardBytes: number
}

/** What the connections of one writer share. */
interface Shared {
  readonly originNs: number
  readonly losses: WriterLosses
  /** Connections that have not said everything yet. */
  readonly live: Set<WrittenConnection>
  /** Those that have something to say that did not fit. */
  readonly owing: Set<WrittenConnection>
  readonly cost: CostSampler
  ring: RingProducer | undefined
  /** Something was added to `owing`: try again soon. */
  retry(): void
}

/**
 * Writes what a relay sees into a ring, as segments. It never waits. What does not fit is dropped and counted, and the loss
 * itself is kept (a few numbers a connection) and reported, as a gap of exactly its length, before any later segment of
 * that connection; openings and closings are kept likewise. So the reader's accounts are exact, however full the ring was.
 */
export class SegmentWriter implements RelayTap {
  readonly #shared: Shared
  #opened = 0
  #retry: NodeJS.Timeout | undefined
  #settled: (() => void) | undefined

  /** Segments are timed in nanoseconds from `originNs`, a time of the monotonic clock. */
  constructor(originNs: number) {
    const losses = { ringFullBytes: 0, ringFullChunks: 0, unheardBytes: 0 }
    const sets = { live: new Set<WrittenConnection>(), owing: new Set<WrittenConnection>() }
    this.#shared = { originNs, losses, ...sets, cost: new CostSampler(), ring: undefined, retry: () => this.#arm() }
  }

  /** From now on segments go into this ring. Connections that are open already are announced there as mid-stream. */
  attach(ring: RingProducer): void {
    this.#shared.ring = ring
    const atNs = monotonicNs()
    for (const connection of this.#shared.live) connection.announce(atNs)
  }

  /** Nobody reads the ring any more: what comes is only counted. */
  detach(): void {
    this.#shared.ring = undefined
    for (const connection of this.#shared.owing) if (connection.over) this.#shared.live.delete(connection)
    this.#shared.owing.clear()
    this.#settled?.()
  }

  open(client: Endpoint, server: Endpoint, atNs: number): ConnectionTap {
    return new WrittenConnection(this.#shared, this.#opened++, client, server, atNs)
  }

  /** Writes what is still owed, once the reader makes room or until `detach`, and ends the ring. */
  async end(): Promise<void> {
    if (this.#shared.owing.size > 0) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve
      })
    }
    this.#shared.ring?.end()
  }

  get losses(): Readonly<WriterLosses> {
    return this.#shared.losses
  }

  /** How long chunks stayed with the relay, from read to written. */
  get cost(): CostSampler {
    return this.#shared.cost
  }

  /** Bytes that the reader has not taken yet. */
  get backlogBytes(): number {
    return this.#shared.ring?.heldBytes ?? 0
  }

  #settle(): void {
    const { ring, owing } = this.#shared
    if (ring === undefined) return
    for (const connection of owing) {
      if (connection.settle(ring)) continue
      this.#arm()
      return
    }
    this.#settled?.()
  }

  #arm(): void {
    if (this.#retry !== undefined) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#settle()
    }, RETRY_MS)
  }
}

/** What one direction has passed on, and what of it the reader has not been told. */
interface Stream {
  passedBytes: number
  lostBytes: number
  lostAtNs: number
  ended: { readonly how: CloseReason; readonly atNs: number } | undefined
  endOwed: boolean
}

class WrittenConnection implements ConnectionTap {
  readonly #shared: Shared
  readonly #ordinal: number
  readonly #client: Endpoint
  readonly #server: Endpoint
  readonly #request = emptyStream()
  readonly #response = emptyStream()
  #openOwed: { readonly atNs: number; readonly midStream: boolean } | undefined
  #owes = false

  constructor(shared: Shared, ordinal: number, client: Endpoint, server: Endpoint, atNs: number) {
    this.#shared = shared
    this.#ordinal = ordinal
    this.#client = client
    this.#server = server
    shared.live.add(this)
    this.#openOwed = { atNs, midStream: false }
    this.#tell()
  }

  data(direction: Direction, bytes: Buffer, atNs: number): void {
    const { ring, losses, originNs, cost } = this.#shared
    if (cost.due()) cost.record(monotonicNs() - atNs)
    const stream = this.#stream(direction)
    stream.passedBytes += bytes.length
    if (ring === undefined) {
      losses.unheardBytes += bytes.length
      return
    }
    // What was lost comes first, and only together with what follows: else a full ring fills up with gaps.
    if (!this.#owes || (ring.freeBytes >= 2 * (SETTLE_BYTES + bytes.length) && this.settle(ring))) {
      const acknowledged = this.#stream(opposite(direction)).passedBytes
      if (writeData(ring, this.#ordinal, direction, atNs - originNs, acknowledged, bytes)) return
    }
    if (stream.lostBytes === 0) stream.lostAtNs = atNs
    stream.lostBytes += bytes.length
    losses.ringFullBytes += bytes.length
    losses.ringFullChunks++
    this.#owe()
  }

  close(direction: Direction, how: CloseReason, atNs: number): void {
    const stream = this.#stream(direction)
    stream.ended = { how, atNs }
    stream.endOwed = true
    this.#tell()
  }

  /** Both directions have ended. */
  get over(): boolean {
    return this.#request.ended !== undefined && this.#response.ended !== undefined
  }

  /** Begins again for a reader that has seen nothing of this connection: its streams count from here. */
  announce(atNs: number): void {
    this.#openOwed = { atNs, midStream: true }
    for (const stream of [this.#request, this.#response]) {
      stream.passedBytes = 0
      stream.lostBytes = 0
      stream.endOwed = stream.ended !== undefined
    }
    this.#tell()
  }

  /** Writes what is owed, in order; false where not all of it fitted. */
  settle(ring: RingProducer): boolean {
    if (this.#openOwed !== undefined) {
      const { atNs, midStream } = this.#openOwed
      const ends = { client: this.#client, server: this.#server, midStream }
      if (!this.#write(ring, { kind: 'open', connection: this.#ordinal, atNs, ...ends })) return false
      this.#openOwed = undefined
    }
    if (!this.#settleStream(ring, 'request') || !this.#settleStream(ring, 'response')) return false
    this.#owes = false
    this.#shared.owing.delete(this)
    if (this.over) this.#shared.live.delete(this)
    return true
  }

  #settleStream(ring: RingProducer, direction: Direction): boolean {
    const stream = this.#stream(direction)
    const common = { connection: this.#ordinal, direction }
    if (stream.lostBytes > 0) {
      const loss = { atNs: stream.lostAtNs, length: stream.lostBytes, reason: 'ring-full' } as const
      if (!this.#write(ring, { kind: 'gap', ...common, ...loss })) return false
      stream.lostBytes = 0
    }
    if (stream.endOwed && stream.ended !== undefined) {
      if (!this.#write(ring, { kind: 'close', ...common, ...stream.ended })) return false
      stream.endOwed = false
    }
    return true
  }

  #write(ring: RingProducer, segment: Exclude<Segment, { readonly kind: 'data' }>): boolean {
    return writeEvent(ring, { ...segment, atNs: segment.atNs - this.#shared.originNs })
  }

  /** Writes what is owed now, or later. */
  #tell(): void {
    const { ring, live } = this.#shared
    if (ring === undefined) {
      if (this.over) live.delete(this)
    } else if (!this.settle(ring)) this.#owe()
  }

  #owe(): void {
    this.#owes = true
    this.#shared.owing.add(this)
    this.#shared.retry()
  }

  #stream(direction: Direction): Stream {
    return direction === 'request' ? this.#request : this.#response
  }
}

function emptyStream(): Stream {
  return { passedBytes: 0, lostBytes: 0, lostAtNs: 0, ended: undefined, endOwed: false }
}
