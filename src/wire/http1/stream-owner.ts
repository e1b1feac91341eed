import type { OpaqueReason } from '../protocol.ts'
import type { BodyFraming } from './framing.ts'
import type { HeadReader } from './head-reader.ts'

/** Where a head begins, and what is known of that place. */
export interface HeadPlace {
  /** Offset of its first byte in its stream. */
  readonly start: number
  /** How many bytes of the other direction its sender had received when it sent that byte. */
  readonly acknowledged: number
  /** It was found after a loss: nothing is known of what came between. */
  readonly resynced: boolean
  /** It has waited as long as it may. */
  readonly final: boolean
}

/** A head is that of a message. */
export interface MessageVerdict {
  readonly kind: 'message'
  readonly message: number
  readonly interim: boolean
  readonly framing: BodyFraming
  /** The other end may refuse the body, and then it may never come (RFC 9110 10.1.1). */
  readonly refusable: boolean
}

/** What is to be done with a head, and with all that follows it. */
export type Verdict =
  | MessageVerdict
  /** It cannot be judged before more of the other direction is known. */
  | { readonly kind: 'wait' }
  /** It belongs to no message that can be named; `forever`: nor will anything after it. */
  | { readonly kind: 'lost'; readonly forever: boolean }
  | { readonly kind: 'undecodable'; readonly message: number | undefined; readonly reason: string }
  | { readonly kind: 'opaque'; readonly reason: OpaqueReason }

export const WAIT: Verdict = { kind: 'wait' }
export const LOST: Verdict = { kind: 'lost', forever: false }
export const LOST_FOREVER: Verdict = { kind: 'lost', forever: true }

/** How a stream goes on after a message, or after a pause: `block` until the other direction has decided. */
export type Continuation =
  | 'next'
  | 'block'
  | 'resync'
  | 'lost'
  | { readonly opaque: OpaqueReason }
  | { readonly undecodable: string }

/**
 * Who knows what the messages of one direction mean. A `StreamReader` cuts the stream into heads and bodies and asks its owner
 * what each of them is.
 */
export interface StreamOwner {
  /** The stream's first bytes: whether they are HTTP/1 at all. `wait`: too few to tell, never if they are `final`. */
  judgeFirst(bytes: Uint8Array, final: boolean): 'wait' | 'next' | 'resync' | { readonly opaque: OpaqueReason }
  /** A whole head. */
  judgeHead(head: HeadReader, place: HeadPlace): Verdict
  /** A head that is none; `bytes` begin where it does. Never after a loss: there it is no head. */
  judgeFault(head: HeadReader, bytes: Uint8Array, final: boolean): Verdict
  /** As much of a head as came before a gap or the end of the stream; `bytes` are that much. */
  judgeCut(head: HeadReader, place: HeadPlace, bytes: Uint8Array, how: 'gap' | 'close'): Verdict
  /** A body that may be refused: had its sender seen the refusal when it sent the byte about which `acknowledged` speaks? */
  sawRefusal(message: number, acknowledged: number): boolean
  /** Did the other end begin another answer before it had received the byte at `offset`? */
  answeredBefore(offset: number): boolean
  messageEnded(message: number, offset: number): Continuation
  /** A blocked stream asks again. */
  unblock(): Continuation
  /** Whole messages may be lost in a gap. */
  messagesLost(from: number, to: number): 'resync' | 'lost'
  /** Nothing more will be named in this stream: it ended, or its framing broke. */
  streamOver(why: 'ended' | 'undecodable'): void
}
