import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { concatBytes, NO_BYTES } from '../core/bytes.ts'
import type { Message } from '../core/exchange.ts'
import { formatHead } from '../core/head.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { CopyRequest } from './copy.ts'

/** Where copies go. Plain data that any thread can be given. */
export interface StagingTarget {
  /** `http://host[:port][/base]`, `https://..`. */
  readonly url: string
  /** Take any certificate. */
  readonly insecure: boolean
  /** A PEM text of authorities to trust instead of the system's. */
  readonly ca: string | undefined
}

/**
 * Why a copy has no reply: `refused` nobody listens, `unreachable` no way or no name, `timeout` no reply in time, `reset` the connection
 * broke, `closed` it ended first, `tls` no secure connection, `bad-reply` what came is not HTTP, `not-sendable` our client would
 * not write the request, `ended` the run did.
 */
export const COPY_FAILURES = [
  'refused',
  'unreachable',
  'timeout',
  'reset',
  'closed',
  'tls',
  'bad-reply',
  'not-sendable',
  'ended',
] as const
export type CopyFailure = (typeof COPY_FAILURES)[number]

/** How a copy ended. A reply is there only where it was to be kept; its bytes are charged to the budget until `release`. */
export type CopyEnd =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly reply: Message | undefined
      /** Gives the reply's bytes back to the budget: to be called once. */
      readonly release: () => void
    }
  | { readonly kind: 'failed'; readonly reason: CopyFailure }

export interface StagingClientOptions {
  readonly target: StagingTarget
  /** Connections at most: as many as copies fly at once. */
  readonly maxConnections: number
  /** From the sending of a copy to the last byte of its reply. */
  readonly timeoutMs: number
  /** Keep replies, and up to how many bytes of body; undefined: only their status is looked at. */
  readonly keepReplies: { readonly maxBodyBytes: number; readonly budget: ByteBudget } | undefined
}

/** Heads of replies: as when recording. */
const MAX_HEAD_BYTES = 256 * 1024

/** An idle connection is closed after this long: shorter than the 5 s of Node's own servers, the shortest among the common ones. */
const IDLE_MS = 4_000

const NO_REPLY: Message = { head: NO_BYTES, body: NO_BYTES, trailers: NO_BYTES, bodySize: 0, cut: undefined }

/**
 * A pool of connections to one staging service, on Node's own HTTP client. Nothing waits in it: who sends more than
 * `maxConnections` at a time has to hold the rest. A request is never sent twice.
 */
export class StagingClient {
  readonly #options: StagingClientOptions
  readonly #agent: HttpAgent
  readonly #flights = new Set<Flight>()
  readonly #request: typeof httpRequest
  readonly #host: string
  readonly #port: string
  readonly #tls: object

  constructor(options: StagingClientOptions) {
    const { target, maxConnections } = options
    const url = new URL(target.url)
    const secure = url.protocol === 'https:'
    const pool = { keepAlive: true, maxSockets: maxConnections, maxFreeSockets: maxConnections, timeout: IDLE_MS }
    const host = url.hostname.replaceAll(/[[\]]/g, '')
    this.#options = options
    this.#agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool)
    this.#request = secure ? httpsRequest : httpRequest
    this.#host = host
    this.#port = url.port === '' ? (secure ? '443' : '80') : url.port
    this.#tls = secure
      ? {
          rejectUnauthorized: !target.insecure,
          servername: isIP(host) === 0 ? host : '',
          ...(target.ca === undefined ? {} : { ca: target.ca }),
        }
      : {}
  }

