import type { PgMessage } from '../../../wire/postgres/framer.ts'
import { FRONTEND } from '../../../wire/postgres/frontend.ts'

/** How many strings a client's message begins with, behind so many other bytes of its payload. */
interface Strings {
  readonly skipped: number
  readonly count: number
}

const STRINGS: Readonly<Record<number, Strings | undefined>> = {
  [FRONTEND.query]: { skipped: 0, count: 1 },
  [FRONTEND.parse]: { skipped: 0, count: 2 },
  [FRONTEND.bind]: { skipped: 0, count: 2 },
  [FRONTEND.describe]: { skipped: 1, count: 1 },
  [FRONTEND.execute]: { skipped: 0, count: 1 },
  [FRONTEND.close]: { skipped: 1, count: 1 },
}

/** What is longer is searched by the runtime. */
const MAX_PLAIN_BYTES = 512

/** What it means depends on a setting of the client's. */
export const BACKSLASH = 0x5c

/**
 * True: all of a message's strings are ASCII without a backslash, which everybody reads alike, or it has none, or too few of them.
 * False says nothing: they are long, or have to be looked at.
 */
export function hasPlainTexts({ type, payload }: PgMessage): boolean {
  const strings = STRINGS[type]
  if (strings === undefined) return true
  const end = Math.min(payload.length, MAX_PLAIN_BYTES)
  let { count } = strings
  for (let at = strings.skipped; at < end; at++) {
    const byte = payload[at] ?? 0
    if (byte >= 0x80 || byte === BACKSLASH) return false
    if (byte === 0 && --count === 0) return true
  }
  return end === payload.length
}

/** A message's strings with the zero bytes between them, borrowed; undefined where it has none, or too few. */
export function textsOf({ type, payload }: PgMessage): Uint8Array | undefined {
  const strings = STRINGS[type]
  if (strings === undefined) return undefined
  let end = strings.skipped
  for (let place = 0; place < strings.count; place++) {
    const zero = payload.indexOf(0, end)
    if (zero === -1) return undefined
    end = zero + 1
  }
  return payload.subarray(strings.skipped, end)
}
