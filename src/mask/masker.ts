import { randomBytes } from 'node:crypto'
import { NO_BYTES } from '../core/bytes.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { maskBody } from './body.ts'
import { decodedCookie } from './cookies.ts'
import { HeadMasker, maskUserPassword, splitCredentials } from './head.ts'
import { Pseudonyms } from './pseudonym.ts'
import { compileRules } from './rules.ts'

/**
 * Where a session key comes from: `credential` is `name=value` of the cookie or the authorization that it was taken from, `value` is
 * anything else, such as what an expression gave.
 */
export type SessionKeyOrigin = 'credential' | 'value'

/** Masks secrets in exchanges before anything is written or shown. */
export interface Masker {
  /** Identifies the key; equal ids give equal pseudonyms. */
  readonly keyId: string
  /** The exchange with every secret value replaced; what holds none is given back as it is. */
  mask<Kind extends Exchange>(exchange: Kind): Kind
  maskMessage<Kind extends Message>(message: Kind): Kind
  /** A session key, masked: of a credential as the value in its header is, so that both have one pseudonym; any other whole. */
  maskSession(key: string, origin: SessionKeyOrigin): string
  /** How many bodies were left out because they could not be read (an unknown coding, too large inflated). */
  readonly withheld: () => number
}

/** A mask key that is made has this many bytes. */
const MASK_KEY_BYTES = 32

/** A new key for a masker: nobody else's pseudonyms are like those under it. */
export function createMaskKey(): Uint8Array {
  return randomBytes(MASK_KEY_BYTES)
}

/** Makes a masker of examples in reports: its key is of this run alone, and kept nowhere. */
export function createExampleMasker(ruleTexts: readonly string[]): Masker {
  return createMasker(createMaskKey(), ruleTexts)
}

/**
 * Makes a masker of a key (at least 16 bytes) and `--mask` rules.
 * A body that may hold secrets and cannot be read is withheld: its message says `cut: 'undecodable'`.
 */
export function createMasker(key: Uint8Array, ruleTexts: readonly string[] = []): Masker {
  const rules = compileRules(ruleTexts)
  const pseudonyms = new Pseudonyms(key)
  const heads = new HeadMasker(rules, pseudonyms)
  let withheld = 0

  function maskMessage<Kind extends Message>(message: Kind): Kind {
    const { bytes: head, contentType, contentEncoding } = heads.mask(message.head)
    const trailers = heads.maskTrailers(message.trailers)
    if (message.body.length === 0) {
      return head === message.head && trailers === message.trailers ? message : { ...message, head, trailers }
    }
    const result = maskBody(message.body, contentType, contentEncoding, rules, pseudonyms)
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
    maskSession(key, origin) {
      const mark = key.indexOf('=')
      if (origin === 'value' || mark < 0) return key === '' ? '' : pseudonyms.of(key)
      const name = key.slice(0, mark)
      return `${name}=${maskCredential(name, key.slice(mark + 1), pseudonyms)}`
    },
  }
}

/** Without the scheme, and with the user of basic credentials in clear: that is who the session is of. */
function maskCredential(name: string, value: string, pseudonyms: Pseudonyms): string {
  if (name.toLowerCase() !== 'authorization') return pseudonyms.maskValue(decodedCookie(unquoted(value)))
  const { scheme, rest } = splitCredentials(value)
  if (scheme.toLowerCase() !== 'basic') return pseudonyms.maskValue(rest)
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  return maskUserPassword(pair, pseudonyms) ?? pseudonyms.maskValue(rest)
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
