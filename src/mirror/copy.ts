import type { Exchange } from '../core/exchange.ts'

/** A request as it is sent to staging. */
export interface CopyRequest {
  readonly method: string
  /** The request target: path and query, or `*`. */
  readonly target: string
  /** Names and values in turn, in order: Host, framing and marks among them. */
  readonly fields: readonly string[]
  readonly body: Uint8Array
  /** Trailers in pairs; only of a body that `fields` announces as chunked. */
  readonly trailers: readonly [name: string, value: string][]
}

/** A request of production that is to be sent to staging once. */
export interface Copy {
  /** Counts up in the order in which production's exchanges came. */
  readonly ordinal: number
  readonly request: CopyRequest
  /** Copies of one lane (a connection of production) are sent one after the other. */
  readonly lane: number
  /** Whose request it is; never ''. */
  readonly session: string
  /** When it was taken, by the monotonic clock. */
  readonly takenNs: number
  /** What it is charged with while it waits and flies. */
  readonly heldBytes: number
  /** What its reply is compared with; undefined where nothing is compared. */
  readonly original: Original | undefined
}

/** What production did with the request. */
export interface Original {
  readonly exchange: Exchange
  readonly route: string
  /** The path without its query. */
  readonly path: string
  /** The request's method may change data. */
  readonly write: boolean
}
