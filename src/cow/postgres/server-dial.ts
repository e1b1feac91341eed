import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { MeshError, systemCode, toMeshError } from '../../core/errors.ts'
import { SOCKET_SETTINGS } from '../../net/sockets.ts'
import { clientContext } from '../../net/tls.ts'
import { sslRequest } from '../../wire/postgres/frontend.ts'
import { addressText, DEFAULT_CONNECT_TIMEOUT_MS, socketPath } from './server-options.ts'
import type { ServerOptions } from './server-options.ts'

/** Ends what is under way on a socket when its time is up or the signal aborts; whoever waits for the socket gets the error. */
export class ConnectLimit {
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #abort: () => void
  #socket: Socket | undefined
  #expired: MeshError | undefined

  constructor(options: ServerOptions, signal: AbortSignal) {
    const where = addressText(options.address)
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
    const timedOut = (): void => {
      this.#expire(
        new MeshError('MESH_ERR_UNREACHABLE', {
          what: `expected the server to take the connection within ${timeoutMs} ms, found no answer`,
          where,
          remedy: 'check address and firewall',
        }),
      )
    }
    this.#abort = () => this.#expire(new MeshError('MESH_ERR_ABORTED', { what: 'stopped while connecting', where }))
    this.#signal = signal
    this.#timer = setTimeout(timedOut, timeoutMs)
    signal.addEventListener('abort', this.#abort, { once: true })
    if (signal.aborted) this.#abort()
  }

  /** Watches this socket from now on. Throws where the time is up already. */
  watch(socket: Socket): void {
    this.#socket = socket
    if (this.#expired === undefined) return
    // Nobody listens to its errors yet.
    socket.on('error', ignore)
    socket.destroy()
    throw this.#expired
  }

  /** Stops watching; the socket lives on. */
  release(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#abort)
    this.#socket = undefined
  }

  /** Drops the socket, where connecting failed. */
  drop(): void {
    this.#socket?.on('error', ignore)
    this.#socket?.destroy()
    this.release()
  }

  #expire(error: MeshError): void {
    this.#expired = error
    this.#socket?.destroy(error)
  }
}

function ignore(): void {
  // The error was told already.
}

/** Opens a socket to the server, encrypted as the options ask. Nothing of the session is sent yet. */
export async function dialServer(options: ServerOptions, limit: ConnectLimit): Promise<Socket> {
  const { address } = options
  const target = 'host' in address ? address : { path: socketPath(address.socketFolder, address.port) }
  const raw = connectSocket({ ...SOCKET_SETTINGS, ...target, allowHalfOpen: false })
  limit.watch(raw)
  try {
    await arrival(raw, 'connect')
  } catch (thrown) {
    throw connectError(thrown, addressText(address))
  }
  const tls = options.tls ?? 'prefer'
  if (!('host' in address) || tls === 'disable') return raw
  if (await offersTls(raw, options)) return secured(raw, address.host, options, limit)
  if (tls === 'prefer') return raw
  throw new MeshError('MESH_ERR_TLS', {
    what: 'expected the server to speak TLS, found that it does not',
    where: addressText(address),
    remedy: 'turn `ssl` on there, or ask for sslmode=disable',
  })
}

/** Asks with an SSLRequest; the answer is one byte, and nothing may follow before the handshake (CVE-2021-23222). */
async function offersTls(raw: Socket, options: ServerOptions): Promise<boolean> {
  raw.write(sslRequest())
  const answer = await arrival(raw, 'data')
  if (answer instanceof Uint8Array && answer.length === 1) {
    if (answer[0] === 0x53) return true
    if (answer[0] === 0x4e) return false
  }
  const found = answer instanceof Uint8Array ? `${answer.length} bytes, the first ${answer[0] ?? 0}` : 'nothing'
  throw new MeshError('MESH_ERR_TLS', {
    what: `expected S or N as the answer to an SSLRequest, found ${found}`,
    where: addressText(options.address),
    remedy: 'is this a PostgreSQL server?',
  })
}

async function secured(raw: Socket, host: string, options: ServerOptions, limit: ConnectLimit): Promise<TLSSocket> {
  const { tls, ca } = options
  const chainOnly = tls !== 'verify-full'
  const socket = connectTls({
    socket: raw,
    secureContext: clientContext(ca === undefined ? {} : { certificateAuthority: ca }),
    // A name is asked for (SNI), an address is not (RFC 6066 3), but either is verified.
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    host,
    rejectUnauthorized: tls === 'verify-ca' || tls === 'verify-full' || (tls === 'require' && ca !== undefined),
    ...(chainOnly ? { checkServerIdentity: () => undefined } : {}),
    ALPNProtocols: ['postgresql'],
  })
  limit.watch(socket)
  try {
    await arrival(socket, 'secureConnect')
    return socket
  } catch (thrown) {
    if (thrown instanceof MeshError || systemCode(thrown) !== undefined) throw toMeshError(thrown)
    throw new MeshError('MESH_ERR_TLS', {
      what: `expected a TLS handshake and a certificate that is trusted, found: ${reason(thrown)}`,
      where: addressText(options.address),
      remedy: 'name the authority that signed it (sslrootcert=FILE), or check the host name',
      cause: thrown,
    })
  }
}

function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The first event of this name; rejects where the socket fails or ends before. After `data` the socket is paused. */
function arrival(socket: Socket, event: 'connect' | 'data' | 'secureConnect'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off(event, arrived)
      socket.off('error', failed)
      socket.off('close', ended)
      // Errors that come while nobody listens end in `close`.
      socket.on('error', ignore)
    }
    const arrived = (value: unknown): void => {
      settle()
      if (event === 'data') socket.pause()
      resolve(value)
    }
    const failed = (error: Error): void => {
      settle()
      reject(error)
    }
    const ended = (): void => {
      settle()
      reject(
        new MeshError('MESH_ERR_UNREACHABLE', {
          what: 'expected an answer, found that the connection was closed',
          remedy: 'is this a PostgreSQL server?',
        }),
      )
    }
    socket.on(event, arrived)
    socket.on('error', failed)
    socket.on('close', ended)
  })
}

/** A unix socket that is not there is a server that does not run. */
export function connectError(thrown: unknown, where: string): MeshError {
  if (systemCode(thrown) !== 'ENOENT') return toMeshError(thrown, where)
  return new MeshError('MESH_ERR_UNREACHABLE', {
    what: 'expected the unix socket of a server, found none',
    where,
    remedy: 'is the server running?',
    cause: thrown,
  })
}
