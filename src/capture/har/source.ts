import { NO_BYTES, utf8 } from '../../core/bytes.ts'
import { isRecordableTime } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import type { Message, Response } from '../../core/exchange.ts'
import { formatHead } from '../../core/head.ts'
import type { ExchangeSource } from '../exchange-source.ts'
import type { ExchangeDraft } from '../intake.ts'
import type { HarEntry, HarMessage } from './entries.ts'
import { readEntry } from './entries.ts'

/** A HAR file is one JSON text and is read whole; a larger one is refused. Browsers write some MB. */
export const MAX_HAR_BYTES: number = 256 * 1024 * 1024

/**
 * Exchanges of a HAR 1.2 file, in order of time. HTTP/2 and HTTP/3 entries become HTTP/1.1 messages: method, URL and
 * headers say the same. Bodies in HAR are decoded already, so `content-encoding` goes and the length is set anew.
 */
export class HarSource implements ExchangeSource {
  readonly #bytes: Uint8Array
  readonly #where: string
  readonly #maxBodyBytes: number
  readonly #counts = new Map<string, number>()
  #originUnixNs = 0n

  constructor(bytes: Uint8Array, where: string, maxBodyBytes: number) {
    this.#bytes = bytes
    this.#where = where
    this.#maxBodyBytes = maxBodyBytes
  }

  get originUnixNs(): bigint {
    return this.#originUnixNs
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    const entries = this.#entries()
    entries.sort((a, b) => Number(sentUnixNs(a) - sentUnixNs(b)))
    const [first] = entries
    if (first !== undefined) this.#originUnixNs = sentUnixNs(first)
    const connections = new Map<string, { ordinal: number; requests: number }>()
    for (const entry of entries) {
      if (signal.aborted) return
      const url = URL.canParse(entry.request.url) ? new URL(entry.request.url) : undefined
      if (url === undefined || !/^(https?|wss?):$/.test(url.protocol)) {
        this.#count('entries.not-http')
        continue
      }
      const key = `${url.host} ${entry.connection}`
      const connection = connections.get(key) ?? { ordinal: connections.size, requests: 0 }
      connections.set(key, connection)
      yield this.#draft(entry, url, connection.ordinal, connection.requests++)
    }
  }

  #entries(): HarEntry[] {
    const log = parseLog(this.#bytes, this.#where)
    return log.flatMap((value) => {
      const entry = readEntry(value)
      if (entry === undefined) this.#count('entries.malformed')
      else if (hasBadTime(entry)) this.#count('entries.bad-time')
      else return entry
      return []
    })
  }

  #draft(entry: HarEntry, url: URL, connection: number, position: number): ExchangeDraft {
    const { timings, request, response } = entry
    const firstNs = Number(sentUnixNs(entry) - this.#originUnixNs)
    const lastNs = firstNs + milliseconds(timings.send)
    const responseNs = lastNs + milliseconds(timings.wait)
    const headers = request.headers.filter(({ name }) => !/^(content-length|transfer-encoding)$/i.test(name))
    const named = headers.some(({ name }) => name.toLowerCase() === 'host')
      ? headers
      : [{ name: 'Host', value: url.host }, ...headers]
    const reply: Response = {
      ...this.#message(
        `HTTP/1.1 ${response.status} ${response.statusText}`.trimEnd(),
        response.headers.filter(({ name }) => !DECODED.test(name)),
        response,
      ),
      firstNs: responseNs,
      lastNs: responseNs + milliseconds(timings.receive),
    }
    return {
      id: 0,
      session: '',
      connection,
      position,
      protocol: 'http1',
      secure: url.protocol === 'https:' || url.protocol === 'wss:',
      client: { address: '', port: 0 },
      server: {
        address: entry.serverAddress || url.hostname,
        port: Number(url.port || (url.protocol.startsWith('https') ? 443 : 80)),
      },
      request: this.#message(`${request.method} ${url.pathname}${url.search} HTTP/1.1`, named, request),
      requestFirstNs: firstNs,
      requestLastNs: lastNs,
      response: response.status >= 100 ? reply : 'absent',
    }
  }

  #message(startLine: string, headers: HarMessage['headers'], message: HarMessage): Message {
    const { body } = message
    const fields = body.length === 0 ? headers : [...headers, { name: 'Content-Length', value: String(body.length) }]
    const cut = body.length > this.#maxBodyBytes || message.bodyMissing ? 'limit' : undefined
    return {
      head: formatHead({ startLine, fields }),
      body: body.length === 0 ? NO_BYTES : body.subarray(0, this.#maxBodyBytes),
      trailers: NO_BYTES,
      bodySize: body.length,
      cut,
    }
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }
}

/** Headers of a response that speak of a form that the body in the file no longer has. */
const DECODED = /^(content-encoding|content-length|transfer-encoding)$/i

function sentUnixNs(entry: HarEntry): bigint {
  return entry.startedUnixNs + BigInt(milliseconds(entry.timings.before))
}

/** Out of the time that a recording can tell, at its beginning or its end: a clock that was not set, or made up. */
function hasBadTime({ startedUnixNs, timings }: HarEntry): boolean {
  const spentNs = milliseconds(timings.before + timings.send + timings.wait + timings.receive)
  if (!Number.isFinite(spentNs)) return true
  return !isRecordableTime(startedUnixNs) || !isRecordableTime(startedUnixNs + BigInt(spentNs))
}

function milliseconds(count: number): number {
  return Math.round(count * 1e6)
}

function parseLog(bytes: Uint8Array, where: string): readonly unknown[] {
  const remedy = 'export it again from the browser as "HAR with content"'
  if (bytes.length > MAX_HAR_BYTES) {
    throw new MeshError('MESH_ERR_LIMIT', {
      what: `expected a HAR file of at most ${MAX_HAR_BYTES} bytes, found ${bytes.length}`,
      where,
    })
  }
  let content: unknown
  try {
    content = JSON.parse(utf8(bytes).replace(/^\uFEFF/, ''))
  } catch (error) {
    const what = `not valid JSON: ${error instanceof Error ? error.message : ''}`
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what, where, remedy, cause: error })
  }
  const log = typeof content === 'object' && content !== null && 'log' in content ? content.log : undefined
  const entries = typeof log === 'object' && log !== null && 'entries' in log ? log.entries : undefined
  if (Array.isArray(entries)) return entries
  throw new MeshError('MESH_ERR_FILE_KIND', {
    what: 'expected HAR (an object with log.entries), found other JSON',
    where,
    remedy,
  })
}
