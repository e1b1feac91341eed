import { NO_BYTES } from '../../core/bytes.ts'
import { isRecordableTime } from '../../core/clock.ts'
import type { MissingResponse, Response } from '../../core/exchange.ts'
import type { Endpoint } from '../../core/segment.ts'
import type { ExchangeDraft } from '../intake.ts'
import { decodeMessages } from '../messages.ts'
import type { GorRecord } from './record-parser.ts'

/** A request waits this long, in record time, for its response. */
const MAX_WAIT_NS = 10_000_000_000n

/** Requests that wait at most; the oldest goes first. */
const MAX_WAITING = 20_000

/** Connections remembered at most, to tell which requests came on one; the oldest is forgotten. */
const MAX_CONNECTIONS = 100_000

/** Requests and responses of a gor stream, joined by id to exchanges. */
export class GorPairing {
  readonly #maxBodyBytes: number
  readonly #waiting = new Map<string, GorRecord>()
  /** Responses that came before their requests: GoReplay sends over ten connections at a time. */
  readonly #early = new Map<string, GorRecord>()
  readonly #connections = new Map<string, { ordinal: number; requests: number }>()
  readonly #counts = new Map<string, number>()
  #ordinals = 0
  #originUnixNs: bigint | undefined

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes
  }

  /** Time 0: the first record's. */
  get originUnixNs(): bigint {
    return this.#originUnixNs ?? 0n
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** The exchanges that this record completes, or that waited too long for it. */
  take(record: GorRecord): readonly ExchangeDraft[] {
    if (!isRecordableTime(record.unixNs)) {
      this.#count('records.bad-time')
      return []
    }
    this.#originUnixNs ??= record.unixNs
    if (record.kind === 'replayed') {
      this.#count('records.replayed')
      return []
    }
    if (record.kind === 'response') {
      const request = this.#waiting.get(record.id)
      this.#waiting.delete(record.id)
      if (request !== undefined) return this.#draft(request, record)
      this.#early.set(record.id, record)
      return this.expire(record.unixNs)
    }
    const answered = this.#early.get(record.id)
    this.#early.delete(record.id)
    if (answered !== undefined) return this.#draft(record, answered)
    const ready = this.expire(record.unixNs)
    const same = this.#waiting.get(record.id)
    if (same !== undefined) ready.push(...this.#draft(same, undefined))
    this.#waiting.delete(record.id)
    this.#waiting.set(record.id, record)
    return ready
  }

  /** What is left at the end: requests whose responses never came. */
  end(): readonly ExchangeDraft[] {
    const left = [...this.#waiting.values()].flatMap((request) => this.#draft(request, undefined))
    this.#waiting.clear()
    for (let lost = this.#early.size; lost > 0; lost--) this.#count('responses.without-request')
    this.#early.clear()
    return left
  }

  /** Requests that have waited too long by now, without their responses. */
  expire(nowUnixNs: bigint): ExchangeDraft[] {
    const expired: ExchangeDraft[] = []
    for (const [id, request] of this.#waiting) {
      if (this.#waiting.size < MAX_WAITING && nowUnixNs - request.unixNs < MAX_WAIT_NS) break
      this.#waiting.delete(id)
      expired.push(...this.#draft(request, undefined))
    }
    for (const [id, response] of this.#early) {
      if (this.#early.size < MAX_WAITING && nowUnixNs - response.unixNs < MAX_WAIT_NS) break
      this.#early.delete(id)
      this.#count('responses.without-request')
    }
    return expired
  }

  #draft(request: GorRecord, response: GorRecord | undefined): ExchangeDraft[] {
    const decoded = decodeMessages(request.payload, response?.payload ?? NO_BYTES, this.#maxBodyBytes)
    if (decoded.problem !== '')
      this.#count(`${decoded.request === undefined ? 'requests' : 'responses'}.undecodable.${decoded.problem}`)
    if (decoded.request === undefined) return []
    const connection = this.#connectionOf(request.id)
    const requestNs = Number(request.unixNs - this.originUnixNs)
    return [
      {
        id: 0,
        session: '',
        connection: connection.ordinal,
        position: connection.requests++,
        protocol: 'http1',
        secure: false,
        client: clientOf(request.id),
        server: { address: '', port: serverPortOf(request.id) },
        request: decoded.request,
        requestFirstNs: requestNs,
        requestLastNs: requestNs,
        response: this.#response(decoded.response, response, requestNs),
      },
    ]
  }

  #response(
    message: Omit<Response, 'firstNs' | 'lastNs'> | undefined,
    record: GorRecord | undefined,
    requestNs: number,
  ): Response | MissingResponse {
    if (record === undefined) return 'absent'
    if (message === undefined) return 'undecodable'
    const atNs = Math.max(requestNs, Number(record.unixNs - this.originUnixNs))
    return { ...message, firstNs: atNs, lastNs: atNs }
  }

  #connectionOf(id: string): { ordinal: number; requests: number } {
    const key = isStreamId(id) ? id.slice(0, 16) : id
    const known = this.#connections.get(key)
    if (known !== undefined) return known
    const connection = { ordinal: this.#ordinals++, requests: 0 }
    const [oldest] = this.#connections.keys()
    if (this.#connections.size >= MAX_CONNECTIONS && oldest !== undefined) this.#connections.delete(oldest)
    this.#connections.set(key, connection)
    return connection
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }
}

/**
 * Ids since 1.0 begin with the connection: client port, server port, and the low 32 bits of the client's address, in
 * hexadecimal (GoReplay `tcp_message.go`, `UUID`). Older ids are hashes and tell nothing.
 */
function isStreamId(id: string): boolean {
  return /^[0-9a-f]{24}$/.test(id)
}

function clientOf(id: string): Endpoint {
  if (!isStreamId(id)) return { address: '', port: 0 }
  const address = [8, 10, 12, 14].map((at) => Number.parseInt(id.slice(at, at + 2), 16)).join('.')
  return { address, port: Number.parseInt(id.slice(0, 4), 16) }
}

function serverPortOf(id: string): number {
  return isStreamId(id) ? Number.parseInt(id.slice(4, 8), 16) : 0
}
