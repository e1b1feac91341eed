import { createHash } from 'node:crypto'
import type { Exchange, Response } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { parseHead } from '../core/head.ts'

/** Replies that are remembered, their bytes in all, and the longest of them: an estimate of what a minute's popular reads need. */
const MAX_REMEMBERED = 4_000
const MAX_REMEMBERED_BYTES = 16 * 1024 * 1024
const MAX_REPLY_BYTES = 256 * 1024

/** Replies further apart differ because the world does. */
const MAX_APART_NS = 60e9

/** Headers that say nothing of what is asked for: of the hop, of tracing, of the client's cache. */
const IGNORED_HEADERS =
  /^(?:connection|keep-alive|user-agent|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|x-correlation-id|x-amzn-trace-id|traceparent|tracestate|baggage|x-b3-.*|b3|if-none-match|if-modified-since|cache-control|pragma|referer|sec-.*)$/

interface Remembered {
  readonly response: Response
  readonly atNs: number
}

/** Two replies of production to an equal request, in order. */
export interface ReplyPair {
  readonly earlier: Response
  readonly later: Response
  /** When the earlier request began, in nanoseconds of the recording. */
  readonly sinceNs: number
}

/**
 * Production's latest reply to each of the last few requests: where an equal request comes again, the two replies show what
 * changes by itself. Requests are equal in method, target, body and every header that may matter. Only safe methods are asked for.
 */
export class EqualRequests {
  readonly #replies = new Map<string, Remembered>()
  #bytes = 0

  /** Remembers this exchange's reply, and gives it together with that to the last equal request, where there was one. */
  pair(exchange: Exchange): ReplyPair | undefined {
    if (!hasResponse(exchange) || exchange.response.cut !== undefined) return undefined
    const key = keyOf(exchange)
    const earlier = this.#replies.get(key)
    if (earlier !== undefined) this.#forget(key, earlier)
    this.#remember(key, { response: exchange.response, atNs: exchange.requestFirstNs })
    if (earlier === undefined || exchange.requestFirstNs - earlier.atNs > MAX_APART_NS) return undefined
    return { earlier: earlier.response, later: exchange.response, sinceNs: earlier.atNs }
  }

  #remember(key: string, reply: Remembered): void {
    const bytes = sizeOf(reply)
    if (bytes > MAX_REPLY_BYTES) return
    for (const [oldest, old] of this.#replies) {
      if (this.#replies.size < MAX_REMEMBERED && this.#bytes + bytes <= MAX_REMEMBERED_BYTES) break
      this.#forget(oldest, old)
    }
    this.#replies.set(key, reply)
    this.#bytes += bytes
  }

  #forget(key: string, reply: Remembered): void {
    this.#replies.delete(key)
    this.#bytes -= sizeOf(reply)
  }
}

function sizeOf({ response }: Remembered): number {
  return response.head.length + response.body.length
}

function keyOf({ request }: Exchange): string {
  const head = parseHead(request.head)
  const hash = createHash('sha256').update(head.startLine)
  for (const { name, value } of head.fields) {
    const lower = name.toLowerCase()
    if (!IGNORED_HEADERS.test(lower)) hash.update(`\n${lower}:${value}`)
  }
  return hash.update('\n\n').update(request.body).digest('base64')
}
