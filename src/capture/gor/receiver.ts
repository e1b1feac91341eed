import type { Server, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { createServer } from 'node:net'
import { isRecordableTime, monotonicNs } from '../../core/clock.ts'
import { BoundedQueue } from '../../core/queue.ts'
import type { Endpoint } from '../../core/segment.ts'
import { listen } from '../../net/listener.ts'
import type { ExchangeSource } from '../exchange-source.ts'
import type { ExchangeDraft } from '../intake.ts'
import { GorPairing } from './pair.ts'
import type { GorRecord } from './record-parser.ts'
import { GorRecordParser } from './record-parser.ts'

/** Records that wait for the recorder; beyond it the connections are not read, and GoReplay's own buffers fill. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024

/** How often requests that wait for a response are looked at while nothing comes. */
const IDLE_CHECK_MS = 1000

/** What has arrived when the end is asked for is still read: until so many turns of the loop bring nothing, and no longer than this. */
const QUIET_TURNS = 3
const MAX_LAST_READ_NS = 500e6

/**
 * Listens where GoReplay's `--output-tcp` connects (by custom on port 28020) and yields what it sends. Its messages come over ten
 * connections at a time in any order, so all connections share one pairing.
 */
export class GorReceiver implements ExchangeSource {
  readonly #pairing: GorPairing
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #records = new BoundedQueue<GorRecord | 'idle'>(MAX_WAITING_BYTES, (record) =>
    record === 'idle' ? 1 : record.payload.length + 1,
  )
  readonly #counts = new Map<string, number>()
  /** Connections and pieces that have come so far. */
  #arrivals = 0
  #stopping = false
  #newest: { readonly unixNs: bigint; readonly atNs: number } | undefined

  private constructor(server: Server, maxBodyBytes: number) {
    this.#server = server
    this.#pairing = new GorPairing(maxBodyBytes)
    server.on('connection', (socket) => {
      void this.#receive(socket)
    })
  }

  /** Starts to listen. @throws MeshError MESH_ERR_PORT_IN_USE and the like. */
  static async listen(endpoint: Endpoint, maxBodyBytes: number): Promise<{ receiver: GorReceiver; address: Endpoint }> {
    const server = createServer()
    const receiver = new GorReceiver(server, maxBodyBytes)
    return { receiver, address: await listen(server, endpoint) }
  }

  get originUnixNs(): bigint {
    return this.#pairing.originUnixNs
  }

  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#pairing.counts, ...this.#counts])
  }

  /** Ends when the signal aborts: what has arrived by then is read, connections are closed, and what waits for a response is yielded without. */
  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    const stop = (): void => void this.#finish()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const idle = setInterval(() => this.#records.offer('idle'), IDLE_CHECK_MS)
    try {
      for await (const record of this.#records) {
        if (record === 'idle') {
          yield* this.#pairing.expire(this.#nowUnixNs())
          continue
        }
        if (isRecordableTime(record.unixNs)) this.#newest = { unixNs: record.unixNs, atNs: monotonicNs() }
        yield* this.#pairing.take(record)
      }
      yield* this.#pairing.end()
    } finally {
      clearInterval(idle)
      signal.removeEventListener('abort', stop)
      this.#destroy()
    }
  }

  /** Time by the senders' clock: the newest record's, and what has passed since. */
  #nowUnixNs(): bigint {
    if (this.#newest === undefined) return 0n
    return this.#newest.unixNs + BigInt(monotonicNs() - this.#newest.atNs)
  }

  async #receive(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    this.#arrivals += 1
    const parser = new GorRecordParser()
    this.#count('connections')
    let isCut = false
    try {
      for await (const bytes of socket) {
        if (!(bytes instanceof Uint8Array)) continue
        this.#arrivals += 1
        for (const record of parser.push(bytes)) await this.#records.put(record)
      }
    } catch {
      isCut = true
      // Those that we close ourselves end like this too.
      if (!this.#stopping) this.#count('connections.reset')
    }
    const last = isCut || this.#stopping ? parser.cut() : parser.end()
    for (const record of last) await this.#records.put(record)
    if (parser.malformed > 0) this.#count('bytes.malformed', parser.malformed)
    this.#sockets.delete(socket)
  }

  /** Reads what has arrived: a sender that has written an exchange before the end was asked for finds it recorded. */
  async #finish(): Promise<void> {
    const untilNs = monotonicNs() + MAX_LAST_READ_NS
    let seen = this.#arrivals
    for (let quiet = 0; quiet < QUIET_TURNS && monotonicNs() < untilNs; seen = this.#arrivals) {
      await setImmediate()
      quiet = this.#arrivals === seen ? quiet + 1 : 0
    }
    this.#disconnect()
    const givenUpNs = monotonicNs() + MAX_LAST_READ_NS
    while (this.#sockets.size > 0 && monotonicNs() < givenUpNs) await setImmediate()
    this.#records.end()
  }

  #destroy(): void {
    this.#disconnect()
    this.#records.end()
  }

  #disconnect(): void {
    this.#stopping = true
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #count(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }
}
