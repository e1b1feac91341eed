import { isAscii, isUtf8 } from 'node:buffer'
import type { PgFrame, PgMessage } from '../../../wire/postgres/framer.ts'
import { FRONTEND, parse, query, readParse, sync } from '../../../wire/postgres/frontend.ts'
import { unreadable } from './client-encoding.ts'
import { messageOf } from './local-portal.ts'
import { BACKSLASH, hasPlainTexts, textsOf } from './message-texts.ts'
import { learnEncoding, learnEscapes } from './our-query.ts'
import type { OverlayLink } from './overlay-link.ts'
import type { Refusal } from '../sql/rewriting.ts'
import { raise } from './raise.ts'
import type { ReplyKind } from './reply-queue.ts'
import { isProtocolFault } from './session-errors.ts'

/**
 * Gives a client's message to `take` with its text in UTF-8, which is what the session reads; where it cannot be read, the client gets an
 * error instead. Resolves when the message is dealt with; undefined: it is.
 */
export function takeReadable(
  link: OverlayLink,
  frame: PgFrame,
  take: (frame: PgFrame) => Promise<void> | undefined,
): Promise<void> | undefined {
  if (frame.piece !== undefined || hasPlainTexts(frame)) return take(frame)
  const texts = textsOf(frame)
  if (texts === undefined) return take(frame)
  const isText = frame.type === FRONTEND.query || frame.type === FRONTEND.parse
  if (!isText || !texts.includes(BACKSLASH)) return takeDecoded(link, frame, texts, take)
  if (link.knowsEncoding) return link.hasEscapes ? refuse(link, frame, ESCAPES) : takeDecoded(link, frame, texts, take)
  const kept = messageOf(Uint8Array.from(frame.bytes))
  return learnEscapes(link).then((hasEscapes) =>
    hasEscapes ? refuse(link, kept, ESCAPES) : takeDecoded(link, kept, textsOf(kept) ?? kept.payload, take),
  )
}

function takeDecoded(
  link: OverlayLink,
  frame: PgMessage,
  texts: Uint8Array,
  take: (frame: PgFrame) => Promise<void> | undefined,
): Promise<void> | undefined {
  const isText = frame.type === FRONTEND.query || frame.type === FRONTEND.parse
  if (isAscii(texts)) return take(frame)
  // A name is an identifier of its own, whatever its bytes mean, as long as different ones are read differently.
  if (!isText) return isUtf8(texts) ? take(frame) : refuse(link, frame)
  if (link.knowsEncoding) return takeOr(inUtf8(link, frame, texts), take)
  const kept = messageOf(Uint8Array.from(frame.bytes))
  return learnEncoding(link).then(() => takeOr(inUtf8(link, kept, textsOf(kept) ?? kept.payload), take))
}

/** What PostgreSQL takes for the end of a string, and for another statement, is then not what our parser takes for it. */
const ESCAPES: Refusal = {
  code: '0A000',
  message: 'a statement with a backslash cannot be read while standard_conforming_strings is off',
  hint: "SET standard_conforming_strings TO on, and write such strings as E'...'.",
}

/** The reply to each message that is read here. */
const REPLIES: Readonly<Record<number, ReplyKind>> = {
  [FRONTEND.query]: 'query',
  [FRONTEND.parse]: 'parse',
  [FRONTEND.bind]: 'bind',
  [FRONTEND.describe]: 'describe',
  [FRONTEND.execute]: 'execute',
  [FRONTEND.close]: 'close',
}

/**
 * A message that `thrown` says cannot be read goes to the overlay as it is, for PostgreSQL to refuse it in its own words (08P01): its
 * reader takes nothing that ours does not. False: it is none that is read.
 */
export function refuseUnread(link: OverlayLink, frame: PgFrame, thrown: unknown): boolean {
  const kind = REPLIES[frame.type]
  if (frame.piece !== undefined || kind === undefined || !isProtocolFault(thrown)) return false
  link.send(frame.bytes, { kind })
  return true
}

function takeOr(
  read: PgMessage | undefined,
  take: (frame: PgFrame) => Promise<void> | undefined,
): Promise<void> | undefined {
  return read === undefined ? undefined : take(read)
}

function inUtf8(link: OverlayLink, frame: PgMessage, texts: Uint8Array): PgMessage | undefined {
  const { encoding } = link
  if (encoding.isUtf8) {
    if (isUtf8(texts)) return frame
    // For PostgreSQL to refuse it (22021), which it does before it looks at the statement.
    link.send(frame.bytes, { kind: frame.type === FRONTEND.query ? 'query' : 'parse' })
    return undefined
  }
  const start = frame.type === FRONTEND.query ? 0 : texts.indexOf(0) + 1
  const text = encoding.decode(texts.subarray(start, -1))
  if (text === undefined || !isUtf8(texts.subarray(0, start))) return refuse(link, frame)
  return messageOf(frame.type === FRONTEND.query ? query(text) : parse({ ...readParse(frame.payload), text }))
}

function refuse(link: OverlayLink, frame: PgMessage, refusal: Refusal = unreadable(link.encoding)): undefined {
  if (link.skipping) return undefined
  raise(link, refusal)
  if (frame.type === FRONTEND.query) link.send(sync(), { kind: 'sync' })
  return undefined
}
