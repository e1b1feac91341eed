/** Which way bytes travel on a connection: `request` from the client to the server, `response` back. */
export type Direction = 'request' | 'response'

/** One end of a connection. `address` is an IPv4 or IPv6 address or a host name, without brackets. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** How one direction of a connection ended; `cut` means that we stopped seeing it, not that it ended. */
export type CloseReason = 'fin' | 'rst' | 'cut'

/** A connection appears. Ordinals are given by the source, from 0, and never used again. */
export interface OpenSegment {
  readonly kind: 'open'
  readonly connection: number
  readonly atNs: number
  readonly client: Endpoint
  readonly server: Endpoint
  /** The source did not see its beginning: the first bytes may be the middle of a message. */
  readonly midStream: boolean
}

/** Bytes of one direction, in stream order. The receiver owns `bytes`. */
export interface DataSegment {
  readonly kind: 'data'
  readonly connection: number
  readonly direction: Direction
  readonly atNs: number
  readonly bytes: Uint8Array
  /**
   * How many bytes of the other direction the sender had received when it sent these: TCP's acknowledgement, or at a
   * relay the bytes passed on so far. It is what proves, after a gap, which request a response answers.
   */
  readonly acknowledged: number
}

/** Bytes that were on the wire and that we did not see. */
export interface GapSegment {
  readonly kind: 'gap'
  readonly connection: number
  readonly direction: Direction
  readonly atNs: number
  readonly length: number
  /** Why: `ring-full` and `kernel` are our own losses (`dropped`), `missing` was never captured (`gap`). */
  readonly reason: 'missing' | 'ring-full' | 'kernel' | 'limit'
}

/** One direction ends. A connection is over when both have. */
export interface CloseSegment {
  readonly kind: 'close'
  readonly connection: number
  readonly direction: Direction
  readonly atNs: number
  readonly how: CloseReason
}

/**
 * What a byte source yields: bytes of one direction of one connection, with the time of arrival in nanoseconds from
 * the source's origin. Per connection: one `open`, then data and gaps in stream order, then two closes.
 */
export type Segment = OpenSegment | DataSegment | GapSegment | CloseSegment

/** The other way. */
export function opposite(direction: Direction): Direction {
  return direction === 'request' ? 'response' : 'request'
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`
}
