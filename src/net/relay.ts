import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { monotonicNs } from '../core/clock.ts'
import type { Endpoint } from '../core/segment.ts'
import { connectionsWithin, descriptorLimit } from './descriptors.ts'
import { listen } from './listener.ts'
import { formatProxyHeader } from './proxy-protocol.ts'
import type { ProxyHeader, ProxyProtocolVersion } from './proxy-protocol.ts'
import { readProxyHeader } from './proxy-header-reader.ts'
import { RelayedConnection } from './relayed-connection.ts'
import type { ConnectionOwner } from './relayed-connection.ts'
import type { ConnectionTap, RelayTap } from './relay-tap.ts'
import { adoptSharedReader } from './shared-reader.ts'
import { failureCode, localEndpoint, remoteEndpoint, SOCKET_SETTINGS } from './sockets.ts'
import { clientContext, serverContext, terminateTls } from './tls.ts'
import type { TlsTermination, UpstreamTls } from './tls.ts'
import { dialUpstream } from './upstream.ts'

/** What a relay does. */
export interface RelayOptions {
  /** Where it listens; port 0 for any. */
  readonly listen: Endpoint
  /** Where every connection goes. */
  readonly upstream: Endpoint
  /** Clients speak TLS; it ends here. */
  readonly tls?: TlsTermination
  /** The upstream speaks TLS. */
  readonly upstreamTls?: UpstreamTls
  /** Announce the client's address to the upstream, before everything else. */
  readonly proxyProtocol?: ProxyProtocolVersion
  /** Clients begin with a PROXY header (another relay in front of us); one that does not is cut off. */
  readonly acceptProxyProtocol?: boolean
  /**
   * Connections beyond this are reset at once, and counted as refused. Default 16,384, and never more than the process has
   * descriptors for, of which a connection takes two.
   */
  readonly maxConnections?: number
  /** How long the upstream may take to answer, TLS included. Default 10 s. */
  readonly connectTimeoutMs?: number
}

const DEFAULT_MAX_CONNECTIONS = 16_384
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

const NO_HEADER: ProxyHeader = { source: undefined, destination: undefined }

/** How long connections may go on once the relay closes. */
export const DEFAULT_GRACE_MS = 10_000

/** What a relay has done so far; read live. */
export interface RelayCounters {
  accepted: number
  open: number
  /** Beyond `maxConnections`: reset at once. */
  refused: number
  /** Cut off at the end of the grace. */
  cut: number
  /** Connections that broke instead of ending, by the side that broke. The reset was passed on. */
  clientBroke: number
  upstreamBroke: number
  /** Connections that never reached the upstream, by the system's code (`ECONNREFUSED`). */
  readonly upstreamFailures: Map<string, number>
  /** Clients without a PROXY header where one is asked for. */
  headerMissing: number
  /** The system could not accept, mostly for want of descriptors. */
  acceptFailures: number
  requestBytes: number
  responseBytes: number
}

/** A byte-exact TCP relay: what it forwards is what it received. */
export class Relay {
  readonly counters: RelayCounters = {
    accepted: 0,
    open: 0,
    refused: 0,
    cut: 0,
    clientBroke: 0,
    upstreamBroke: 0,
    upstreamFailures: new Map(),
    headerMissing: 0,
    acceptFailures: 0,
    requestBytes: 0,
    responseBytes: 0,
  }
  readonly #options: RelayOptions
  readonly #tap: RelayTap
  readonly #serverContext: SecureContext | undefined
  readonly #clientContext: SecureContext | undefined
  readonly #server: Server
  readonly #connections = new Set<RelayedConnection>()
  /** Accepted, their PROXY header still to come. */
  readonly #greeting = new Set<Socket>()
  readonly #owner: ConnectionOwner = {
    relayed: (direction, byteCount) => {
      if (direction === 'request') this.counters.requestBytes += byteCount
      else this.counters.responseBytes += byteCount
    },
    broke: (side, thrown, connected) => this.#broke(side, thrown, connected),
    done: (connection) => {
      if (this.#connections.delete(connection)) this.#left()
    },
  }
  /** The limit on connections that holds. */
  readonly maxConnections: number
  #address: Endpoint
  #empty: (() => void) | undefined

