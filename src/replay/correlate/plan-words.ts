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

/** Whether a shot has a plan. */
export function hasPlan({ offset }: BatchPlans, index: number): boolean {
  return offset[index] !== offset[index + 1]
}

/** The plan of one shot, the caller's own; undefined where it has none. */
export function readPlan(plans: BatchPlans, index: number): ShotPlan | undefined {
  return new PlanReader().read(plans, index)
}

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] }

/** Longer lists are made for each plan: few requests have more values that are replaced. */
const MAX_KEPT_LENGTH = 16

/** Most plans take nothing from the reply: they share the list of nothing. */
const NO_SOURCES: readonly PlannedSource[] = []

/** Reads plans one after the other, each into the memory of the last: sending a shot is to leave nothing behind that has to be collected. */
export class PlanReader {
  /** By their length. */
  readonly #waits: number[][] = []
  readonly #sinks: Writable<PlannedSink>[][] = []
  readonly #plan: Writable<ShotPlan> = {
    ticket: 0,
    sources: NO_SOURCES,
    waits: [],
    sinks: [],
    lengthStart: 0,
    lengthEnd: 0,
    bodyStart: 0,
  }

  /** The plan of one shot, lent until the next is read, but for its sources; undefined where it has none. */
  read({ offset, words, texts }: BatchPlans, index: number): ShotPlan | undefined {
    let at = offset[index] ?? 0
    if (at === offset[index + 1]) return undefined
    const plan = this.#plan
    plan.ticket = words[at] ?? 0
    plan.lengthStart = words[at + 1] ?? 0
    plan.lengthEnd = words[at + 2] ?? 0
    plan.bodyStart = words[at + 3] ?? 0
    const sourceCount = words[at + 4] ?? 0
    at += FIRST_SOURCE
    plan.sources = sourceCount === 0 ? NO_SOURCES : readSources(words, at, sourceCount, texts)
    at += 2 * sourceCount
    const waits = listOf(this.#waits, words[at++] ?? 0, noTicket)
    for (let entry = 0; entry < waits.length; entry++) waits[entry] = words[at++] ?? 0
    plan.waits = waits
    const sinks = listOf(this.#sinks, words[at++] ?? 0, emptySink)
    for (const sink of sinks) {
      const how = words[at + 3] ?? 0
      sink.slot = words[at] ?? 0
      sink.start = words[at + 1] ?? 0
      sink.end = words[at + 2] ?? 0
      sink.escape = ESCAPES[how & 0xff] ?? 'header'
      sink.required = (how & REQUIRED) !== 0
      at += 4
    }
    plan.sinks = sinks
    return plan
  }
}

function readSources(
  words: Uint32Array,
  from: number,
  count: number,
  texts: readonly string[],
): readonly PlannedSource[] {
  const sources: PlannedSource[] = []
  for (let at = from; at < from + 2 * count; at += 2) {
    sources.push({ slot: words[at] ?? 0, place: texts[words[at + 1] ?? 0] ?? '' })
  }
  return sources
}

/** The list of this length, made where there is none yet. */
function listOf<Entry>(lists: Entry[][], length: number, make: () => Entry): Entry[] {
  const known = lists[length]
  if (known !== undefined) return known
  const list = Array.from({ length }, make)
  if (length <= MAX_KEPT_LENGTH) lists[length] = list
  return list
}

function noTicket(): number {
  return 0
}

function emptySink(): Writable<PlannedSink> {
  return { slot: 0, start: 0, end: 0, escape: 'header', required: false }
}
