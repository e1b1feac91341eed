/**
 * One request that is to be sent: what, on whose behalf, and when. Plain data; the schedule makes shots, a sender fires them.
 */
export interface Shot {
  /** Nanoseconds from the run's origin at which it should leave. */
  readonly dueNs: number
  /** The connection it belongs to: recorded connection and clone, folded to an ordinal of the run. */
  readonly connection: number
  /** The session it belongs to, folded to an ordinal of the run. */
  readonly session: number
  /** Which copy of the session: 0 is the recorded one. */
  readonly clone: number
  /** Index into the run's list of routes. */
  readonly route: number
  /** The request's bytes, framed and ready for the wire. Borrowed: senders do not change them. */
  readonly bytes: Uint8Array
  /** The reply to a HEAD request has no body, whatever its headers say. */
  readonly headRequest: boolean
  /** No later shot of this connection comes: it may be closed after the reply. */
  readonly lastOnConnection: boolean
  /** The status that was recorded, 0 where none was. */
  readonly recordedStatus: number
  /** The exchange it was made of: which recording of the run, the exchange's id there (its lowest 32 bits), and nanoseconds from the recording's first request. */
  readonly recording: number
  readonly exchange: number
  readonly recordedAtNs: number
}
