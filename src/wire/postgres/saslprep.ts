/**
 * A password as SCRAM hashes it (SASLprep, RFC 4013): blanks of other scripts become spaces, soft hyphens and the like
 * vanish, the rest is composed (NFKC). A text that SASLprep forbids is taken as it is, as PostgreSQL does.
 */
export function preparePassword(password: string): string {
  // ASCII is as it should be, but for control characters, which SASLprep forbids: as it is, either way.
  if (/^[\0-\x7f]*$/.test(password)) return password
  const prepared = password.replaceAll(OTHER_SPACE, ' ').replaceAll(MAPPED_TO_NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) || badlyMixed(prepared) ? password : prepared
}

/** RFC 3454 C.1.2. */
const OTHER_SPACE = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/gu

/** RFC 3454 B.1. */
const MAPPED_TO_NOTHING = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/gu

/** RFC 4013 2.3, and 2.5: code points that Unicode has not assigned. */
const PROHIBITED =
  /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u0340\u0341\u06DD\u070F\u180E\u200E\u200F\u2028-\u202E\u2061-\u206F\u2FF0-\u2FFB\uFFF9-\uFFFD\u{1D173}-\u{1D17A}\u{E0001}\u{E0020}-\u{E007F}]/u

const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
const STARTS_AND_ENDS_RIGHT_TO_LEFT = new RegExp(`^${RIGHT_TO_LEFT.source}(.*${RIGHT_TO_LEFT.source})?$`, 'su')
const LEFT_TO_RIGHT = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hangul}]/u

/** RFC 3454 6: text from right to left has no letters of the other direction, and such letters at both ends. */
function badlyMixed(text: string): boolean {
  if (!RIGHT_TO_LEFT.test(text)) return false
  return LEFT_TO_RIGHT.test(text) || !STARTS_AND_ENDS_RIGHT_TO_LEFT.test(text)
}
