import type { NameMemo } from '../core/name-memo.ts'
import { MAX_WORD_CHARS } from './names.ts'

const COLON = 0x3a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const EQUALS = 0x3d
const AT = 0x40

/**
 * Could a JSON text have a field whose name is one of a secret? Never false where it has: what stands before each colon is judged,
 * as far back as a name tells, and a name with an escape may be anything. Nearly all bodies end here, so it reads their bytes
 * once and makes no text of them; a regular expression with all those words takes twice as long.
 */
export function mayNameSecretInJson(json: Uint8Array, secretNames: NameMemo<boolean>): boolean {
  const { length } = json
  for (let colon = 1; colon < length; colon++) {
    if (json[colon] !== COLON) continue
    let end = colon - 1
    while (end > 0 && isSpace(json[end])) end--
    if (json[end] !== QUOTE) continue
    const least = Math.max(0, end - MAX_WORD_CHARS)
    let start = end
    while (start > least && json[start - 1] !== QUOTE) {
      start--
      if (json[start] === BACKSLASH) return true
    }
    if (secretNames.of(json, start, end)) return true
  }
  return false
}

/** What ends the search back for a name in a target: `?`, `&`, `;`, `/` and `#`. */
const BEFORE_NAME = Array.from({ length: 256 }, (_, byte) => '?&;/#'.includes(String.fromCharCode(byte)))

/** What makes a name in a target another one when it is read: `%`, `+`, white space and what is not ASCII. */
const MAY_BE_ANYTHING = Array.from(
  { length: 256 },
  (_, byte) => byte <= 0x20 || byte >= 0x7f || byte === 0x25 || byte === 0x2b,
)

/**
 * Could the request target in the first `end` bytes of a head have a secret in it: a field that is named like one, or a user?
 * Never false where it has. A name ends before `=`, and none of the words has a separator in it.
 */
export function mayNameSecretInTarget(head: Uint8Array, end: number, secretNames: NameMemo<boolean>): boolean {
  for (let index = 0; index < end; index++) {
    const byte = head[index]
    if (byte === AT) return true
    if (byte !== EQUALS) continue
    const least = Math.max(0, index - MAX_WORD_CHARS)
    let start = index
    while (start > least) {
      const before = head[start - 1] ?? 0
      if (BEFORE_NAME[before] === true) break
      if (MAY_BE_ANYTHING[before] === true) return true
      start--
    }
    if (secretNames.of(head, start, index)) return true
  }
  return false
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}
