import type { BitList } from './bit-list.ts'
import type { Rule } from './rules.ts'
import type { RuleIndex } from './rule-index.ts'

/** What was learnt of recordings, for their replay. */
export interface Correlation {
  /** The surest first. */
  readonly rules: readonly Rule[]
  readonly index: RuleIndex
  /** By part: the exchanges, counted as they are read, whose replies later requests depend on. */
  readonly sources: ReadonlyMap<object, BitList>
  /** Requests that need a value from a reply to a request which is held back. */
  readonly unsentSources: number
}
