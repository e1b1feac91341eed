import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { CloseReason, Direction, Endpoint } from '../../src/core/segment.ts'
import { Relay } from '../../src/net/relay.ts'
import type { RelayOptions } from '../../src/net/relay.ts'
import type { ConnectionTap, RelayTap } from '../../src/net/relay-tap.ts'
import { NO_TAP } from '../../src/net/relay-tap.ts'
import { freePort } from '../support/free-port.ts'

const ANY_PORT: Endpoint = { address: '127.0.0.1', port: 0 }

/** A TCP server on a free port that hands each half-open connection to `serve`; closed, with its sockets, after the test. */
export async function startServer(serve: (socket: Socket) => void): Promise<Endpoint> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(0, '127.0.0.1', 4096)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('expected a port')
  return { address: bound.address, port: bound.port }
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<Endpoint> {
  return { address: '127.0.0.1', port: await freePort() }
}

/** A relay on a free port; closed without grace after the test. */
export async function startRelay(
  upstream: Endpoint,
  options: Partial<RelayOptions> = {},
  tap: RelayTap = NO_TAP,
): Promise<Relay> {
  const relay = await Relay.start({ listen: ANY_PORT, upstream, ...options }, tap)
  onTestFinished(async () => relay.close(0))
  return relay
}

/** A connected, half-open client; its errors are left to who asks for them. */
export async function connectTo(endpoint: Endpoint): Promise<Socket> {
  const socket = connect({ host: endpoint.address, port: endpoint.port, allowHalfOpen: true })
  socket.on('error', () => undefined)
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  return socket
}

/** All bytes up to the other side's FIN. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = []
  socket.on('data', (bytes: Buffer) => pieces.push(bytes))
  await once(socket, 'end')
  return Buffer.concat(pieces)
}

/** Exactly so many bytes, or more where more came with them. */
export async function readBytes(socket: Socket, count: number): Promise<Buffer> {
  let held = Buffer.alloc(0)
  while (held.length < count) {
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    held = Buffer.concat([held, bytes])
  }
  return held
}

/** The code with which a socket breaks: `ECONNRESET`. */
export async function failureOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
  })
}

/** Resolves when a socket is closed, however. */
export async function closed(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
  })
}

/** Resolves when `condition` holds; looks at it on every turn of the loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 1)
    })
  }
}

/** What a relay showed of one connection. */
export interface Seen {
  readonly client: Endpoint
  readonly server: Endpoint
  readonly request: Buffer[]
  readonly response: Buffer[]
  readonly closes: Map<Direction, CloseReason>
}

/** A tap that keeps everything. */
export class KeepingTap implements RelayTap {
  readonly connections: Seen[] = []

  open(client: Endpoint, server: Endpoint): ConnectionTap {
    const seen: Seen = { client, server, request: [], response: [], closes: new Map() }
    this.connections.push(seen)
    return {
      data: (direction, bytes) => seen[direction].push(Buffer.from(bytes)),
      close: (direction, how) => {
        if (seen.closes.has(direction)) throw new Error(`${direction} closed twice`)
        seen.closes.set(direction, how)
      },
    }
  }
}
