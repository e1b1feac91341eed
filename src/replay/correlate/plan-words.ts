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

/** Packs plans, one for each shot of a batch; undefined where none has one. */
export function packPlans(plans: readonly (ShotPlan | undefined)[]): BatchPlans | undefined {
  if (plans.every((plan) => plan === undefined)) return undefined
  const words: number[] = []
  const texts = new Map<string, number>()
  const offset = new Uint32Array(plans.length + 1)
  for (const [index, plan] of plans.entries()) {
    if (plan !== undefined) packPlan(plan, words, texts)
    offset[index + 1] = words.length
  }
  return { offset, words: Uint32Array.from(words), texts: [...texts.keys()] }
}

function packPlan(plan: ShotPlan, words: number[], texts: Map<string, number>): void {
  words.push(plan.ticket, plan.lengthStart, plan.lengthEnd, plan.bodyStart, plan.sources.length)
  for (const { slot, place } of plan.sources) {
    const known = texts.get(place)
    const text = known ?? texts.size
    if (known === undefined) texts.set(place, text)
    words.push(slot, text)
  }
  words.push(plan.waits.length, ...plan.waits, plan.sinks.length)
  for (const { slot, start, end, escape, required } of plan.sinks) {
    words.push(slot, start, end, ESCAPES.indexOf(escape) | (required ? REQUIRED : 0))
  }
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
