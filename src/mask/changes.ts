import { asBuffer, utf8Bytes } from '../core/bytes.ts'
import { endOfLine } from '../core/head.ts'
import type { Change } from '../core/originals.ts'
import { PSEUDONYM_CHARS, PSEUDONYM_PREFIX, isPseudonym } from './pseudonym.ts'

/** A replaced text may begin this far before its pseudonym: a quote around what was a number, an escaped space behind a scheme. */
const NEAR_BYTES = 8

/** What follows a pseudonym is looked for in the original by this much of it, or up to the next pseudonym. */
const ANCHOR_BYTES = 24

/** Changes of one part of a message; what is behind them is one more. Readers refuse originals of more parts than can come of this. */
const MAX_CHANGES = 65_536

const PREFIX = utf8Bytes(PSEUDONYM_PREFIX)

/** Bytes from one end to the other. */
interface Stretch {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** Where original and masked text run alike again. */
interface Meeting {
  readonly original: number
  readonly masked: number
}

/**
 * What has to change in a masked head (or trailers) to have it as it was received. A change never spans lines, so that equal cookies give
 * equal originals in all requests that bear them.
 */
export function lineChanges(original: Uint8Array, masked: Uint8Array): readonly Change[] {
  const changes: Change[] = []
  const [received, written] = [asBuffer(original), asBuffer(masked)]
  let from = 0
  let into = 0
  for (;;) {
    const same = commonLength(received, from, received.length, written, into, written.length)
    from += same
    into += same
    if (from === received.length && into === written.length) return changes
    const isFull = changes.length >= MAX_CHANGES
    const fromEnd = isFull ? received.length : endOfLine(received, from)
    const intoEnd = isFull ? written.length : endOfLine(written, into)
    const line = { bytes: received, start: from, end: fromEnd }
    addChanges(changes, line, { bytes: written, start: into, end: intoEnd })
    from = fromEnd
    into = intoEnd
  }
}

/** The same of a body. One in a content coding is one change: its coded bytes have little in common. */
export function bodyChanges(original: Uint8Array, masked: Uint8Array): readonly Change[] {
  const changes: Change[] = []
  const received = { bytes: asBuffer(original), start: 0, end: original.length }
  addChanges(changes, received, { bytes: asBuffer(masked), start: 0, end: masked.length })
  return changes
}

/**
 * Walks both while they are equal. Where they part, a pseudonym tells how much of the masked text is to be replaced, and what
 * follows it where the original goes on; without that, all of the rest is one change, less what both end with. Whatever
 * is found, the changes make the original of the masked text: a wrong meeting makes them longer, not wrong.
 */
function addChanges(changes: Change[], original: Stretch, masked: Stretch): void {
  const [received, written] = [original.bytes, masked.bytes]
  let from = original.start
  let into = masked.start
  for (;;) {
    const same = commonLength(received, from, original.end, written, into, masked.end)
    from += same
    into += same
    if (from === original.end && into === masked.end) return
    const isFull = changes.length >= MAX_CHANGES
    const meeting = isFull ? undefined : meetingAfter(original, from, masked, into)
    if (meeting === undefined) {
      const shared = commonEnd(received, from, original.end, written, into, masked.end)
      const value = received.subarray(from, original.end - shared)
      changes.push({ start: into, end: masked.end - shared, original: value })
      return
    }
    changes.push({ start: into, end: meeting.masked, original: received.subarray(from, meeting.original) })
    from = meeting.original
    into = meeting.masked
  }
}

/** `from` and `into` are where they part. */
function meetingAfter(original: Stretch, from: number, masked: Stretch, into: number): Meeting | undefined {
  const end = endOfPseudonym(masked, into)
  if (end === undefined) return undefined
  // A closing quote behind it may be the mask's own.
  for (let next = end; next <= Math.min(end + 1, masked.end); next++) {
    const anchorEnd = endOfAnchor(masked, next)
    if (anchorEnd > next) {
      const found = placeOf(masked.bytes, next, anchorEnd, original, from)
      if (found !== undefined) return { original: found, masked: next }
    } else if (next === masked.end) return { original: original.end, masked: next }
  }
  return undefined
}

/**
 * Behind the pseudonym that the masked text has at this place, soon after it, or around it, where the original happens to begin like
 * a pseudonym; undefined where there is none. It is always behind the place.
 */
function endOfPseudonym({ bytes, end }: Stretch, place: number): number | undefined {
  const last = Math.min(end - PSEUDONYM_CHARS, place + NEAR_BYTES)
  for (let at = Math.max(0, place - PSEUDONYM_CHARS + 1); at <= last; at++) {
    if (isPseudonymAt(bytes, at)) return at + PSEUDONYM_CHARS
  }
  return undefined
}

function isPseudonymAt(bytes: Buffer, at: number): boolean {
  for (let index = 0; index < PREFIX.length; index++) if (bytes[at + index] !== PREFIX[index]) return false
  return isPseudonym(bytes.toString('latin1', at, at + PSEUDONYM_CHARS))
}

/** Up to the next pseudonym. */
function endOfAnchor({ bytes, end }: Stretch, from: number): number {
  const most = Math.min(end, from + ANCHOR_BYTES)
  for (let at = from; at < most; at++) if (isPseudonymAt(bytes, at)) return at
  return most
}

/** The first place in the original, from `start` on, of the bytes from `from` to `to`. By hand: views of buffers cost more than values are long. */
function placeOf(bytes: Buffer, from: number, to: number, original: Stretch, start: number): number | undefined {
  const last = original.end - (to - from)
  for (let at = start; at <= last; at++) {
    let count = 0
    while (from + count < to && original.bytes[at + count] === bytes[from + count]) count++
    if (from + count === to) return at
  }
  return undefined
}

function commonLength(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): number {
  const most = Math.min(aEnd - aStart, bEnd - bStart)
  let count = 0
  while (count < most && a[aStart + count] === b[bStart + count]) count++
  return count
}

function commonEnd(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): number {
  const most = Math.min(aEnd - aStart, bEnd - bStart)
  let count = 0
  while (count < most && a[aEnd - 1 - count] === b[bEnd - 1 - count]) count++
  return count
}
