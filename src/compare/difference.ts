/**
 * How a field of two replies differs: `changed` another value, `type` another kind of value, `missing` staging has none, `added` only
 * staging has one, `length` a list of another length, `order` the same list in another order.
 */
export type DifferenceKind = 'changed' | 'type' | 'missing' | 'added' | 'length' | 'order'

/**
 * One field in which two replies to the same request differ. Fields are called `status`, `header.content-type`, `body`, and in JSON
 * `body.items[].price`: places in lists are folded.
 */
export interface Difference {
  readonly field: string
  readonly kind: DifferenceKind
  /** Both values, cut to `MAX_VALUE_CHARS`; '' where there is none. Not masked. */
  readonly production: string
  readonly staging: string
}

/** More of a value is not shown: it is a line of a report. */
export const MAX_VALUE_CHARS = 80

/** A value as a difference shows it: in one line, without what could move a cursor. */
export function shownValue(text: string): string {
  const cut = text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS - 3)}...` : text
  return cut.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
}
