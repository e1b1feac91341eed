import type { ShotBatch } from '../shot-batch.ts'
import { Chain } from './chain.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { Flights } from './flights.ts'
import type { SenderCounters } from './sender.ts'
import type { ShotOrder } from './shot-order.ts'
import type { ConnectionOwner, TargetConnection } from './target-connection.ts'
import type { WaitingShot } from './waiting-shot.ts'

/** `--order none`: a shot takes a spare connection, or opens another; it waits only where `-c` allows no more. */
export class SpareOrder implements ShotOrder {
  readonly #pool: ConnectionPool
  readonly #flights: Flights
  readonly #owner: ConnectionOwner
  readonly #counters: SenderCounters
  readonly #waiting = new Chain<WaitingShot>()
  /** Idle connections that the target closed and that were not opened again yet. */
  #lost = 0

  constructor(pool: ConnectionPool, flights: Flights, owner: ConnectionOwner, counters: SenderCounters) {
    this.#pool = pool
    this.#flights = flights
    this.#owner = owner
    this.#counters = counters
  }

  place(batch: ShotBatch, index: number, nowNs: number): void {
    const connection = this.#waiting.first === undefined ? this.#acquire(nowNs) : undefined
    // A spare connection was free all along: the shot waited for none.
    if (connection !== undefined) this.#flights.launch(connection, batch, index, 0)
    else if (this.#pool.full) this.#waiting.push(this.#flights.hold(batch, index))
    else {
      this.#counters.heldBack++
      this.#flights.endUnsent(batch, index, this.#pool.heldBackError)
    }
  }

  freed(connection: TargetConnection, nowNs: number): void {
    const shot = this.#waiting.shift()
    if (shot === undefined) this.#pool.idle.push(connection)
    else this.#flights.launchWaiting(connection, shot, nowNs)
  }

  gone(connection: TargetConnection, nowNs: number): void {
    if (connection.lostIdle) this.#lost++
    for (let shot = this.#waiting.first; shot !== undefined; shot = this.#waiting.first) {
      const fresh = this.#acquire(nowNs)
      if (fresh === undefined && this.#pool.full) return
      this.#waiting.shift()
      if (fresh !== undefined) this.#flights.launchWaiting(fresh, shot, nowNs)
      else {
        this.#counters.heldBack++
        this.#flights.endWaiting(shot, this.#pool.heldBackError)
      }
    }
  }

  hasRoom(nowNs: number): boolean {
    return this.#waiting.first === undefined && (this.#pool.idle.size > 0 || this.#pool.canOpen(nowNs))
  }

  clearWaiting(end: (shot: WaitingShot) => void): void {
    for (let shot = this.#waiting.shift(); shot !== undefined; shot = this.#waiting.shift()) end(shot)
  }

  #acquire(nowNs: number): TargetConnection | undefined {
    const idle = this.#pool.takeNewestIdle()
    if (idle !== undefined) return idle
    const opened = this.#pool.open(this.#owner, nowNs)
    if (opened !== undefined && this.#lost > 0) {
      this.#lost--
      this.#counters.reconnected++
    }
    return opened
  }
}
