import type { TextPlan } from './text-plan.ts'

/** Texts that are remembered together have at most this many characters: an application has some thousands of short ones. */
const MAX_CACHED_CHARS = 16 * 1024 * 1024

/** A longer text is a dump or a migration, and comes once: of these the last one is remembered, for it is looked up more than once on its way. */
const MAX_TEXT_CHARS = 64 * 1024

/** Plans by text, the least recently used one forgotten first. */
export class PlanCache {
  readonly #plans = new Map<string, TextPlan>()
  #chars = 0
  #long: { readonly key: string; readonly plan: TextPlan } | undefined

  get(key: string): TextPlan | undefined {
    if (key.length > MAX_TEXT_CHARS) return this.#long?.key === key ? this.#long.plan : undefined
    const plan = this.#plans.get(key)
    if (plan === undefined) return undefined
    this.#plans.delete(key)
    this.#plans.set(key, plan)
    return plan
  }

  keep(key: string, plan: TextPlan): void {
    if (key.length > MAX_TEXT_CHARS) this.#long = { key, plan }
    if (key.length > MAX_TEXT_CHARS || this.#plans.has(key)) return
    this.#plans.set(key, plan)
    this.#chars += key.length
    for (const oldest of this.#plans.keys()) {
      if (this.#chars <= MAX_CACHED_CHARS) break
      this.#plans.delete(oldest)
      this.#chars -= oldest.length
    }
  }

  clear(): void {
    this.#plans.clear()
    this.#long = undefined
    this.#chars = 0
  }
}
