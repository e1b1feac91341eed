import { asBuffer, equalBytes, utf8 } from '../core/bytes.ts'
import { decodeContent } from '../core/content-coding.ts'
import type { Message } from '../core/exchange.ts'
import type { Head } from '../core/head.ts'
import { headerValue, parseHead, statusCode } from '../core/head.ts'
import type { Difference } from './difference.ts'
import { shownValue } from './difference.ts'
import type { JsonValue, SameValue } from './json-difference.ts'
import { jsonDifferences } from './json-difference.ts'

/** A reply, and the authority (`host[:port]`) that its request was sent to: a Location that names it means the service itself. */
export interface Reply {
  readonly message: Message
  readonly authority: string
}

/**
 * Why two replies cannot be compared: `cut` a body is not all there, `not-modified` one of them is 304, which says nothing of the
 * content, `coding` a content coding that we do not read.
 */
export type NotComparable = 'cut' | 'not-modified' | 'coding'

/** The fields in which two replies differ, none where they are the same; or why that cannot be told. */
export type Comparison = { readonly differences: readonly Difference[] } | { readonly notComparable: NotComparable }

/** A body that inflates to more is not compared. */
const MAX_DECODED_BYTES = 16 * 1024 * 1024

const NOT_MODIFIED = 304

/** Shown of a text before the first character that differs. */
const CONTEXT_CHARS = 20

const SAME: Comparison = { differences: [] }

/**
 * Compares two replies to one request: status, Content-Type, Location and body, JSON by its structure. Where the status differs
 * nothing else is looked at: an error has another body by nature. `same`: JSON values that count as the same though they differ.
 */
export function compareReplies(production: Reply, staging: Reply, same?: SameValue): Comparison {
  const [ours, theirs] = [parseHead(production.message.head), parseHead(staging.message.head)]
  const [status, otherStatus] = [statusCode(ours), statusCode(theirs)]
  if (status !== otherStatus) {
    if (status === NOT_MODIFIED || otherStatus === NOT_MODIFIED) return { notComparable: 'not-modified' }
    return {
      differences: [{ field: 'status', kind: 'changed', production: String(status), staging: String(otherStatus) }],
    }
  }
  if (production.message.cut !== undefined || staging.message.cut !== undefined) return { notComparable: 'cut' }
  const headers = headerDifferences(ours, theirs, production.authority, staging.authority)
  const bodies = bodyDifferences(production.message, ours, staging.message, theirs, same)
  if (bodies === undefined) return { notComparable: 'coding' }
  if (headers.length === 0 && bodies.length === 0) return SAME
  return { differences: [...headers, ...bodies] }
}

function headerDifferences(ours: Head, theirs: Head, authority: string, otherAuthority: string): Difference[] {
  const found: Difference[] = []
  const compare = (name: string, production: string | undefined, staging: string | undefined): void => {
    if (production === staging) return
    const kind = staging === undefined ? 'missing' : production === undefined ? 'added' : 'changed'
    const values = { production: shownValue(production ?? ''), staging: shownValue(staging ?? '') }
    found.push({ field: `header.${name}`, kind, ...values })
  }
  compare('content-type', mediaType(ours), mediaType(theirs))
  compare('location', location(ours, authority), location(theirs, otherAuthority))
  return found
}

/** Without blanks and case, which mean nothing there (RFC 9110 8.3.1). */
function mediaType(head: Head): string | undefined {
  return headerValue(head, 'content-type')?.replaceAll(/[\s"]/g, '').toLowerCase()
}

/** Without the authority where that is the service's own. */
function location(head: Head, authority: string): string | undefined {
  const value = headerValue(head, 'location')
  if (value === undefined || !URL.canParse(value)) return value
  const url = new URL(value)
  const own = `${url.protocol}//${authority}`
  return URL.canParse(own) && new URL(own).host === url.host ? `${url.pathname}${url.search}${url.hash}` : value
}

function bodyDifferences(
  ours: Message,
  ourHead: Head,
  theirs: Message,
  theirHead: Head,
  same: SameValue | undefined,
): Difference[] | undefined {
  if (equalBytes(ours.body, theirs.body)) return []
  const [production, staging] = [plainBody(ours, ourHead), plainBody(theirs, theirHead)]
  if (production === undefined || staging === undefined) return undefined
  if (equalBytes(production, staging)) return []
  if (mayBeJson(production) && mayBeJson(staging)) {
    const [left, right] = [parseJson(production), parseJson(staging)]
    if (left !== undefined && right !== undefined) return jsonDifferences(left, right, 'body', same)
  }
  return [textDifference(production, staging)]
}

function plainBody(message: Message, head: Head): Uint8Array | undefined {
  return decodeContent(message.body, headerValue(head, 'content-encoding') ?? '', MAX_DECODED_BYTES)
}

/** Begins with a bracket, a quote or what else a JSON text begins with. */
function mayBeJson(body: Uint8Array): boolean {
  return /^\s*[[{"\-\dtfn]/.test(asBuffer(body).toString('latin1', 0, 64))
}

function parseJson(body: Uint8Array): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(utf8(body))
    return value
  } catch {
    return undefined
  }
}

/** What stands around the first byte that differs. */
function textDifference(production: Uint8Array, staging: Uint8Array): Difference {
  const end = Math.min(production.length, staging.length)
  let at = 0
  while (at < end && production[at] === staging[at]) at++
  const from = Math.max(0, at - CONTEXT_CHARS)
  const part = (body: Uint8Array): string => shownValue(utf8(body.subarray(from, from + 4 * CONTEXT_CHARS)))
  return { field: 'body', kind: 'changed', production: part(production), staging: part(staging) }
}
