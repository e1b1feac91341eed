import type { Exchange, LateResponse, Message } from '../core/exchange.ts'
import type { Change, MessageOriginals } from '../core/originals.ts'
import { bodyChanges, lineChanges } from './changes.ts'

/** More originals of one message are not kept: eight times the default `--max-body`. It bounds what a chunk can hold. */
export const MAX_ORIGINAL_BYTES: number = 8 * 1024 * 1024

/** Reasons in the ledger: values that were sealed, and messages whose originals are too many to be. */
export const SEALED_VALUES = 'sealed.values'
export const NOT_SEALED = 'sealed.too-large'

/** Puts to masked exchanges what masking took from them, for a writer that seals. */
export interface OriginalsKeeper {
  exchange(received: Exchange, masked: Exchange): Exchange
  lateResponse(received: LateResponse, masked: LateResponse): LateResponse
}

/** `note` counts in the ledger, under `SEALED_VALUES` and `NOT_SEALED`. */
export function originalsKeeper(note: (reason: string, count: number) => void): OriginalsKeeper {
  function originalsOf(received: Message, masked: Message): MessageOriginals | undefined {
    const originals = messageOriginals(received, masked)
    if (originals === undefined) return undefined
    const { head, body, trailers } = originals
    if (byteCount(head) + byteCount(body) + byteCount(trailers) > MAX_ORIGINAL_BYTES) {
      note(NOT_SEALED, 1)
      return undefined
    }
    note(SEALED_VALUES, head.length + body.length + trailers.length)
    return originals
  }

  return {
    exchange(received, masked) {
      const request = originalsOf(received.request, masked.request)
      const response =
        typeof received.response === 'string' || typeof masked.response === 'string'
          ? undefined
          : originalsOf(received.response, masked.response)
      if (request === undefined && response === undefined && received.session === masked.session) return masked
      const session = received.session === masked.session ? undefined : received.session
      return { ...masked, originals: { session, request, response } }
    },
    lateResponse(received, masked) {
      const response = originalsOf(received.response, masked.response)
      if (response === undefined) return masked
      return { ...masked, originals: { session: undefined, request: undefined, response } }
    },
  }
}

/** Undefined where both are the same. */
function messageOriginals(received: Message, masked: Message): MessageOriginals | undefined {
  const head = received.head === masked.head ? [] : lineChanges(received.head, masked.head)
  const trailers = received.trailers === masked.trailers ? [] : lineChanges(received.trailers, masked.trailers)
  const body = received.body === masked.body ? [] : bodyChanges(received.body, masked.body)
  const wasWhole = received.cut === undefined && masked.cut !== undefined
  if (head.length + trailers.length + body.length === 0 && !wasWhole) return undefined
  return { head, body, trailers, wasWhole }
}

function byteCount(changes: readonly Change[]): number {
  return changes.reduce((sum, { original }) => sum + original.length, 0)
}
