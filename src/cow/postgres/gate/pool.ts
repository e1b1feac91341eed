import { monotonicNs } from '../../../core/clock.ts'
import { CANCELLED, gateFault, SQLSTATE, thrownFault } from './faults.ts'
import type { UpstreamConnection } from './upstream-connection.ts'

/** `reserved`: copy-up and our own catalogue reads, which always find a connection free of the others. */
export type PoolPurpose = 'ordinary' | 'reserved'

export interface PoolOptions {
  readonly connect: (signal: AbortSignal) => Promise<UpstreamConnection>
  readonly size: number
  readonly waitTimeoutMs: number
  readonly idleTimeoutMs: number
}

/** Connections that ordinary statements leave to the reserved purpose. */
const RESERVED_CONNECTIONS = 1

interface Waiter {
  readonly purpose: PoolPurpose
  readonly resolve: (connection: UpstreamConnection) => void
  readonly reject: (error: unknown) => void
}

/** All connections to production. Made when needed, the last used first, closed when idle; broken ones are replaced. */
export class Pool {
  readonly #options: PoolOptions
  readonly #busy = new Map<UpstreamConnection, PoolPurpose>()
  readonly #idle: { readonly connection: UpstreamConnection; readonly sinceNs: number }[] = []
  readonly #waiters: Waiter[] = []
  readonly #closing = new AbortController()
  readonly #sweep: NodeJS.Timeout
  #connecting: Record<PoolPurpose, number> = { ordinary: 0, reserved: 0 }
  /** Since the start. */
  connected = 0
  timedOut = 0
  mostOpen = 0

  constructor(options: PoolOptions) {
    this.#options = options
    this.#sweep = setInterval(() => this.#closeIdle(), Math.max(options.idleTimeoutMs / 2, 10))
    this.#sweep.unref()
  }

  get open(): number {
    return this.#busy.size + this.#idle.length + this.#connecting.ordinary + this.#connecting.reserved
  }

  get busy(): number {
    return this.#busy.size
  }

  get waiting(): number {
    return this.#waiters.length
  }

