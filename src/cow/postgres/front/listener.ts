import { setMaxListeners } from 'node:events'
import { createServer, type Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MeshError } from '../../../core/errors.ts'
import type { Endpoint } from '../../../core/segment.ts'
import { listen } from '../../../net/listener.ts'
import { readByCopies } from '../../../net/shared-reader.ts'
import { serverContext, type TlsTermination } from '../../../net/tls.ts'
import { errorResponse, type PgErrorFields, postgresErrorOf } from '../../../wire/postgres/error-fields.ts'
import type { CowEngine, Startup } from '../../engine.ts'
import { authenticate, type Authentication } from './authentication.ts'
import { type ClientTls, type Opening, readOpening } from './startup.ts'

/** A client that does not get through its startup within this time is cut off, as in PostgreSQL (authentication_timeout). */
const STARTUP_MS = 60_000

/** How a proxy meets its clients. */
export interface ListenerOptions {
  readonly listen: Endpoint
  readonly engine: CowEngine
  readonly authentication: Authentication
  /** Clients may encrypt. Default: they are told that there is none. */
  readonly tls?: TlsTermination | undefined
  /** Clients at a time; one more is told that there are too many, as PostgreSQL does. */
  readonly maxClients: number
}

/** A listening proxy. */
export interface CowListener {
  readonly endpoint: Endpoint
  /** Clients at present. */
  readonly clients: number
  /** Takes nobody any more, tells who is there, and ends when they are gone. */
  close(): Promise<void>
}

/** Listens and serves. Throws where the address cannot be had. */
export async function listenForClients(options: ListenerOptions): Promise<CowListener> {
  const { tls } = options
  const front = new Front(options, tls === undefined ? undefined : { termination: tls, context: serverContext(tls) })
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => front.accept(socket))
  const endpoint = await listen(server, options.listen)
  return {
    endpoint,
    get clients() {
      return front.clients
    },
    close: () => front.close(server),
  }
}

class Front {
  readonly #options: ListenerOptions
  readonly #tls: ClientTls | undefined
  readonly #stop = new AbortController()
  readonly #serving = new Set<Promise<void>>()

  constructor(options: ListenerOptions, tls: ClientTls | undefined) {
    this.#options = options
    this.#tls = tls
    // Each client's session listens; there may be as many as `maxClients`.
    setMaxListeners(0, this.#stop.signal)
  }

  get clients(): number {
    return this.#serving.size
  }

  accept(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    const serving = this.#serve(socket).catch(() => undefined)
    this.#serving.add(serving)
    void serving.then(() => {
      socket.destroySoon()
      this.#serving.delete(serving)
    })
  }

  async close(server: Server): Promise<void> {
    server.close()
    this.#stop.abort()
    await Promise.all(this.#serving)
  }

  async #serve(socket: Socket): Promise<void> {
    const slow = setTimeout(() => socket.destroy(), STARTUP_MS)
    let opening: Opening | undefined
    try {
      opening = await readOpening(socket, this.#tls)
      if (opening.kind === 'cancel') {
        this.#options.engine.cancel(opening.key)
        return
      }
      const { client, startup } = opening
      const refusal = await this.#refusalOf(client, startup)
      clearTimeout(slow)
      if (refusal === undefined) await this.#runSession(client, startup)
      else client.write(errorResponse(refusal))
    } catch (thrown) {
      // The client may be gone; then nobody reads it.
      const client = opening?.kind === 'session' ? opening.client : socket
      client.write(errorResponse(errorOf(thrown)))
    } finally {
      clearTimeout(slow)
    }
  }

  async #refusalOf(client: Duplex, { user }: Startup): Promise<PgErrorFields | undefined> {
    const { authentication, maxClients } = this.#options
    if (user === '') return fatal('28000', 'no PostgreSQL user name specified in startup packet')
    if (!(await authenticate(client, user, authentication))) {
      return fatal('28P01', `password authentication failed for user "${user}"`)
    }
    return this.clients > maxClients ? tooMany(maxClients) : undefined
  }

  async #runSession(client: Duplex, startup: Startup): Promise<void> {
    const session = await this.#options.engine.open(startup, this.#stop.signal)
    const adopted = client instanceof Socket ? readByCopies(client) : undefined
    adopted?.on('error', () => adopted.destroy())
    try {
      await session.serve(adopted ?? client, this.#stop.signal)
    } finally {
      adopted?.destroySoon()
    }
  }
}

/** PostgreSQL's own words, by which clients know it, and which limit it is: production's is another. */
function tooMany(maxClients: number): PgErrorFields {
  const hint = `the proxy takes ${maxClients} clients at a time: raise --max-clients, or let clients keep fewer connections`
  return { ...fatal('53300', 'sorry, too many clients already'), hint }
}

function fatal(code: string, message: string): PgErrorFields {
  return { severity: 'FATAL', code, message }
}

/** What a server said when the session was opened there is said on; anything else is a failure of the connection. */
function errorOf(thrown: unknown): PgErrorFields {
  const fields = postgresErrorOf(thrown)
  if (fields !== undefined) return { ...fields, severity: 'FATAL' }
  const isProtocol = thrown instanceof MeshError && thrown.code === 'MESH_ERR_POSTGRES'
  return fatal(isProtocol ? '08P01' : '08006', thrown instanceof Error ? thrown.message : String(thrown))
}
