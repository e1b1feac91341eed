import { fixedConstants, type KeyLookup } from '../sql/key-lookup.ts'
import type { Template } from '../sql/template.ts'

/** Templates and lookups that are remembered together have at most this many characters. */
const MAX_CHARS = 4 * 1024 * 1024
/** A template of which so many texts were no lookup by key is not looked at again. */
const MAX_TRIES = 5

/** What is known of a template: where the values of its key stand. */
interface KnownTemplate {
  places: readonly number[] | undefined
  tries: number
}

/** Lookups by key, by the template of their text and what a session's names mean. Good until the schema changes. */
export class KnownLookups {
  readonly #templates = new Map<string, KnownTemplate>()
  readonly #lookups = new Map<string, KeyLookup>()
  #chars = 0

  /** `unknown`: it may be learnt what the text is. `none`: it was tried in vain. */
  find(scope: string, text: string, template: Template): KeyLookup | 'unknown' | 'none' {
    const key = scope + template.text
    const known = this.#templates.get(key)
    if (known === undefined) return 'unknown'
    const { places, tries } = known
    const found = places === undefined ? undefined : this.#lookups.get(key + fixedConstants(text, template, places))
    return found ?? (tries < MAX_TRIES ? 'unknown' : 'none')
  }

  /** `lookup`: what the text turned out to be, if anything. */
  learn(scope: string, text: string, template: Template, lookup: KeyLookup | undefined): void {
    const key = scope + template.text
    let known = this.#templates.get(key)
    if (known === undefined) {
      this.#grow(key.length)
      this.#templates.set(key, (known = { places: undefined, tries: 0 }))
    }
    if (lookup === undefined) {
      known.tries++
      return
    }
    known.places = lookup.places
    const whole = key + fixedConstants(text, template, lookup.places)
    this.#grow(whole.length + lookup.text.length)
    this.#lookups.set(whole, lookup)
  }

  #grow(chars: number): void {
    this.#chars += chars
    if (this.#chars <= MAX_CHARS) return
    this.#templates.clear()
    this.#lookups.clear()
    this.#chars = chars
  }
}
