import { concatBytes, NO_BYTES } from '../core/bytes.ts'
import type { CutReason, Message } from '../core/exchange.ts'
import type { Direction } from '../core/segment.ts'
import { http1 } from '../wire/http1/protocol.ts'
import type { DecodeEvent } from '../wire/protocol.ts'
import { DEFAULT_DECODE_LIMITS } from '../wire/protocol.ts'

/** A request and its response, decoded from bytes that another tool cut out of a connection. */
export interface DecodedMessages {
  readonly request: Message | undefined
  readonly response: Message | undefined
  /** Why one of them could not be read; '' where both could. */
  readonly problem: string
}

interface Assembly {
  head: Uint8Array | undefined
  body: Uint8Array[]
  trailers: Uint8Array
  bodySize: number
  held: number
  cut: CutReason | undefined
  ended: boolean
}

/**
 * Decodes one request and its response, each given whole (as gor keeps them), with the decoder that reads connections: what is
 * ambiguous there is refused here too. Interim responses are passed over. `maxBodyBytes` bounds what is kept of each body.
 */
export function decodeMessages(request: Uint8Array, response: Uint8Array, maxBodyBytes: number): DecodedMessages {
  const decoder = http1.createDecoder(DEFAULT_DECODE_LIMITS, false)
  const parts = { request: assembly(), response: assembly() }
  let problem = ''
  const take = (events: readonly DecodeEvent[]): void => {
    for (const event of events) {
      if (event.kind === 'undecodable' && problem === '') problem = event.reason
      if ('message' in event && event.message === 0) add(parts[event.direction], event, maxBodyBytes)
    }
  }
  take(decoder.push('request', request, 0, 0))
  if (response.length > 0) take(decoder.push('response', response, 0, request.length))
  take(decoder.end('request', 'fin'))
  take(decoder.end('response', 'fin'))
  return { request: finish(parts.request), response: finish(parts.response), problem }
}

function assembly(): Assembly {
  return { head: undefined, body: [], trailers: NO_BYTES, bodySize: 0, held: 0, cut: undefined, ended: false }
}

function add(part: Assembly, event: DecodeEvent & { readonly direction: Direction }, maxBodyBytes: number): void {
  if (event.kind === 'head' && !event.interim) part.head = event.bytes.slice()
  else if (event.kind === 'trailers') part.trailers = event.bytes.slice()
  else if (event.kind === 'undecodable') part.cut ??= 'undecodable'
  else if (event.kind === 'end') {
    part.ended = true
    if (event.how !== 'whole') part.cut ??= event.how
  } else if (event.kind === 'body') {
    part.bodySize += event.bytes.length
    const room = maxBodyBytes - part.held
    if (event.bytes.length > room) part.cut ??= 'limit'
    if (room <= 0) return
    const kept = event.bytes.slice(0, room)
    part.body.push(kept)
    part.held += kept.length
  }
}

function finish(part: Assembly): Message | undefined {
  if (part.head === undefined) return undefined
  const cut = part.ended ? part.cut : (part.cut ?? 'end')
  return { head: part.head, body: concatBytes(part.body), trailers: part.trailers, bodySize: part.bodySize, cut }
}
