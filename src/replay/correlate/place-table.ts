import type { RulePlace } from './rules.ts'

/** Places that are told apart, of all routes: JSON with ids as names has any number of them. */
const MAX_PLACES = 65_536

/** Ordinals of places by route. */
export class PlaceTable {
  readonly #places: RulePlace[] = []
  readonly #routes = new Map<string, Map<string, number>>()

  /** Undefined where there is no room for another. */
  of(route: string, place: string): number | undefined {
    const known = this.find(route, place)
    if (known !== undefined || this.#places.length >= MAX_PLACES) return known
    const ordinal = this.#places.length
    // Copies: both may be slices of a whole message.
    const own = { route, place: Buffer.from(place, 'utf16le').toString('utf16le') }
    this.#places.push(own)
    const places = this.#routes.get(route)
    if (places === undefined) this.#routes.set(route, new Map([[own.place, ordinal]]))
    else places.set(own.place, ordinal)
    return ordinal
  }

  find(route: string, place: string): number | undefined {
    return this.#routes.get(route)?.get(place)
  }

  at(ordinal: number): RulePlace | undefined {
    return this.#places[ordinal]
  }
}
