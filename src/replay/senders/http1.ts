import { monotonicNs } from '../../core/clock.ts'
import type { OutcomeRecorder, ShotError } from '../../core/outcome.ts'
import type { ShotBatch } from '../shot-batch.ts'
import { ConnectionPool } from './connection-pool.ts'
import { Flights, type ReplyWatches } from './flights.ts'
import { LaneOrder } from './lane-order.ts'
import { ReplyGate } from './reply-gate.ts'
import type { Sender, SenderCounters } from './sender.ts'
import type { ShotOrder } from './shot-order.ts'
import { SpareOrder } from './spare-order.ts'
import type { Target } from './target.ts'
import type { ConnectionOwner, TargetConnection } from './target-connection.ts'

export interface SenderOptions {
  readonly target: Target
  readonly order: 'connection' | 'none'
  /** `--speed max`: due times mean nothing, and connections are not closed between the recording's. */
  readonly closedLoop: boolean
  /** `-c`: live connections at a time. */
  readonly maxConnections: number
  /** Shots given and not ended; what comes beyond it is shed. */
  readonly maxInFlight: number
  /** Bytes of requests that wait, or that the target does not read; beyond it shots are shed. */
  readonly maxHeldBytes: number
  /** From sent to done. */
  readonly timeoutNs: number
  /** What outcomes' times count from, by the monotonic clock. */
  readonly originNs: number
}

/** How often expired shots are looked for; a shot expires at most this much late. */
const EXPIRY_INTERVAL_MS = 20

/**
 * Shots of a closed loop that may wait for their lanes, for each connection: enough to find lanes that are free where requests of
 * one follow each other, and little enough that what is in flight is what the connections carry.
 */
const MAX_WAITING_PER_CONNECTION = 2

/**
 * Sends HTTP/1 requests as they were recorded: their bytes straight to sockets, replies framed by hand.
 *
 *     send -> Flights.admit -> ShotOrder.place -> Flights.launch -> TargetConnection.write
 *     reply | failure -> Flights.end (the outcome) -> ShotOrder.freed | gone -> the next shot that waits -> onRoom
 */
export class Http1Sender implements Sender, ConnectionOwner {
  readonly #counters: SenderCounters
  readonly #pool: ConnectionPool
  readonly #flights: Flights
  readonly #order: ShotOrder
  readonly #gate: ReplyGate
  readonly #timeoutNs: number
  readonly #maxWaiting: number
  readonly #expiry: NodeJS.Timeout
  readonly #onRoom: (nowNs: number) => void
  #drained: (() => void) | undefined
  #destroyed = false

  /** `onRoom` is called after a shot has ended, and now and then: a loop that waits for room or time may use the moment. */
  constructor(
    options: SenderOptions,
    recorder: OutcomeRecorder,
    counters: SenderCounters,
    onRoom: (nowNs: number) => void,
    watches: ReplyWatches = {},
  ) {
    this.#counters = counters
    const { target, originNs, closedLoop } = options
    this.#pool = new ConnectionPool(target, options.maxConnections, counters)
    this.#flights = new Flights(
      recorder,
      options,
      counters,
      originNs,
      closedLoop,
      (reply, whole) => this.#gate.ended(reply, whole),
      watches,
    )
    this.#order =
      options.order === 'connection'
        ? new LaneOrder(this.#pool, this.#flights, this, counters, closedLoop)
        : new SpareOrder(this.#pool, this.#flights, this, counters)
    this.#gate = new ReplyGate(this.#flights, this.#order, counters, options.order === 'connection')
    this.#timeoutNs = options.timeoutNs
    this.#maxWaiting = options.maxConnections * MAX_WAITING_PER_CONNECTION
    this.#onRoom = onRoom
    this.#expiry = setInterval(() => this.#expire(), EXPIRY_INTERVAL_MS)
  }

  send(batch: ShotBatch, index: number, nowNs: number): void {
    const isPlain = batch.plans === undefined && this.#gate.isIdle
    if (!this.#flights.admit(batch, index)) {
      if (!isPlain) this.#gate.shed(batch, index)
    } else if (this.#destroyed) this.#flights.endUnsent(batch, index, 'aborted')
    else if (isPlain) this.#order.place(batch, index, nowNs)
    else this.#gate.send(batch, index, nowNs)
  }

  hasRoom(nowNs: number): boolean {
    if (this.#destroyed || this.#flights.full || this.#flights.waiting >= this.#maxWaiting) return false
    return this.#order.hasRoom(nowNs)
  }

  abortWaiting(): void {
    this.#endWaiting()
    this.#settle()
  }

  dropWaiting(): number {
    const { waiting } = this.#flights
    this.#gate.clearParked((shot) => this.#flights.drop(shot))
    this.#order.clearWaiting((shot) => this.#flights.drop(shot))
    this.#settle()
    return waiting
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#drained = resolve
      this.#settle()
    })
    clearInterval(this.#expiry)
    this.#pool.closeIdle()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    clearInterval(this.#expiry)
    const nowNs = monotonicNs()
    const { busy } = this.#flights
    for (let connection = busy.first; connection !== undefined; connection = busy.first) {
      connection.close()
      this.#pool.closed()
      this.#flights.end(connection, 'aborted', nowNs)
    }
    this.#endWaiting()
    this.#pool.closeIdle()
    this.#settle()
  }

  connected(): void {
    this.#pool.connected()
  }

  replied(connection: TargetConnection, nowNs: number): void {
    this.#flights.end(connection, 'none', nowNs)
    if (connection.closed) {
      this.#pool.closed()
      this.#order.gone(connection, nowNs)
    } else this.#order.freed(connection, nowNs)
    this.#afterEnd(nowNs)
  }

  failed(connection: TargetConnection, error: ShotError, nowNs: number): void {
    this.#flights.end(connection, error, nowNs)
    if (connection.ready) this.#pool.closed()
    else this.#pool.refused(connection, error, nowNs)
    this.#order.gone(connection, nowNs)
    this.#afterEnd(nowNs)
  }

  idleEnded(connection: TargetConnection, unsolicited: boolean, nowNs: number): void {
    this.#pool.idle.remove(connection)
    this.#pool.closed()
    if (unsolicited) this.#counters.unsolicited++
    else this.#counters.closedByTarget++
    this.#order.gone(connection, nowNs)
    this.#gate.settle(nowNs)
    this.#onRoom(nowNs)
  }

  #expire(): void {
    const nowNs = monotonicNs()
    const { busy } = this.#flights
    for (let oldest = busy.first; oldest !== undefined; oldest = busy.first) {
      if (nowNs - oldest.sentNs < this.#timeoutNs) break
      oldest.expire()
    }
    this.#onRoom(nowNs)
  }

  #endWaiting(): void {
    this.#gate.clearParked((shot) => this.#flights.endWaiting(shot, 'aborted'))
    this.#order.clearWaiting((shot) => this.#flights.endWaiting(shot, 'aborted'))
  }

  #afterEnd(nowNs: number): void {
    this.#gate.settle(nowNs)
    if (this.#drained !== undefined) this.#settle()
    this.#onRoom(nowNs)
  }

  #settle(): void {
    if (this.#flights.inFlight === 0) this.#drained?.()
  }
}
