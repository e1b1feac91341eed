/** Text is changed by splices at known places, never written anew from a tree. */
import { characterAt, offsetOfCharacter } from './offsets.ts'
import type { TextRange } from './mention.ts'
import { firstFrom } from './ordered.ts'

/** What stands from `start` to `end` of the client's text becomes `text`. */
export interface Splice extends TextRange {
  readonly text: string
}

/** A part of the client's text with the splices inside it made, which are in order of their places and may not overlap. */
export function spliced(text: string, range: TextRange, splices: readonly Splice[]): string {
  const pieces: string[] = []
  let copied = range.start
  for (const splice of within(range, splices)) {
    pieces.push(text.slice(copied, splice.start), splice.text)
    copied = splice.end
  }
  pieces.push(text.slice(copied, range.end))
  return pieces.join('')
}

function within(range: TextRange, splices: readonly Splice[]): readonly Splice[] {
  const inside: Splice[] = []
  for (let index = firstFrom(splices, range.start, startOf); index < splices.length; index++) {
    const splice = splices[index]
    if (splice === undefined || splice.start > range.end) break
    if (splice.end <= range.end) inside.push(splice)
  }
  return inside
}

/** Puts one in its place, behind others there. */
export function addSplice(splices: Splice[], splice: Splice): void {
  splices.splice(firstFrom(splices, splice.start + 1, startOf), 0, splice)
}

/** One stands there already. */
export function hasSplice(splices: readonly Splice[], offset: number): boolean {
  return splices[firstFrom(splices, offset, startOf)]?.start === offset
}

function startOf({ start }: Splice): number {
  return start
}

/**
 * Maps positions of the spliced text to the client's whole text, both in characters from 1. A position inside what was
 * spliced in maps to where that stands.
 */
export function positionMap(text: string, range: TextRange, splices: readonly Splice[]): (position: number) => number {
  const ordered = within(range, splices)
  return (position) => {
    const changed = spliced(text, range, ordered)
    let left = offsetOfCharacter(changed, position)
    let at = range.start
    for (const splice of ordered) {
      const kept = splice.start - at
      if (left < kept) break
      left -= kept
      at = splice.start
      if (left < splice.text.length) return characterAt(text, splice.start)
      left -= splice.text.length
      at = splice.end
    }
    return characterAt(text, at + left)
  }
}

/** An identifier, always quoted: no list of keywords to keep. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}
