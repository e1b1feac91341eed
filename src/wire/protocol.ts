import type { ProtocolName } from '../core/exchange.ts'
import type { CloseReason, Direction } from '../core/segment.ts'

/**
 * What a decoder makes of a connection's bytes. `start` and `end` are offsets in the stream of the event's direction (`end`
 * is the first byte after); `bytes` are borrowed: valid until the next call of the decoder, copied by whoever keeps them.
 * Events account for every byte: a byte of the stream is in exactly one of head, body, trailers, framing, opaque or
 * undecodable, or was reported to `gap`.
 */
export type DecodeEvent =
  | HeadEvent
  | BodyEvent
  | TrailersEvent
  | FramingEvent
  | EndEvent
  | LostEvent
  | OpaqueEvent
  | UndecodableEvent

/** The head of a message. `message` numbers the connection's requests from 0; a response bears its request's number. */
export interface HeadEvent {
  readonly kind: 'head'
  readonly direction: Direction
  readonly message: number
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
  /** A 1xx response: the final one is still to come, with a head of its own. */
  readonly interim: boolean
}

/** A piece of a body, transfer-decoded. */
export interface BodyEvent {
  readonly kind: 'body'
  readonly direction: Direction
  readonly message: number
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** The trailer lines of a chunked body, each with its CRLF, without the empty line. */
export interface TrailersEvent {
  readonly kind: 'trailers'
  readonly direction: Direction
  readonly message: number
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** Bytes that carry no content: chunk sizes and their CRLFs, the empty line after trailers, empty lines between messages. */
export interface FramingEvent {
  readonly kind: 'framing'
  readonly direction: Direction
  readonly start: number
  readonly end: number
}

/** A message is over: `whole`, or `cut` by a gap in it or by the end of its connection. */
export interface EndEvent {
  readonly kind: 'end'
  readonly direction: Direction
  readonly message: number
  readonly end: number
  readonly how: 'whole' | 'gap' | 'close'
}

/**
 * Bytes that were seen and that belong to no message we can name: the tail of a message whose beginning was lost
 * (`gap`), or the stream before its first provable message (`midStream`).
 */
export interface LostEvent {
  readonly kind: 'lost'
  readonly direction: Direction
  readonly start: number
  readonly end: number
  readonly why: 'gap' | 'midStream'
}

/** Why bytes are not of a protocol that this decoder reads. */
export const OPAQUE_REASONS = ['tls', 'http2', 'upgrade', 'connect', 'not-http'] as const
export type OpaqueReason = (typeof OPAQUE_REASONS)[number]

/** From here on (until the connection's end) the bytes of this direction are another protocol's. One event a push. */
export interface OpaqueEvent {
  readonly kind: 'opaque'
  readonly direction: Direction
  readonly start: number
  readonly end: number
  readonly reason: OpaqueReason
}

/**
 * From here on the framing of this direction cannot be trusted. The first event names the message that broke, where one had
 * begun, and the reason (`two-lengths`, `length-and-chunked`, `bad-chunk-size`, `head-too-large`, …); later ones only account for bytes.
 */
export interface UndecodableEvent {
  readonly kind: 'undecodable'
  readonly direction: Direction
  readonly message: number | undefined
  readonly start: number
  readonly end: number
  readonly reason: string
  readonly first: boolean
}

/** Bounds of what a decoder holds of one connection. */
export interface DecodeLimits {
  /** A longer head is undecodable. Default 256 KiB: eight times what common servers take. */
  readonly maxHeadBytes: number
  /** More header lines are undecodable. Default 2,000. */
  readonly maxHeaderLines: number
  /** More unanswered requests are undecodable: a client that pipelines without end would hold a list without end. Default 10,000. */
  readonly maxUnanswered: number
}

export const DEFAULT_DECODE_LIMITS: DecodeLimits = {
  maxHeadBytes: 256 * 1024,
  maxHeaderLines: 2_000,
  maxUnanswered: 10_000,
}

/**
 * Reads both directions of one connection. HTTP/1 needs both: a reply's framing depends on its request (HEAD, CONNECT). No
 * socket, clock or log; any split of the bytes gives the same messages. It never throws on input.
 */
export interface ConnectionDecoder {
  /**
   * Bytes of one direction, at `offset` in its stream, in stream order. `acknowledged`: how many bytes of the other direction the sender
   * had received when it sent these (see `DataSegment`). `bytes` may be borrowed by the events until the next call.
   */
  push(direction: Direction, bytes: Uint8Array, offset: number, acknowledged: number): readonly DecodeEvent[]
  /** `length` bytes of one direction were lost here. */
  gap(direction: Direction, length: number): readonly DecodeEvent[]
  end(direction: Direction, how: CloseReason): readonly DecodeEvent[]
  /** Bytes of memory that it holds now, for the bound in total. */
  readonly heldBytes: number
}

/** A protocol that connections may speak. */
export interface Protocol {
  readonly name: ProtocolName
  /** Are these the first bytes of a client of this protocol? undefined: too few to tell. */
  detect(head: Uint8Array): boolean | undefined
  /** `midStream`: the connection's beginning was not seen, the first bytes may be the middle of a message. */
  createDecoder(limits: DecodeLimits, midStream: boolean): ConnectionDecoder
}
