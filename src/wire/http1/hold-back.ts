import type { CutReason, Exchange } from '../../core/exchange.ts'
import { hasResponse, replayObstacle } from '../../core/exchange.ts'
import type { RequestHead } from './request-head.ts'
import { listItems } from './request-head.ts'
import { isReplayMember } from './replay-mark.ts'

/** The methods that ask for nothing to be changed (RFC 9110 9.2.1). All others are held back unless writes are allowed. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Why a recorded request cannot be sent again. Besides the ways of being cut: `connect` and `upgrade` lead to another protocol,
 * `protocol` it is not HTTP/1 nor convertible to it, `malformed` its head is not one that may be sent, `transfer-coding` its body is
 * coded in a way that was not decoded.
 */
export type NotReplayable = CutReason | 'connect' | 'upgrade' | 'protocol' | 'malformed' | 'transfer-coding'

/**
 * What becomes of a recorded request: `send` it; `held` back because it would write, by its method; `unplayable`;
 * `replayed` because it was a replay's own when it was recorded.
 */
export type Judgement =
  | { readonly fate: 'send' }
  | { readonly fate: 'held'; readonly method: string }
  | { readonly fate: 'unplayable'; readonly reason: NotReplayable }
  | { readonly fate: 'replayed' }

/** What the user allows. */
export interface Permissions {
  /** Send unsafe methods too. */
  readonly allowWrites: boolean
  /** Send requests that bear the mark of a replay too. */
  readonly keepReplayed: boolean
}

const SEND: Judgement = { fate: 'send' }
const REPLAYED: Judgement = { fate: 'replayed' }

/** Judges one recorded request. `head` is its head as read, undefined where that could not be. */
export function judgeRequest(exchange: Exchange, head: RequestHead | undefined, permissions: Permissions): Judgement {
  const cut = replayObstacle(exchange)
  if (cut !== undefined) return { fate: 'unplayable', reason: cut }
  if (exchange.protocol !== 'http1' && exchange.protocol !== 'http2') return { fate: 'unplayable', reason: 'protocol' }
  if (head === undefined) return { fate: 'unplayable', reason: 'malformed' }
  if (!permissions.keepReplayed && bearsMark(head)) return REPLAYED
  const obstacle = headObstacle(exchange, head)
  if (obstacle !== undefined) return { fate: 'unplayable', reason: obstacle }
  if (permissions.allowWrites) return SEND
  const method = effectiveMethod(head)
  return SAFE_METHODS.has(method) ? SEND : { fate: 'held', method }
}

function headObstacle(exchange: Exchange, head: RequestHead): NotReplayable | undefined {
  if (head.method === 'CONNECT') return 'connect'
  for (const { name, value } of head.block.unusual) {
    // Other offers of an upgrade (h2c) are declined by not repeating them: a server may ignore them (RFC 9110 7.8).
    if (name === 'upgrade' && (/websocket/i.test(value) || switchedProtocols(exchange))) return 'upgrade'
    if (name === 'transfer-encoding' && listItems(value).some((coding) => coding !== 'chunked'))
      return 'transfer-coding'
  }
  return undefined
}

function switchedProtocols(exchange: Exchange): boolean {
  return hasResponse(exchange) && recordedStatus(exchange) === 101
}

const OVERRIDE_HEADERS = new Set(['x-http-method-override', 'x-http-method', 'x-method-override'])

/** GET with an override is a write in disguise: frameworks take these headers, or `_method`, for the method. */
function effectiveMethod(head: RequestHead): string {
  for (const { name, value } of head.block.unusual) {
    const method = value.toUpperCase()
    if (OVERRIDE_HEADERS.has(name.replaceAll('_', '-')) && method !== '' && !SAFE_METHODS.has(method)) return method
  }
  const inQuery = /[?&]_method=([A-Za-z]+)/.exec(head.target)?.[1]?.toUpperCase()
  return inQuery !== undefined && !SAFE_METHODS.has(inQuery) ? inQuery : head.method
}

/** Does the request bear the mark of a replay: the header, or the member of `baggage`? */
function bearsMark(head: RequestHead): boolean {
  return head.block.unusual.some(
    ({ name, value }) => name === 'x-mesh-replay' || (name === 'baggage' && value.split(',').some(isReplayMember)),
  )
}

const SPACE = 0x20
const ZERO = 0x30

/** The status code of the recorded response, 0 where there is none. Reads the bytes: it is asked for every exchange. */
export function recordedStatus(exchange: Exchange): number {
  if (!hasResponse(exchange)) return 0
  const { head } = exchange.response
  // `HTTP/1.1 200 OK`, or `:status: 200`.
  const space = head.indexOf(SPACE)
  if (space < 0) return 0
  let status = 0
  for (let index = space + 1; index <= space + 3; index++) {
    const digit = (head[index] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return 0
    status = status * 10 + digit
  }
  return status
}
