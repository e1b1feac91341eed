import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

import type { Target } from '../../../src/replay/senders/target.ts'
import { freePort } from '../../support/free-port.ts'

/** One request as a scripted target got it: `GET` requests without bodies are all it reads. */
export interface Received {
  readonly socket: Socket
  /** Ordinal of the connection, and of the request on it. */
  readonly connection: number
  readonly request: number
  /** The path. */
  readonly path: string
}

/** A TCP server that does with each request what the test says. */
export interface ScriptedTarget {
  readonly target: Target
  readonly received: Received[]
  /** Connections taken so far. */
  readonly connections: number
  /** Most connections at a time. */
  readonly peakConnections: number
  onConnection(take: (socket: Socket) => void): void
  close(): Promise<void>
}

/** Answers a request: straight to its socket. */
export type Script = (received: Received) => unknown

/** Starts a target on a port of its own; with `tls`, behind TLS. */
export async function startTarget(script: Script, tls?: TlsOptions, port = 0): Promise<ScriptedTarget> {
  const received: Received[] = []
  const live = new Set<Socket>()
  let connections = 0
  let peakConnections = 0
  const serve = (socket: Socket): void => {
    const connection = connections++
    let requests = 0
    let text = ''
    live.add(socket)
    peakConnections = Math.max(peakConnections, live.size)
    socket.on('close', () => live.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = text.split(' ', 2)[1] ?? ''
        text = text.slice(end + 4)
        const request: Received = { socket, connection, request: requests++, path }
        received.push(request)
        script(request)
      }
    })
  }
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    onConnection: (take) => server.on(tls === undefined ? 'connection' : 'secureConnection', take),
    target: targetAt(portOf(server)),
    received,
    get connections() {
      return connections
    },
    get peakConnections() {
      return peakConnections
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of live) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

export function targetAt(port: number): Target {
  return { host: 'localhost', port, address: '127.0.0.1', tls: undefined, sourceAddresses: [] }
}

/** A port on which nobody listens. */
export function deadPort(): Promise<number> {
  return freePort()
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}

/** A whole reply with a length. */
export function reply(status = 200, body = 'ok', ...headers: readonly string[]): string {
  const fields = [...headers, `Content-Length: ${body.length}`].join('\r\n')
  return `HTTP/1.1 ${status} Reason\r\n${fields}\r\n\r\n${body}`
}
