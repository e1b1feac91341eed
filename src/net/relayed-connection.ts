import type { Socket } from 'node:net'
import { monotonicNs } from '../core/clock.ts'
import { opposite } from '../core/segment.ts'
import type { CloseReason, Direction } from '../core/segment.ts'
import type { ConnectionTap } from './relay-tap.ts'
import { writeBorrowed } from './shared-reader.ts'

/** One side of a relayed connection: the socket that carries clear text, and the TCP socket below it (the same without TLS). */
export interface Side {
  readonly socket: Socket
  readonly raw: Socket
}

/** What a connection tells its relay. */
export interface ConnectionOwner {
  /** Bytes were passed on. */
  relayed(direction: Direction, byteCount: number): void
  /** One side broke instead of ending; the other was reset. `connected`: the upstream had been reached before. */
  broke(side: 'client' | 'upstream', thrown: unknown, connected: boolean): void
  /** Both sides are closed; nothing more comes. */
  done(connection: RelayedConnection): void
}

/**
 * A client's connection and the upstream's, and the bytes between them.
 *
 * ```
 *  client --read--> write--> upstream        request
 *         <--write <--read--                 response
 * ```
 *
 * Back-pressure: a side that takes no more stops the reading of the other. Each end is passed on as what it is: FIN as
 * FIN, so that half-closed connections work; a reset, or anything else that breaks a side, as a reset.
 */
export class RelayedConnection {
  readonly #owner: ConnectionOwner
  #tap: ConnectionTap | undefined
  #client: Side | undefined
  #upstream: Side | undefined
  #connected = false
  #broken = false
  #openSockets = 0
  readonly #ended = { request: false, response: false }

  constructor(owner: ConnectionOwner) {
    this.#owner = owner
  }

  /** The client's side is here, with the one who watches. The client is not read before the upstream is connected. */
  attachClient(client: Side, tap: ConnectionTap): void {
    this.#client = client
    this.#tap = tap
    this.#watch(client, 'request')
  }

  /** The upstream's side is on its way. A side may be attached again with TLS over it. */
  attachUpstream(upstream: Side): void {
    this.#upstream = upstream
    this.#watch(upstream, 'response')
  }

  /** The upstream takes bytes now. */
  start(): void {
    this.#connected = true
    this.#client?.socket.resume()
  }

  /** For sides that read into the shared buffer: takes what the client (or the upstream) sent. */
  readonly takeBorrowed = {
    request: (bytes: Buffer): boolean => this.#pass('request', bytes, true),
    response: (bytes: Buffer): boolean => this.#pass('response', bytes, true),
  }

  /** For sides that give their chunks away by 'data' events. */
  readByEvents(side: Side, direction: Direction): void {
    // Listening makes a socket flow unless it was paused; the client waits for its upstream.
    if (direction === 'request' && !this.#connected) side.socket.pause()
    side.socket.on('data', (bytes: Buffer) => {
      if (!this.#pass(direction, bytes, false)) side.socket.pause()
    })
  }

  /** The side that sends this direction broke: the other is reset too. */
  fail(direction: Direction, thrown: unknown): void {
    if (!this.#broken) this.#owner.broke(direction === 'request' ? 'client' : 'upstream', thrown, this.#connected)
    this.abort('rst')
  }

  /** Breaks both sides off, as a reset. `how` is what the observer is told. */
  abort(how: CloseReason): void {
    this.#broken = true
    this.#end('request', how)
    this.#end('response', how)
    for (const side of [this.#client, this.#upstream]) if (side !== undefined) reset(side)
  }

  #pass(direction: Direction, bytes: Buffer, borrowed: boolean): boolean {
    const atNs = monotonicNs()
    const destination = this.#side(opposite(direction))
    if (destination === undefined) return false
    const goOn = borrowed ? writeBorrowed(destination.socket, bytes) : destination.socket.write(bytes)
    this.#owner.relayed(direction, bytes.length)
    this.#tap?.data(direction, bytes, atNs)
    return goOn
  }

  #watch(side: Side, direction: Direction): void {
    const { socket, raw } = side
    // Once TLS lies over a side, its raw socket has nothing more to say, but that it broke or closed.
    const isCurrent = (): boolean => this.#side(direction) === side
    this.#openSockets++
    socket.on('drain', () => {
      if (this.#connected || direction === 'request') this.#side(opposite(direction))?.socket.resume()
    })
    socket.on('end', () => {
      if (!isCurrent()) return
      this.#end(direction, 'fin')
      this.#side(opposite(direction))?.socket.end()
    })
    const fail = (thrown: unknown): void => this.fail(direction, thrown)
    socket.on('error', fail)
    if (raw !== socket) raw.on('error', fail)
    socket.on('close', () => {
      this.#openSockets--
      if (raw !== socket) raw.destroy()
      // A side that closes without an end was destroyed: the other has nobody to talk to.
      if (isCurrent() && !(this.#ended.request && this.#ended.response)) this.abort('rst')
      if (this.#openSockets === 0) this.#owner.done(this)
    })
  }

  #side(direction: Direction): Side | undefined {
    return direction === 'request' ? this.#client : this.#upstream
  }

  #end(direction: Direction, how: CloseReason): void {
    if (this.#ended[direction]) return
    this.#ended[direction] = true
    this.#tap?.close(direction, how, monotonicNs())
  }
}

/**
 * Sends RST instead of FIN. A socket that is not connected yet is just dropped; so is one whose FIN is on its way: the system
 * refuses to reset it (EINVAL), and after a refused reset it would never close.
 */
function reset(side: Side): void {
  const finishing = [side.raw, side.socket].some((socket) => socket.writableEnded && !socket.writableFinished)
  if (side.raw.connecting || side.raw.destroyed || finishing) side.raw.destroy()
  else side.raw.resetAndDestroy()
  if (side.socket !== side.raw) side.socket.destroy()
}
