import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { asBuffer, equalBytes } from '../../../core/bytes.ts'
import { toMeshError } from '../../../core/errors.ts'
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from '../../../wire/postgres/backend.ts'
import { errorResponse } from '../../../wire/postgres/error-fields.ts'
import { MessageFramer } from '../../../wire/postgres/framer.ts'
import { FRONTEND, readStartup } from '../../../wire/postgres/frontend.ts'
import { socketPath } from '../server-options.ts'
import { faultOf, gateFault, SQLSTATE } from './faults.ts'
import type { FdwSession } from './fdw-session.ts'

/** The port in the socket's name; nothing listens on TCP. */
export const GATE_PORT = 5432

export interface FdwServerOptions {
  /** The socket's own folder is made in it. */
  readonly folder: string
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** As production tells it: postgres_fdw chooses its commands by it. */
  readonly serverVersion: string
  /** `name`: what it calls itself, '' where it does not say. */
  open(socket: Socket, name: string): FdwSession
}

/** Backends of the overlay that may be connected at once: an overlay has fewer. */
const MAX_SESSIONS = 4096
/** postgres_fdw's statements: a list of keys may be long. */
const MAX_STATEMENT_BYTES = 64 * 1024 * 1024
/** A cancel request, and a startup message, come at once or not at all. */
const STARTUP_TIMEOUT_MS = 10_000

interface CancelTarget {
  readonly secretKey: Uint8Array
  readonly session: FdwSession
}

/**
 * The gate as postgres_fdw sees it: a PostgreSQL server on a unix socket in a folder that only the overlay's user can enter. That
 * folder is the authentication.
 */
export class FdwServer {
  readonly socketFolder: string
  readonly #options: FdwServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #targets = new Map<number, CancelTarget>()
  #nextId = 1

  private constructor(options: FdwServerOptions, socketFolder: string) {
    this.#options = options
    this.socketFolder = socketFolder
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async listen(options: FdwServerOptions): Promise<FdwServer> {
    const folder = await mkdtemp(join(options.folder, 'gate-'))
    const server = new FdwServer(options, folder)
    const path = socketPath(folder, GATE_PORT)
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject)
        server.#server.listen(path, resolve)
      })
      const { owner } = options
      for (const place of [path, folder]) {
        await chmod(place, 0o700)
        if (owner !== undefined) await chown(place, owner.uid, owner.gid)
      }
      return server
    } catch (error) {
      await server.close()
      throw toMeshError(error, path)
    }
  }

  get sessions(): number {
    return this.#targets.size
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
    await rm(this.socketFolder, { recursive: true, force: true })
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    const framer = new MessageFramer({
      startup: true,
      maxMessageBytes: MAX_STATEMENT_BYTES,
      maxHeldBytes: MAX_STATEMENT_BYTES,
    })
    let session: FdwSession | undefined
    let id = 0
    socket.setTimeout(STARTUP_TIMEOUT_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#targets.delete(id)
      session?.close()
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        framer.push(chunk)
        for (let message = framer.next(); message !== undefined; message = framer.next()) {
          if (message.piece !== undefined) continue
          if (session !== undefined) {
            if (message.type === FRONTEND.terminate) socket.end()
            else session.take(message)
            continue
          }
          const started = this.#start(socket, message.payload)
          session = started?.session
          id = started?.id ?? 0
        }
      } catch (error) {
        socket.end(asBuffer(errorResponse({ ...faultOf(error), severity: 'FATAL', code: SQLSTATE.protocolViolation })))
      }
    })
  }

  /** Answers the untyped messages; gives the session once there is one. */
  #start(socket: Socket, payload: Uint8Array): { readonly session: FdwSession; readonly id: number } | undefined {
    const startup = readStartup(payload)
    if (startup.kind === 'ssl' || startup.kind === 'gss') {
      socket.write('N')
      return undefined
    }
    if (startup.kind === 'cancel') {
      const target = this.#targets.get(startup.processId)
      if (target !== undefined && equalBytes(target.secretKey, startup.secretKey)) target.session.cancel()
      socket.end()
      return undefined
    }
    const fault = this.#objectionTo(startup.parameters)
    if (fault !== undefined) {
      socket.end(asBuffer(errorResponse({ ...fault, severity: 'FATAL' })))
      return undefined
    }
    socket.setTimeout(0)
    const id = this.#nextId++
    const secretKey = new Uint8Array(randomBytes(4))
    const session = this.#options.open(socket, startup.parameters.get('application_name') ?? '')
    this.#targets.set(id, { session, secretKey })
    for (const bytes of this.#greeting(id, secretKey)) socket.write(bytes)
    return { session, id }
  }

  #objectionTo(parameters: ReadonlyMap<string, string>): ReturnType<typeof gateFault> | undefined {
    if (this.#targets.size >= MAX_SESSIONS) {
      return gateFault(SQLSTATE.tooManyConnections, `the gate has ${MAX_SESSIONS} connections of the overlay`)
    }
    const encoding = parameters.get('client_encoding') ?? 'UTF8'
    if (/^utf-?8$/i.test(encoding)) return undefined
    return gateFault(
      SQLSTATE.refused,
      `the gate speaks UTF8, found client_encoding ${encoding}`,
      'make the overlay with the encoding UTF8',
    )
  }

  #greeting(processId: number, secretKey: Uint8Array): readonly Uint8Array[] {
    return [
      authenticationOk(),
      parameterStatus('server_version', this.#options.serverVersion),
      parameterStatus('server_encoding', 'UTF8'),
      parameterStatus('client_encoding', 'UTF8'),
      parameterStatus('DateStyle', 'ISO, MDY'),
      parameterStatus('IntervalStyle', 'postgres'),
      parameterStatus('TimeZone', 'GMT'),
      parameterStatus('integer_datetimes', 'on'),
      parameterStatus('standard_conforming_strings', 'on'),
      backendKeyData({ processId, secretKey }),
      readyForQuery('I'),
    ]
  }
}