  /** Sends a request once. `done` is called once, never within this call. */
  send(request: CopyRequest, done: (end: CopyEnd) => void): void {
    const { timeoutMs, keepReplies } = this.#options
    const flight = new Flight(keepReplies, timeoutMs, (end) => {
      this.#flights.delete(flight)
      done(end)
    })
    this.#flights.add(flight)
    try {
      const outgoing = this.#request({
        ...this.#tls,
        agent: this.#agent,
        hostname: this.#host,
        port: this.#port,
        method: request.method,
        path: request.target,
        headers: request.fields,
        setHost: false,
        maxHeaderSize: MAX_HEAD_BYTES,
      })
      flight.begin(outgoing)
      if (request.trailers.length > 0) outgoing.addTrailers(request.trailers)
      outgoing.end(request.body.length === 0 ? undefined : request.body)
    } catch {
      // A target or a header that Node does not write: what decoders let through is a little more.
      setImmediate(() => flight.fail('not-sendable'))
    }
  }

  /** Gives up what flies, as `ended`, and closes all connections. */
  close(): void {
    for (const flight of this.#flights) flight.fail('ended')
    this.#agent.destroy()
  }
}

/** One request and its reply. */
class Flight {
  readonly #keep: StagingClientOptions['keepReplies']
  readonly #done: (end: CopyEnd) => void
  readonly #timer: NodeJS.Timeout
  readonly #pieces: Uint8Array[] = []
  #outgoing: ClientRequest | undefined
  #heldBytes = 0
  #bodySize = 0
  #cut = false
  #over = false

  constructor(keep: StagingClientOptions['keepReplies'], timeoutMs: number, done: (end: CopyEnd) => void) {
    this.#keep = keep
    this.#done = done
    this.#timer = setTimeout(() => this.fail('timeout'), timeoutMs)
  }

  begin(outgoing: ClientRequest): void {
    this.#outgoing = outgoing
    outgoing.on('response', (incoming) => this.#take(incoming))
    outgoing.on('error', (error) => this.fail(failureOf(error)))
    outgoing.on('close', () => this.fail('closed'))
  }

  fail(reason: CopyFailure): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#keep?.budget.give(this.#heldBytes)
    this.#outgoing?.destroy()
    this.#done({ kind: 'failed', reason })
  }

  #take(incoming: IncomingMessage): void {
    incoming.on('error', (error) => this.fail(failureOf(error)))
    incoming.on('data', (piece: Buffer) => this.#piece(piece))
    incoming.on('end', () => this.#answered(incoming))
    incoming.on('close', () => this.fail('closed'))
  }

  #piece(piece: Buffer): void {
    const keep = this.#keep
    this.#bodySize += piece.length
    if (keep === undefined || this.#cut || this.#over) return
    this.#cut = this.#bodySize > keep.maxBodyBytes || !keep.budget.take(piece.length)
    if (this.#cut) return
    this.#heldBytes += piece.length
    this.#pieces.push(piece)
  }

  #answered(incoming: IncomingMessage): void {
    if (this.#over) return
    if (!incoming.complete) return this.fail('closed')
    this.#over = true
    clearTimeout(this.#timer)
    const status = incoming.statusCode ?? 0
    const reply = this.#keep === undefined ? undefined : this.#reply(incoming, status)
    const release = (): void => this.#keep?.budget.give(this.#heldBytes)
    this.#done({ kind: 'answered', status, reply, release })
  }

  #reply(incoming: IncomingMessage, status: number): Message {
    const { rawHeaders } = incoming
    const fields = []
    for (let index = 0; index < rawHeaders.length; index += 2) {
      fields.push({ name: rawHeaders[index] ?? '', value: rawHeaders[index + 1] ?? '' })
    }
    return {
      ...NO_REPLY,
      head: formatHead({ startLine: `HTTP/1.1 ${status} ${incoming.statusMessage ?? ''}`, fields }),
      body: concatBytes(this.#pieces),
      bodySize: this.#bodySize,
      cut: this.#cut ? 'limit' : undefined,
    }
  }
}

const UNREACHABLE = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
])

function failureOf(error: Error): CopyFailure {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ECONNREFUSED') return 'refused'
  if (UNREACHABLE.has(code)) return 'unreachable'
  if (code.startsWith('HPE_')) return 'bad-reply'
  if (code === 'ECONNRESET') return error.message === 'socket hang up' ? 'closed' : 'reset'
  if (code === 'EPIPE' || code === 'ECONNABORTED') return 'reset'
  return /TLS|SSL|CERT|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code) ? 'tls' : 'closed'
}
