import { ESCAPES } from './escape.ts'
import type { PlannedSink, PlannedSource, ShotPlan } from './shot-plan.ts'

/**
 * The plans of a batch's shots, as columns: they go to another thread with it. Shot i has
 * `words[offset[i]..offset[i + 1]]`, nothing where it has no plan.
 */
export interface BatchPlans {
  readonly offset: Uint32Array
  readonly words: Uint32Array
  /** Places in replies, by their index in `words`. */
  readonly texts: readonly string[]
}

const REQUIRED = 0x100

/** A plan that many shots share, in words; its places by their index in a list of its own. */
export interface PackedPlan {
  readonly words: Uint32Array
  /** Places in the reply, one for each of its sources. */
  readonly texts: readonly string[]
}

/** Where the sources' slots and places begin in a plan's words. */
const FIRST_SOURCE = 5

/** Packs a plan, once for all its shots. */
export function packPlan({ ticket, lengthStart, lengthEnd, bodyStart, sources, waits, sinks }: ShotPlan): PackedPlan {
  const words = [ticket, lengthStart, lengthEnd, bodyStart, sources.length]
  for (const [text, { slot }] of sources.entries()) words.push(slot, text)
  words.push(waits.length, ...waits, sinks.length)
  for (const { slot, start, end, escape, required } of sinks) {
    words.push(slot, start, end, ESCAPES.indexOf(escape) | (required ? REQUIRED : 0))
  }
  return { words: Uint32Array.from(words), texts: sources.map(({ place }) => place) }
}

/** The plans of the first `count` requests, as columns; undefined where none has one. */
export function joinPlans(
  requests: readonly { readonly plan: PackedPlan | undefined }[],
  count: number,
): BatchPlans | undefined {
  let size = 0
  for (let index = 0; index < count; index++) size += requests[index]?.plan?.words.length ?? 0
  if (size === 0) return undefined
  const words = new Uint32Array(size)
  const offset = new Uint32Array(count + 1)
  const texts = new Map<string, number>()
  let end = 0
  for (let index = 0; index < count; index++) {
    const plan = requests[index]?.plan
    if (plan !== undefined) {
      words.set(plan.words, end)
      let at = end + FIRST_SOURCE
      for (const text of plan.texts) {
        const known = texts.get(text)
        if (known === undefined) texts.set(text, texts.size)
        words[at + 1] = known ?? texts.size - 1
        at += 2
      }
      end += plan.words.length
    }
    offset[index + 1] = end
  }
  return { offset, words, texts: [...texts.keys()] }
}

/** The plan of one shot; undefined where it has none. */
export function readPlan({ offset, words, texts }: BatchPlans, index: number): ShotPlan | undefined {
  let at = offset[index] ?? 0
  if (at === offset[index + 1]) return undefined
  const next = (): number => words[at++] ?? 0
  const [ticket, lengthStart, lengthEnd, bodyStart] = [next(), next(), next(), next()]
  const sources: PlannedSource[] = []
  for (let left = next(); left > 0; left--) sources.push({ slot: next(), place: texts[next()] ?? '' })
  const waits: number[] = []
  for (let left = next(); left > 0; left--) waits.push(next())
  const sinks: PlannedSink[] = []
  for (let left = next(); left > 0; left--) {
    const [slot, start, end, how] = [next(), next(), next(), next()]
    sinks.push({ slot, start, end, escape: ESCAPES[how & 0xff] ?? 'header', required: (how & REQUIRED) !== 0 })
  }
  return { ticket, sources, waits, sinks, lengthStart, lengthEnd, bodyStart }
}
