import type { Rule } from '../correlate/rules.ts'

/** Fields whose values are the target's own to issue: what correlation takes from replies. They differ by nature. */
export class IssuingFields {
  readonly #fields = new Map<string, Set<string>>()
  readonly #pages = new Set<string>()

  constructor(rules: readonly Pick<Rule, 'source'>[]) {
    for (const { source } of rules) {
      const [, kind, rest = ''] = /^(\S+) (.*)$/.exec(source.place) ?? []
      if (kind === 'html') this.#pages.add(source.route)
      const field = kind === 'json' ? `body${rest}` : kind === 'location' ? 'header.location' : undefined
      if (field === undefined) continue
      const known = this.#fields.get(source.route)
      if (known === undefined) this.#fields.set(source.route, new Set([field]))
      else known.add(field)
    }
  }

  includes(route: string, field: string): boolean {
    return this.#fields.get(route)?.has(field) === true || this.#fields.get('*')?.has(field) === true
  }

  /** Pages of this route have values in them that the target issues. */
  isPage(route: string): boolean {
    return this.#pages.has(route) || this.#pages.has('*')
  }
}
