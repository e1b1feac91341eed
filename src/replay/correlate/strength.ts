/**
 * How unlikely it is that a value is in two messages by chance: `strong` values are long and random enough that one meeting is
 * proof; `weak` ones (short numbers, words, dates) prove something only where they meet again and again; `none` is not looked at.
 */
export type Strength = 'none' | 'weak' | 'strong'

const LITERALS: ReadonlySet<string> = new Set(['true', 'false', 'null', 'undefined', 'none', 'on', 'off', 'yes', 'no'])

/** Longer values are no tokens that a client sends back in one place; a JSON Web Token has 1 to 2 KB. */
const MAX_VALUE_CHARS = 4_096
const LEAST_MIXED_CHARS = 8
const LEAST_DIGITS = 15
const LEAST_LETTERS = 16
/** Letters that are no words change case about every second time. */
const LEAST_CASE_CHANGES = 5

export function strengthOf(value: string): Strength {
  const { length } = value
  if (length === 0 || length > MAX_VALUE_CHARS || LITERALS.has(value) || value === '0') return 'none'
  let [digits, letters, changes, others] = [0, 0, 0, 0]
  let before = 0
  for (let index = 0; index < length; index++) {
    const code = value.charCodeAt(index)
    const kind = kindOf(code)
    if (kind === DIGIT) digits += 1
    else if (kind === OTHER) others += 1
    else {
      letters += 1
      if (before !== 0 && before !== kind) changes += 1
      before = kind
    }
    if (code <= 0x20) return 'weak'
  }
  if (letters === 0) return digits >= LEAST_DIGITS ? 'strong' : 'weak'
  if (digits >= 2) return length >= LEAST_MIXED_CHARS ? 'strong' : 'weak'
  return length - others >= LEAST_LETTERS && changes >= LEAST_CASE_CHANGES ? 'strong' : 'weak'
}

const OTHER = 0
const DIGIT = 1
const LOWER = 2
const UPPER = 3

function kindOf(code: number): typeof OTHER | typeof DIGIT | typeof LOWER | typeof UPPER {
  if (code >= 0x30 && code <= 0x39) return DIGIT
  if (code >= 0x61 && code <= 0x7a) return LOWER
  return code >= 0x41 && code <= 0x5a ? UPPER : OTHER
}
