import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { monotonicNs } from '../../src/core/clock.ts'
import { freePort } from './free-port.ts'
import { notBefore } from './not-before.ts'

/** One request, as the target itself saw it. */
export interface SeenRequest {
  /** When its head was there, by the monotonic clock. */
  readonly atNs: number
  /** Ordinal of its connection at this target. */
  readonly connection: number
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, in the order and case in which they came. */
  readonly rawHeaders: readonly string[]
  /** What has come of its body so far. */
  readonly body: Buffer
}

/** Answers a request whose body is whole. */
export type Answer = (response: ServerResponse, request: SeenRequest) => void

/** A real HTTP server that keeps a log of its own. */
export interface HttpTarget {
  readonly port: number
  readonly url: string
  /** In the order in which their heads came. */
  readonly seen: readonly SeenRequest[]
  /** Resolves when it has seen the heads of this many requests. */
  readonly saw: (count: number) => Promise<void>
  readonly close: () => Promise<void>
}

/** Starts a target on a port of its own, or on the one given. It never closes a connection by itself. */
export async function startHttpTarget(answer: Answer = answerAtOnce, port = 0): Promise<HttpTarget> {
  const seen: SeenRequest[] = []
  const ordinals = new WeakMap<Socket, number>()
  const waiting = new Set<() => void>()
  let connections = 0
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, response) => {
    const request = seenRequest(incoming, ordinals.get(incoming.socket) ?? -1)
    seen.push(request)
    incoming.on('end', () => answer(response, request))
    for (const look of waiting) look()
  })
  server.on('connection', (socket) => {
    ordinals.set(socket, connections++)
    socket.setNoDelay(true)
  })
  server.on('clientError', (_, socket) => socket.destroy())
  const listening = await listen(server, port)
  return {
    port: listening,
    url: `http://127.0.0.1:${listening}`,
    seen,
    saw: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (seen.length < count) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    async close() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function seenRequest(incoming: IncomingMessage, connection: number): SeenRequest {
  const pieces: Buffer[] = []
  incoming.on('data', (piece: Buffer) => pieces.push(piece))
  incoming.on('error', () => undefined)
  return {
    atNs: monotonicNs(),
    connection,
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    get body() {
      return Buffer.concat(pieces)
    },
  }
}

/** What a target saw, by its connections. */
export function byConnection(seen: readonly SeenRequest[]): readonly (readonly SeenRequest[])[] {
  const connections = new Map<number, SeenRequest[]>()
  for (const request of seen) {
    const found = connections.get(request.connection)
    if (found === undefined) connections.set(request.connection, [request])
    else found.push(request)
  }
  return [...connections.values()]
}

/** Targets of a test file, each closed after its test: call `closeAll` in `afterEach`. */
export class HttpTargets {
  readonly #open: HttpTarget[] = []

  async start(...options: Parameters<typeof startHttpTarget>): Promise<HttpTarget> {
    const target = await startHttpTarget(...options)
    this.#open.push(target)
    return target
  }

  async closeAll(): Promise<void> {
    for (const target of this.#open.splice(0)) await target.close()
  }
}

/** 200 and two bytes. */
export const answerAtOnce: Answer = (response) => {
  response.writeHead(200, { 'content-length': 2 }).end('ok')
}

/** Never earlier than `delayMs`, and as soon after it as timers allow. */
export function answerAfter(delayMs: number): Answer {
  return (response, request) => notBefore(delayMs, () => answerAtOnce(response, request))
}

/** A target with a limit: it works on one request at a time, `serviceMs` each, first come first served. */
export function answerOneAtATime(serviceMs: number): Answer {
  const serve = answerAfter(serviceMs)
  const queue: (() => void)[] = []
  let busy = false
  const next = (): void => {
    const start = queue.shift()
    busy = start !== undefined
    start?.()
  }
  return (response, request) => {
    response.on('close', next)
    queue.push(() => serve(response, request))
    if (!busy) next()
  }
}

/** A TCP server that does with a connection what the test says. */
export async function startTcpTarget(
  take: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const live = new Set<Socket>()
  const server = createTcpServer((socket) => {
    live.add(socket)
    socket.on('close', () => live.delete(socket))
    socket.on('error', () => undefined)
    take(socket)
  })
  const port = await listen(server, 0)
  return {
    port,
    async close() {
      server.close()
      for (const socket of live) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** A port on which nobody listens. */
export function closedPort(): Promise<number> {
  return freePort()
}

/** True where somebody listens there. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen')
  return address.port
}
