import type { Originals } from './originals.ts'
import type { Endpoint } from './segment.ts'

/** The protocols that a recording can hold. */
export const PROTOCOL_NAMES = ['http1', 'http2', 'grpc', 'postgres', 'redis', 'mysql'] as const
export type ProtocolName = (typeof PROTOCOL_NAMES)[number]

/**
 * Why a message is not whole: `limit` its body is longer than `--max-body`, `gap` bytes of it were never seen,
 * `close` the connection ended inside it, `end` the capture did, `undecodable` its framing could not be trusted.
 */
export type CutReason = 'limit' | 'gap' | 'close' | 'end' | 'undecodable'

/**
 * One message of an exchange, in bytes.
 *
 * `head` is the start line and headers exactly as received (order, case and duplicates kept), up to and with the empty
 * line; masked values aside. `body` is transfer-decoded (no chunk framing) and still content-encoded. `trailers` are the
 * trailer lines of a chunked body, each with its CRLF, empty where there are none.
 */
export interface Message {
  readonly head: Uint8Array
  readonly body: Uint8Array
  readonly trailers: Uint8Array
  /** The body's true size in bytes, even where `body` holds less of it. */
  readonly bodySize: number
  readonly cut: CutReason | undefined
}

/** A response with the times of its first and last byte, in nanoseconds from the recording's origin. */
export interface Response extends Message {
  readonly firstNs: number
  readonly lastNs: number
}

/**
 * Why an exchange has no response: `late` it may follow as a late response, `gap` its bytes were lost, `close` the
 * connection ended first, `end` the capture did, `undecodable` it could not be read, `absent` the source records none.
 */
export type MissingResponse = 'late' | 'gap' | 'close' | 'end' | 'undecodable' | 'absent'

/**
 * A request and its response as they were seen on one host: the noun that recordings hold and replays send.
 * Times are nanoseconds from the origin of the recording (`RecordingInfo.originUnixNs`).
 */
export interface Exchange {
  /** Unique within the recording. */
  readonly id: number
  /** Ordinal of the connection within the recording, and the request's place in it, both from 0. */
  readonly connection: number
  readonly position: number
  /** Whose request it is: the (masked) session key, or '' where only the connection tells. */
  readonly session: string
  readonly protocol: ProtocolName
  /** The connection is TLS on the client's side. */
  readonly secure: boolean
  readonly client: Endpoint
  readonly server: Endpoint
  readonly request: Message
  readonly requestFirstNs: number
  readonly requestLastNs: number
  readonly response: Response | MissingResponse
  /** What masking took from it: secrets, for a writer that seals them. An exchange that was read never has it. */
  readonly originals?: Originals
}

/** A response that came after its exchange had to be written; joined to it by id. */
export interface LateResponse {
  readonly exchangeId: number
  readonly response: Response
  /** As of an exchange. */
  readonly originals?: Originals
}

/** True where the exchange has its response. */
export function hasResponse(exchange: Exchange): exchange is Exchange & { readonly response: Response } {
  return typeof exchange.response !== 'string'
}

/** Why this request must not be sent again, or undefined where it may: only whole requests are replayable. */
export function replayObstacle(exchange: Exchange): CutReason | undefined {
  return exchange.request.cut
}
