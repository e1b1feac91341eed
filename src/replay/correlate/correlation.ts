import type { BitList } from './bit-list.ts'
import type { AdoptedExchanges } from './keyless-session.ts'
import type { Rule } from './rules.ts'
import type { RuleIndex } from './rule-index.ts'

/** What was learnt of recordings, for their replay. */
export interface Correlation {
  /** The surest first. */
  readonly rules: readonly Rule[]
  readonly index: RuleIndex
  readonly parts: ReadonlyMap<object, LearntPart>
  /** Requests that need a value from a reply to a request which is held back. */
  readonly unsentSources: number
  /** Requests to be sent with a masked secret of the user's, such as a password, whose replies later requests depend on. */
  readonly maskedLogins: number
  /** Requests to be sent of sessions whose masked cookie or token no reply issued: they began before the recording. */
  readonly maskedStrangers: number
}

/** What was learnt of the exchanges of one part, counted as they are read. */
export interface LearntPart {
  /** Those whose replies later requests depend on. */
  readonly sources: BitList
  /** Those without a session's key that belong to a session. */
  readonly adopted: AdoptedExchanges
}
