import type { LedgerFate } from '../core/ledger.ts'

/** What was decided about an exchange: it is in the recording, or it was left out with a fate and a reason of the ledger. */
export interface Verdict {
  readonly recorded: boolean
  /** The fate of both its messages where it was left out. */
  readonly fate: Exclude<LedgerFate, 'pending' | 'framing' | 'whole' | 'cut'>
  readonly reason: string
}

/** In the recording; each message is `whole` or `cut` for itself. */
export const RECORDED: Verdict = { recorded: true, fate: 'dropped', reason: '' }

export const REPLAYED: Verdict = leftOut('filtered', 'replayed')
export const NOT_MATCHED: Verdict = leftOut('filtered', 'match')
/** It came after the last exchange that was asked for (`--limit`). */
export const BEYOND_LIMIT: Verdict = leftOut('filtered', 'limit')
export const NOT_SAMPLED: Verdict = leftOut('sampled', 'session')
/** The disk is slower than the traffic and the source cannot wait. */
export const WRITER_BEHIND: Verdict = leftOut('dropped', 'writer-behind')
/** Matching or masking threw: better lost than unmasked. */
export const STAGE_FAILED: Verdict = leftOut('dropped', 'stage-failed')
/** What is held of unfinished exchanges reached its bound. */
export const HELD_LIMIT: Verdict = leftOut('dropped', 'held-limit')
/** Responses whose requests we have not: lost in a gap, sent before the capture began, or not readable. */
export const REQUEST_LOST: Verdict = leftOut('gap', 'request-lost')
export const REQUEST_BEFORE_CAPTURE: Verdict = leftOut('midStream', 'request-before-capture')
export const REQUEST_UNDECODABLE: Verdict = leftOut('undecodable', 'request-undecodable')

function leftOut(fate: Verdict['fate'], reason: string): Verdict {
  return { recorded: false, fate, reason }
}
