import type { ShotError } from '../../core/outcome.ts'
import { BackOff } from './back-off.ts'
import { ConnectionList } from './connection-list.ts'
import { Dialer } from './dialer.ts'
import type { SenderCounters } from './sender.ts'
import type { Target } from './target.ts'
import { type ConnectionOwner, TargetConnection } from './target-connection.ts'

/** The live connections to the target: at most `maxConnections`, each one busy or idle. */
export class ConnectionPool {
  /** Connections that wait for a shot, the longest idle first. */
  readonly idle: ConnectionList = new ConnectionList()
  readonly #dialer: Dialer
  readonly #maxConnections: number
  readonly #counters: SenderCounters
  readonly #backOff = new BackOff()
  #live = 0

  constructor(target: Target, maxConnections: number, counters: SenderCounters) {
    this.#dialer = new Dialer(target)
    this.#maxConnections = maxConnections
    this.#counters = counters
  }

  /** Is there room for another connection, whether or not the target would take it? */
  get full(): boolean {
    return this.#live >= this.#maxConnections
  }

  /** Why a shot that needs a connection fails without an attempt. */
  get heldBackError(): ShotError {
    return this.#backOff.error
  }

  canOpen(nowNs: number): boolean {
    return !this.full && this.#backOff.allows(nowNs)
  }

  /** A new connection, not established yet; undefined where there is no room or the target refuses too many. */
  open(owner: ConnectionOwner, nowNs: number): TargetConnection | undefined {
    if (!this.canOpen(nowNs)) return undefined
    this.#backOff.tried()
    this.#live++
    if (this.#live > this.#counters.peakConnections) this.#counters.peakConnections = this.#live
    return new TargetConnection(this.#dialer, owner, nowNs)
  }

  /** The connection idle for the longest, taken out of the idle ones. */
  takeOldestIdle(): TargetConnection | undefined {
    const connection = this.idle.first
    if (connection !== undefined) this.idle.remove(connection)
    return connection
  }

  /** The connection idle for the shortest: the least likely to be closed by the target just now. */
  takeNewestIdle(): TargetConnection | undefined {
    const connection = this.idle.last
    if (connection !== undefined) this.idle.remove(connection)
    return connection
  }

  connected(): void {
    this.#counters.connected++
    this.#backOff.succeeded()
  }

  /** It closed: busy before, or taken out of the idle ones. */
  closed(): void {
    this.#live--
  }

  /** It closed before it was established. */
  refused(connection: TargetConnection, error: ShotError, nowNs: number): void {
    this.#live--
    this.#backOff.failed(error, connection.openedNs, nowNs)
  }

  closeIdle(): void {
    for (let connection = this.takeOldestIdle(); connection !== undefined; connection = this.takeOldestIdle()) {
      connection.close()
      this.#live--
    }
  }
}
