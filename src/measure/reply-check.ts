/** What of replies is compared with the recorded ones: their status, or their bodies too. */
export const CHECK_MODES = ['status'] as const
export type CheckMode = (typeof CHECK_MODES)[number]

/** Replies of one route that had another status than the recorded one. */
export interface StatusChange {
  readonly route: string
  readonly recorded: number
  readonly now: number
  readonly count: number
}

/** What comparing replies with the recorded ones found. Plain data, part of `run.json`. */
export interface ReplyCheck {
  readonly mode: CheckMode
  /** Replies of the run, and those of them whose recorded status is known. */
  readonly replies: number
  readonly comparable: number
  /** Those with another status than the recorded one, by route: the most frequent first, at most `MAX_CHECK_ROWS`. */
  readonly changed: number
  readonly changes: readonly StatusChange[]
  /** Replies that are `changed` and in no row. */
  readonly moreChanged: number
}

/** A report is for people: what is rarer is counted only. */
export const MAX_CHECK_ROWS = 200
