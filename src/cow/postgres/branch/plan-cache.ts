import type { TextPlan } from './text-plan.ts'

/** Texts that are remembered together have at most this many characters: an application has some thousands of short ones. */
const MAX_CACHED_CHARS = 16 * 1024 * 1024

/** A longer text is a dump or a migration, and comes once: of these the last one is remembered, for it is looked up more than once on its way. */
const MAX_TEXT_CHARS = 64 * 1024

/** By scope, then by text: a text's hash is computed once, that of the two put together for each look. */
type Plans = Map<string, Map<string, TextPlan>>

/** Plans by what names mean (the scope) and text. What was not asked for in a while is forgotten: a hit writes nothing. */
export class PlanCache {
  #recent: Plans = new Map()
  #older: Plans = new Map()
  #recentChars = 0
  #long: { readonly scope: string; readonly text: string; readonly plan: TextPlan } | undefined

  get(scope: string, text: string): TextPlan | undefined {
    if (text.length > MAX_TEXT_CHARS) {
      return this.#long?.text === text && this.#long.scope === scope ? this.#long.plan : undefined
    }
    const recent = this.#recent.get(scope)?.get(text)
    if (recent !== undefined) return recent
    const older = this.#older.get(scope)?.get(text)
    if (older !== undefined) this.#add(scope, text, older)
    return older
  }

  keep(scope: string, text: string, plan: TextPlan): void {
    if (text.length > MAX_TEXT_CHARS) this.#long = { scope, text, plan }
    else if (this.#recent.get(scope)?.has(text) !== true) this.#add(scope, text, plan)
  }

  clear(): void {
    this.#recent.clear()
    this.#older.clear()
    this.#long = undefined
    this.#recentChars = 0
  }

  #add(scope: string, text: string, plan: TextPlan): void {
    const chars = scope.length + text.length
    if (this.#recentChars + chars > MAX_CACHED_CHARS / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#recentChars = 0
    }
    this.#recentChars += chars
    let plans = this.#recent.get(scope)
    if (plans === undefined) this.#recent.set(scope, (plans = new Map()))
    plans.set(text, plan)
  }
}
