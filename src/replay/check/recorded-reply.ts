import type { Message } from '../../core/exchange.ts'

/** A recorded reply that the target's replies to the same request are compared with: shared by the request's shots. */
export interface RecordedReply {
  /** A copy: recordings lend theirs. */
  readonly message: Message
  /** That the request was recorded with: a Location that names it means the service itself. */
  readonly authority: string
  readonly route: string
  /** Recorded values that the request itself has in its path, query or body, and is sent with others in their place. */
  readonly issued: ReadonlySet<string>
  /** Bytes. */
  readonly size: number
  /** Asked for each shot: the number under which its reply is to be handed over, 0 where it is not to be compared. */
  readonly take: () => number
}