  /** An idle connection, where there is one and nobody came first: without a turn of the event loop. */
  take(purpose: PoolPurpose): UpstreamConnection | undefined {
    if (this.#waiters.length > 0 || !this.#mayServe(purpose)) return undefined
    const entry = this.#idle.pop()
    if (entry !== undefined) this.#busy.set(entry.connection, purpose)
    return entry?.connection
  }

  /** A connection of one's own until `release`. Throws a fault 53300 where none was free in time, or why none can be made. */
  acquire(purpose: PoolPurpose, signal?: AbortSignal): Promise<UpstreamConnection> {
    const idle = this.take(purpose)
    if (idle !== undefined) return Promise.resolve(idle)
    if (this.#closing.signal.aborted) return Promise.reject(closedFault())
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        const index = this.#waiters.indexOf(waiter)
        if (index >= 0) this.#waiters.splice(index, 1)
      }
      const waiter: Waiter = {
        purpose,
        resolve: (connection) => {
          end()
          resolve(connection)
        },
        reject: (error) => {
          end()
          reject(error instanceof Error ? error : closedFault())
        },
      }
      const timer = setTimeout(() => {
        this.timedOut++
        waiter.reject(this.#waitedTooLong())
      }, this.#options.waitTimeoutMs)
      const abort = (): void => waiter.reject(thrownFault(CANCELLED))
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.push(waiter)
      this.#serve()
    })
  }

  /** Gives a connection back. One that is lost, or that a late cancel may still hit, is not used again. */
  release(connection: UpstreamConnection): void {
    if (!this.#busy.delete(connection)) return
    if (connection.isLost || connection.isTainted || this.#closing.signal.aborted) connection.server.destroy()
    else this.#idle.push({ connection, sinceNs: monotonicNs() })
    this.#serve()
  }

  /** Closes the connections that nobody uses: the next ones are made anew. */
  renew(): void {
    for (const { connection } of this.#idle.splice(0)) void connection.server.end()
  }

  /** Says goodbye on every connection. Statements under way fail. */
  async close(): Promise<void> {
    clearInterval(this.#sweep)
    this.#closing.abort()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedFault())
    for (const connection of this.#busy.keys()) connection.server.destroy()
    await Promise.all(this.#idle.splice(0).map(({ connection }) => connection.server.end()))
  }

  #mayServe(purpose: PoolPurpose): boolean {
    const busy = this.#busy.size + this.#connecting.ordinary + this.#connecting.reserved
    if (purpose === 'reserved') return busy < this.#options.size
    let ordinary = this.#connecting.ordinary
    for (const of of this.#busy.values()) if (of === 'ordinary') ordinary++
    return busy < this.#options.size && ordinary < this.#options.size - RESERVED_CONNECTIONS
  }

  /** Serves whom it can, in order of arrival; a reserved one may pass ordinary ones that cannot be served. */
  #serve(): void {
    for (const waiter of this.#waiters.slice(0)) {
      if (!this.#mayServe(waiter.purpose)) continue
      const entry = this.#idle.pop()
      if (entry !== undefined) {
        this.#busy.set(entry.connection, waiter.purpose)
        waiter.resolve(entry.connection)
      } else if (this.#connecting[waiter.purpose] < this.#waitersFor(waiter.purpose)) void this.#connect(waiter.purpose)
    }
  }

  #waitersFor(purpose: PoolPurpose): number {
    return this.#waiters.filter((waiter) => waiter.purpose === purpose).length
  }

  async #connect(purpose: PoolPurpose): Promise<void> {
    this.#connecting[purpose]++
    try {
      const connection = await this.#options.connect(this.#closing.signal)
      this.#connecting[purpose]--
      this.#adopt(connection)
    } catch (error) {
      this.#connecting[purpose]--
      this.#waiters.find((waiter) => waiter.purpose === purpose)?.reject(error)
    }
    this.#serve()
  }

  #adopt(connection: UpstreamConnection): void {
    if (this.#closing.signal.aborted) {
      connection.server.destroy()
      return
    }
    this.connected++
    this.#idle.push({ connection, sinceNs: monotonicNs() })
    this.mostOpen = Math.max(this.mostOpen, this.open)
    void connection.server.closed.then(() => this.#remove(connection))
  }

  #remove(connection: UpstreamConnection): void {
    const index = this.#idle.findIndex((entry) => entry.connection === connection)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#busy.delete(connection)
    // Others have heard nothing for longer: whoever took one would have to find that out as slowly.
    if (connection.isSilent) for (const idle of this.#idle.splice(0)) idle.connection.server.destroy()
    this.#serve()
  }

  /** The one unused for longest is at the front. */
  #closeIdle(): void {
    const sinceNs = monotonicNs() - this.#options.idleTimeoutMs * 1e6
    while (this.#idle[0] !== undefined && this.#idle[0].sinceNs < sinceNs) {
      void this.#idle.shift()?.connection.server.end()
    }
  }

  #waitedTooLong(): Error {
    const { size, waitTimeoutMs } = this.#options
    const connecting = this.#connecting.ordinary + this.#connecting.reserved
    if (connecting > 0 && this.#busy.size + this.#idle.length < size - RESERVED_CONNECTIONS) {
      return thrownFault(
        gateFault(
          SQLSTATE.cannotConnect,
          `production has not taken a connection within ${waitTimeoutMs / 1000} s: it does not answer`,
          'check that the server of --upstream runs, and that it is a PostgreSQL',
        ),
      )
    }
    return thrownFault(
      gateFault(
        SQLSTATE.tooManyConnections,
        `no connection to production was free for ${waitTimeoutMs / 1000} s: all ${size} are in use`,
        'end open cursors and REPEATABLE READ transactions, or allow more upstream connections',
      ),
    )
  }
}

function closedFault(): Error {
  return thrownFault(gateFault(SQLSTATE.cannotConnectNow, 'the gate to production is closed'))
}
