import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'

/** One request of a client, by the client's own count. */
export interface SentRequest {
  readonly path: string
  /** Wall clock, in milliseconds since 1970. */
  readonly sentAtMs: number
  /** When its reply was whole; undefined where none came. */
  answeredAtMs: number | undefined
}

/** A connection of our own: it writes what it is told to, and waits for one reply at a time. */
export class ClientConnection {
  readonly socket: Socket
  #text = ''
  #waiting: { readonly resolve: (head: string) => void; readonly reject: (error: Error) => void } | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (text: string) => {
      this.#text += text
      this.#look()
    })
    socket.on('close', () => this.#waiting?.reject(new Error('the connection ended before the reply did')))
  }

  static async open(port: number): Promise<ClientConnection> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new ClientConnection(socket)
  }

  /** Sends a request and resolves with the head of its reply, whose body has a length; rejects when the connection ends first. */
  ask(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) reject(new Error('the connection has ended'))
      this.#waiting = { resolve, reject }
      this.socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.socket.end()
  }

  /** Ends it with a RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  #look(): void {
    const headEnd = this.#text.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = this.#text.slice(0, headEnd)
    const end = headEnd + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#text.length < end) return
    this.#text = this.#text.slice(end)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(head)
  }
}

/** A GET, with a session if one is given. */
export function getRequest(path: string, port: number, session = ''): string {
  const cookie = session === '' ? '' : `Cookie: sid=${session}\r\n`
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${cookie}\r\n`
}

/** Many keep-alive connections that each send one request after the other, and keep count. */
export class CountingClient {
  /** In the order of sending. */
  readonly sent: SentRequest[] = []
  readonly #port: number
  readonly #connections: number
  readonly #watchers = new Set<() => void>()
  #stopped = false
  #answered = 0

  constructor(port: number, connections: number) {
    this.#port = port
    this.#connections = connections
  }

  /** Sends `count` requests in all, then closes its connections; ends early on `stop`, and where connections break or nobody takes them. */
  async run(count = Infinity): Promise<void> {
    await Promise.all(Array.from({ length: this.#connections }, (_, ordinal) => this.#drive(ordinal, count)))
  }

  /** Resolves when this many replies were whole. */
  answered(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#answered < count) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  get answers(): number {
    return this.#answered
  }

  /** No more requests; `run` resolves when those under way are answered. */
  stop(): void {
    this.#stopped = true
  }

  async #drive(ordinal: number, count: number): Promise<void> {
    const connection = await ClientConnection.open(this.#port).catch(() => undefined)
    if (connection === undefined) return
    while (!this.#stopped && this.sent.length < count) {
      const path = `/load/${ordinal}/${this.sent.length}`
      const request: SentRequest = { path, sentAtMs: Date.now(), answeredAtMs: undefined }
      this.sent.push(request)
      const head = await connection.ask(getRequest(path, this.#port)).catch(() => undefined)
      if (head === undefined) return
      request.answeredAtMs = Date.now()
      this.#answered++
      for (const look of this.#watchers) look()
    }
    connection.close()
  }
}
