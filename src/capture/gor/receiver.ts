import type { Server, Socket } from 'node:net'
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

  /** Ends when the signal aborts: connections are closed, and what waits for a response is yielded without. */
  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    const stop = (): void => this.#stop()
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
      this.#stop()
    }
  }

  /** Time by the senders' clock: the newest record's, and what has passed since. */
  #nowUnixNs(): bigint {
    if (this.#newest === undefined) return 0n
    return this.#newest.unixNs + BigInt(monotonicNs() - this.#newest.atNs)
  }

  async #receive(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    const parser = new GorRecordParser()
    this.#count('connections')
    try {
      for await (const bytes of socket) {
        if (!(bytes instanceof Uint8Array)) continue
        for (const record of parser.push(bytes)) await this.#records.put(record)
      }
      for (const record of parser.end()) await this.#records.put(record)
    } catch {
      this.#count('connections.reset')
    }
    if (parser.malformed > 0) this.#count('bytes.malformed', parser.malformed)
    this.#sockets.delete(socket)
  }

  #stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#records.end()
  }

  #count(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }
}
