import type { Rule } from './rules.ts'
import type { WantedPlaces } from './sent-values.ts'
import { headerShapes } from './sent-values.ts'
import { FIRST_SLOT } from './shot-plan.ts'

/** Rules by route and place, for whoever has to find them for each request. */
export class RuleIndex {
  /** `route place` of a source to the ordinals of it: its own and that of any route. */
  readonly #sources = new Map<string, Map<string, number>>()
  /** `route`, then `place` of a sink to the ordinals of its sources. */
  readonly #sinks = new Map<string, Map<string, number[]>>()
  readonly #cookies = new Map<string, number>()
  readonly #bodyRoutes = new Set<string>()
  /** By route: as many as there are routes. */
  readonly #wanted = new Map<string, WantedPlaces>()

  constructor(rules: readonly Pick<Rule, 'source' | 'sink'>[]) {
    let next = 0
    for (const { source, sink } of rules) {
      const places = entry(this.#sources, source.route, () => new Map<string, number>())
      const ordinal = entry(places, source.place, () => next++)
      entry(
        entry(this.#sinks, sink.route, () => new Map<string, number[]>()),
        sink.place,
        () => [],
      ).push(ordinal)
      if (/^(?:json|html) /.test(source.place)) this.#bodyRoutes.add(source.route)
      const isCookie = source.place.startsWith('cookie ') && source.place === sink.place
      const name = source.place.slice('cookie '.length)
      if (isCookie && this.#cookies.size + 1 < FIRST_SLOT) entry(this.#cookies, name, () => this.#cookies.size + 1)
    }
  }

  get isEmpty(): boolean {
    return this.#sinks.size === 0
  }

  /** Whether replies to any request may set a cookie that is sent back. */
  get hasCookies(): boolean {
    return this.#cookies.size > 0
  }

  /** Where requests of a route may have a value that was issued. */
  wantedOf(route: string): WantedPlaces {
    const known = this.#wanted.get(route)
    if (known !== undefined) return known
    const own = [...(this.#sinks.get(route)?.keys() ?? [])]
    const any = this.#sinks.get('*')
    const places = [...own, ...(any?.keys() ?? [])]
    const [headers, cookies] = [namesOf(places, 'header '), namesOf(places, 'cookie ')]
    const wanted: WantedPlaces = {
      path: places.some((place) => place.startsWith('path ')),
      query: places.some((place) => place.startsWith('query ')),
      body: places.some((place) => /^(?:form|json) /.test(place)),
      shapes: headerShapes(['content-type', 'content-encoding', 'cookie', ...headers]),
      header: (name) => headers.has(name),
      cookie: (name) => cookies.has(name),
    }
    this.#wanted.set(route, wanted)
    return wanted
  }

  /** The slot of a cookie that replies set and requests send back. */
  cookieSlot(name: string): number | undefined {
    return this.#cookies.get(name)
  }

  /** The ordinals of a source; undefined where no rule has it. A cookie is one wherever it is set. */
  sourceOf(route: string, place: string): readonly number[] | undefined {
    const own = this.#sources.get(route)?.get(place)
    const any = this.#sources.get('*')?.get(place)
    if (own === undefined) return any === undefined ? this.#cookieSource(place) : [any]
    return any === undefined ? [own] : [own, any]
  }

  /** The sources that may have issued what stands at a place of a request. */
  sourcesOf(route: string, place: string): readonly number[] {
    const own = this.#sinks.get(route)?.get(place)
    const any = this.#sinks.get('*')?.get(place)
    if (own === undefined) return any ?? NONE
    return any === undefined ? own : [...own, ...any]
  }

  /** Whether bodies of this route's replies issue anything. */
  readsBody(route: string): boolean {
    return this.#bodyRoutes.has(route) || this.#bodyRoutes.has('*')
  }

  #cookieSource(place: string): readonly number[] | undefined {
    return place.startsWith('cookie ') && this.#cookies.has(place.slice('cookie '.length)) ? NONE : undefined
  }
}

function namesOf(places: readonly string[], kind: string): ReadonlySet<string> {
  return new Set(places.filter((place) => place.startsWith(kind)).map((place) => place.slice(kind.length)))
}

const NONE: readonly number[] = []

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
