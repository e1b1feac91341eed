import type { ShotBatch } from '../shot-batch.ts'
import { Chain } from './chain.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { Flights } from './flights.ts'
import { Lane } from './lane.ts'
import type { SenderCounters } from './sender.ts'
import type { ShotOrder } from './shot-order.ts'
import type { ConnectionOwner, TargetConnection } from './target-connection.ts'
import type { WaitingShot } from './waiting-shot.ts'

/** Lanes of which it is remembered that the target closed their connection: enough for a count, bounded for a long run. */
const MAX_LOST_LANES = 65_536

/**
 * `--order connection`: each connection of the recording has one to the target, and its shots keep their order on it. Where
 * `-c` allows fewer connections than the recording had, a lane without one takes over the longest idle one of another lane, or
 * queues until one is free. Between a lane that could go on and one that queues, the shot that was due first wins.
 */
export class LaneOrder implements ShotOrder {
  readonly #pool: ConnectionPool
  readonly #flights: Flights
  readonly #owner: ConnectionOwner
  readonly #counters: SenderCounters
  readonly #keepLast: boolean
  readonly #lanes = new Map<number, Lane>()
  readonly #queue = new Chain<Lane>()
  readonly #lost = new Set<number>()

  /** `keepLast`: a connection is not closed after its lane's last shot; a closed loop measures replies, not connecting. */
  constructor(
    pool: ConnectionPool,
    flights: Flights,
    owner: ConnectionOwner,
    counters: SenderCounters,
    keepLast: boolean,
  ) {
    this.#pool = pool
    this.#flights = flights
    this.#owner = owner
    this.#counters = counters
    this.#keepLast = keepLast
  }

  place(batch: ShotBatch, index: number, nowNs: number): void {
    const ordinal = batch.connection[index] ?? 0
    const lane = this.#lanes.get(ordinal) ?? this.#addLane(ordinal)
    if (lane.waiting.first !== undefined || lane.connection?.busy === true) {
      lane.waiting.push(this.#flights.hold(batch, index))
      return
    }
    const own = lane.connection
    if (own !== undefined) this.#pool.idle.remove(own)
    const connection = own ?? this.#acquire(lane, nowNs)
    if (connection !== undefined) {
      this.#flights.launch(connection, batch, index, connection.freeSinceNs)
    } else if (this.#pool.full) {
      lane.waiting.push(this.#flights.hold(batch, index))
      this.#enqueue(lane)
    } else {
      this.#lanes.delete(ordinal)
      this.#counters.heldBack++
      this.#flights.endUnsent(batch, index, this.#pool.heldBackError)
    }
  }

  freed(connection: TargetConnection, nowNs: number): void {
    const lane = this.#lanes.get(connection.lane)
    if (connection.lastOnLane && lane?.waiting.first === undefined) {
      this.#detach(connection, lane)
      if (!this.#keepLast) {
        connection.close()
        this.#pool.closed()
        this.#serve(nowNs)
        return
      }
    }
    const mine = lane?.waiting.first
    const queued = this.#queue.first
    const theirs = queued?.waiting.first
    if (lane !== undefined && mine !== undefined && (theirs === undefined || mine.dueNs <= theirs.dueNs)) {
      lane.waiting.shift()
      this.#flights.launchWaiting(connection, mine, nowNs)
    } else if (queued !== undefined) {
      this.#detach(connection, lane)
      if (lane !== undefined && mine !== undefined) this.#enqueue(lane)
      this.#attach(connection, queued)
      this.#next(queued, connection, nowNs)
    } else this.#pool.idle.push(connection)
  }

  gone(connection: TargetConnection, nowNs: number): void {
    const lane = this.#lanes.get(connection.lane)
    if (connection.lostIdle && lane !== undefined && this.#lost.size < MAX_LOST_LANES) this.#lost.add(lane.ordinal)
    this.#detach(connection, lane)
    if (lane?.waiting.first !== undefined) this.#enqueue(lane)
    this.#serve(nowNs)
  }

  hasRoom(nowNs: number): boolean {
    return this.#queue.first === undefined && (this.#pool.idle.size > 0 || this.#pool.canOpen(nowNs))
  }

  clearWaiting(end: (shot: WaitingShot) => void): void {
    for (const lane of this.#lanes.values()) {
      for (let shot = lane.waiting.shift(); shot !== undefined; shot = lane.waiting.shift()) end(shot)
    }
    for (let lane = this.#queue.shift(); lane !== undefined; lane = this.#queue.shift()) lane.queued = false
  }

  /** Lanes that queue get connections, as far as there are any. */
  #serve(nowNs: number): void {
    for (let lane = this.#queue.first; lane !== undefined; lane = this.#queue.first) {
      const connection = this.#acquire(lane, nowNs)
      if (connection !== undefined) this.#next(lane, connection, nowNs)
      else if (this.#pool.full) return
      else this.#refuse(lane)
    }
  }

  /** The first lane of the queue leaves it, and its first shot with it. */
  #next(lane: Lane, connection: TargetConnection, nowNs: number): void {
    this.#queue.shift()
    lane.queued = false
    const shot = lane.waiting.shift()
    if (shot === undefined) this.#pool.idle.push(connection)
    else this.#flights.launchWaiting(connection, shot, nowNs)
  }

  /** The target takes no connection now: what queues for one fails like the shots that tried. */
  #refuse(lane: Lane): void {
    this.#queue.shift()
    lane.queued = false
    for (let shot = lane.waiting.shift(); shot !== undefined; shot = lane.waiting.shift()) {
      this.#counters.heldBack++
      this.#flights.endWaiting(shot, this.#pool.heldBackError)
    }
    this.#lanes.delete(lane.ordinal)
  }

  #acquire(lane: Lane, nowNs: number): TargetConnection | undefined {
    const opened = this.#pool.open(this.#owner, nowNs)
    if (opened !== undefined && this.#lost.delete(lane.ordinal)) this.#counters.reconnected++
    const connection = opened ?? this.#pool.takeOldestIdle()
    if (connection === undefined) return undefined
    this.#detach(connection, this.#lanes.get(connection.lane))
    this.#attach(connection, lane)
    return connection
  }

  #attach(connection: TargetConnection, lane: Lane): void {
    connection.lane = lane.ordinal
    lane.connection = connection
  }

  /** A lane with neither connection nor shots is forgotten: it is made anew when it comes again. */
  #detach(connection: TargetConnection, lane: Lane | undefined): void {
    connection.lane = -1
    if (lane === undefined || lane.connection !== connection) return
    lane.connection = undefined
    if (lane.waiting.first === undefined) this.#lanes.delete(lane.ordinal)
  }

  #enqueue(lane: Lane): void {
    if (lane.queued) return
    lane.queued = true
    this.#queue.push(lane)
  }

  #addLane(ordinal: number): Lane {
    const lane = new Lane(ordinal)
    this.#lanes.set(ordinal, lane)
    return lane
  }
}