  private constructor(options: RelayOptions, tap: RelayTap) {
    this.#options = options
    this.#tap = tap
    this.#address = options.listen
    const affordable = connectionsWithin(descriptorLimit() ?? Number.POSITIVE_INFINITY)
    this.maxConnections = Math.min(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS, affordable)
    this.#serverContext = options.tls === undefined ? undefined : serverContext(options.tls)
    this.#clientContext = options.upstreamTls === undefined ? undefined : clientContext(options.upstreamTls)
    this.#server = createServer({ ...SOCKET_SETTINGS, pauseOnConnect: true }, (raw) => this.#accept(raw))
  }

  /** Listens, or throws a `MeshError`: the port is in use, the certificate unreadable. */
  static async start(options: RelayOptions, tap: RelayTap): Promise<Relay> {
    const relay = new Relay(options, tap)
    relay.#address = await listen(relay.#server, options.listen)
    relay.#server.on('error', () => relay.counters.acceptFailures++)
    return relay
  }

  /** Where it listens. */
  get address(): Endpoint {
    return this.#address
  }

  /** Stops accepting, lets connections finish for `graceMs`, then cuts them off. Resolves when all are closed. */
  async close(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    this.#server.close()
    if (this.counters.open === 0) return
    const emptied = new Promise<void>((resolve) => {
      this.#empty = resolve
    })
    const timer = setTimeout(() => this.cutOff(), graceMs)
    await emptied
    clearTimeout(timer)
  }

  /** Cuts off the connections that are still open, now. */
  cutOff(): void {
    for (const raw of this.#greeting) raw.destroy()
    for (const connection of this.#connections) {
      this.counters.cut++
      connection.abort('cut')
    }
  }

  #accept(raw: Socket): void {
    if (this.counters.open >= this.maxConnections) {
      this.counters.refused++
      raw.resetAndDestroy()
      return
    }
    this.counters.accepted++
    this.counters.open++
    if (this.#options.acceptProxyProtocol !== true) this.#relay(raw, NO_HEADER)
    else this.#greet(raw)
  }

  #greet(raw: Socket): void {
    this.#greeting.add(raw)
    readProxyHeader(raw, (header) => {
      this.#greeting.delete(raw)
      if (header !== undefined) {
        this.#relay(raw, header)
        return
      }
      this.counters.headerMissing++
      this.#left()
    })
  }

  /** Joins an accepted connection and a new one to the upstream. */
  #relay(raw: Socket, header: ProxyHeader): void {
    const options = this.#options
    const client = header.source ?? remoteEndpoint(raw)
    const preface =
      options.proxyProtocol === undefined
        ? undefined
        : formatProxyHeader(options.proxyProtocol, client, header.destination ?? localEndpoint(raw))
    const connection = new RelayedConnection(this.#owner)
    this.#connections.add(connection)
    this.#attachClient(connection, raw, this.#tap.open(client, options.upstream, monotonicNs()))
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
    const tls = options.upstreamTls
    const secure =
      tls === undefined || this.#clientContext === undefined ? undefined : { tls, context: this.#clientContext }
    dialUpstream(connection, { to: options.upstream, timeoutMs, secure, preface })
  }

  #attachClient(connection: RelayedConnection, raw: Socket, tap: ConnectionTap): void {
    const { tls, acceptProxyProtocol } = this.#options
    if (tls !== undefined && this.#serverContext !== undefined) {
      const side = { socket: terminateTls(raw, tls, this.#serverContext), raw }
      connection.attachClient(side, tap)
      connection.readByEvents(side, 'request')
      return
    }
    // A socket that was already read from, for its PROXY header, may hold bytes of its own: it stays what it is.
    const adopted = acceptProxyProtocol === true ? undefined : adoptSharedReader(raw, connection.takeBorrowed.request)
    const side = { socket: adopted ?? raw, raw: adopted ?? raw }
    connection.attachClient(side, tap)
    if (adopted === undefined) connection.readByEvents(side, 'request')
  }

  #broke(side: 'client' | 'upstream', thrown: unknown, connected: boolean): void {
    if (side === 'client') this.counters.clientBroke++
    else if (connected) this.counters.upstreamBroke++
    else {
      const code = failureCode(thrown)
      this.counters.upstreamFailures.set(code, (this.counters.upstreamFailures.get(code) ?? 0) + 1)
    }
  }

  #left(): void {
    this.counters.open--
    if (this.counters.open === 0) this.#empty?.()
  }
}
