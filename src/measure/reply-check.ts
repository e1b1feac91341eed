/** What of replies is compared with the recorded ones: their status, or their bodies too. */
export const CHECK_MODES = ['status', 'body'] as const
export type CheckMode = (typeof CHECK_MODES)[number]

/** Replies of one route that had another status than the recorded one. */
export interface StatusChange {
  readonly route: string
  readonly recorded: number
  readonly now: number
  readonly count: number
}

/** Replies of one route that differ from the recorded ones in one field. */
export interface FieldDifference {
  readonly route: string
  /** `status`, `header.content-type`, `header.location`, `body`, and in JSON `body.items[].price`. */
  readonly field: string
  /** How: see `DifferenceKind`; `missing` the target's has none, `added` only the target's has one. */
  readonly kind: string
  /** Replies, not places. */
  readonly count: number
  /** Masked; null where nothing can be shown. */
  readonly example: { readonly recorded: string; readonly now: string } | null
}

/** What comparing whole replies found. `compared = same + differing + noisy`. */
export interface BodyCheck {
  readonly compared: number
  readonly same: number
  /** Differ in a field that is neither noise nor ignored. */
  readonly differing: number
  /** Differ in noise alone. */
  readonly noisy: number
  /** Replies that were looked at and cannot be compared, by reason. */
  readonly notCompared: Readonly<Record<string, number>>
  /** The most frequent first, at most `MAX_CHECK_ROWS`. */
  readonly fields: readonly FieldDifference[]
  readonly moreFields: number
  /** Fields that were found to differ by themselves, at most `MAX_CHECK_ROWS`. */
  readonly noise: readonly { readonly route: string; readonly field: string }[]
  /** Routes of which replies were compared. */
  readonly routes: readonly { readonly route: string; readonly compared: number; readonly differing: number }[]
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
  /** Not there where only statuses were compared. */
  readonly bodies?: BodyCheck
}

/** A report is for people: what is rarer is counted only. */
export const MAX_CHECK_ROWS = 200
