import { latin1, NO_BYTES } from '../core/bytes.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { maskBody } from './body.ts'
import { maskHead, maskTrailers } from './head.ts'
import { Pseudonyms } from './pseudonym.ts'
import { compileRules } from './rules.ts'

const CONTENT_TYPE = /^content-type[ \t]*:[ \t]*([^\r\n]*)/im
const CONTENT_ENCODING = /^content-encoding[ \t]*:[ \t]*([^\r\n]*)/im

/** Masks secrets in exchanges before anything is written or shown. */
export interface Masker {
  /** Identifies the key; equal ids give equal pseudonyms. */
  readonly keyId: string
  /** The exchange with every secret value replaced; what holds none is given back as it is. */
  mask<Kind extends Exchange>(exchange: Kind): Kind
  maskMessage<Kind extends Message>(message: Kind): Kind
  /** The session key, masked in the same way as the value it was taken from. */
  maskSession(key: string): string
  /** How many bodies were left out because they could not be read (an unknown coding, too large inflated). */
  readonly withheld: () => number
}

/**
 * Makes a masker of a key (at least 16 bytes) and `--mask` rules.
 * A body that may hold secrets and cannot be read is withheld: its message says `cut: 'undecodable'`.
 */
export function createMasker(key: Uint8Array, ruleTexts: readonly string[] = []): Masker {
  const rules = compileRules(ruleTexts)
  const pseudonyms = new Pseudonyms(key)
  let withheld = 0

  function maskMessage<Kind extends Message>(message: Kind): Kind {
    const head = maskHead(message.head, rules, pseudonyms)
    const trailers = maskTrailers(message.trailers, rules, pseudonyms)
    if (message.body.length === 0) {
      return head === message.head && trailers === message.trailers ? message : { ...message, head, trailers }
    }
    const text = latin1(message.head)
    const type = CONTENT_TYPE.exec(text)?.[1] ?? ''
    const result = maskBody(message.body, type, CONTENT_ENCODING.exec(text)?.[1] ?? '', rules, pseudonyms)
    if ('withheld' in result) {
      withheld++
      return { ...message, head, trailers, body: NO_BYTES, cut: message.cut ?? 'undecodable' }
    }
    const same = head === message.head && trailers === message.trailers && result.body === message.body
    return same ? message : { ...message, head, trailers, body: result.body }
  }

  return {
    keyId: pseudonyms.keyId,
    withheld: () => withheld,
    maskMessage,
    mask(exchange) {
      const request = maskMessage(exchange.request)
      const response = hasResponse(exchange) ? maskMessage(exchange.response) : exchange.response
      if (request === exchange.request && response === exchange.response) return exchange
      return { ...exchange, request, response }
    },
    maskSession(key) {
      const mark = key.indexOf('=')
      const value = mark < 0 ? key : decoded(key.slice(mark + 1).replace(/^(?:Bearer|Basic) /i, ''))
      return mark < 0 ? pseudonyms.maskValue(key) : `${key.slice(0, mark)}=${pseudonyms.maskValue(value)}`
    },
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
