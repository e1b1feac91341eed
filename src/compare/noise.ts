/**
 * A field is noise where two replies to an equal request differ in it this often. A clock or a random id always does; what
 * somebody happened to change between the two does once.
 */
const NOISY_SHARE = 0.2

/** Bounds of what is remembered: a route with more fields that differ is noise altogether for a reader too. */
const MAX_ROUTES = 1_000
const MAX_FIELDS = 200

interface RouteNoise {
  pairs: number
  readonly differed: Map<string, number>
}

/**
 * What differs between replies that should be the same, by route: learnt from pairs of replies of one service to equal requests.
 * Such fields say nothing about another service.
 */
export class Noise {
  readonly #routes = new Map<string, RouteNoise>()

  /** Two replies to an equal request differed in these fields, or in none. */
  observe(route: string, fields: readonly string[]): void {
    let noise = this.#routes.get(route)
    if (noise === undefined) {
      if (this.#routes.size >= MAX_ROUTES) return
      noise = { pairs: 0, differed: new Map() }
      this.#routes.set(route, noise)
    }
    noise.pairs++
    for (const field of fields) {
      const count = noise.differed.get(field)
      if (count === undefined && noise.differed.size >= MAX_FIELDS) continue
      noise.differed.set(field, (count ?? 0) + 1)
    }
  }

  /** Pairs that were observed of this route. */
  pairs(route: string): number {
    return this.#routes.get(route)?.pairs ?? 0
  }

  /** Is this field, or one that it lies in, noise on this route? */
  includes(route: string, field: string): boolean {
    const noise = this.#routes.get(route)
    if (noise === undefined) return false
    const least = noise.pairs * NOISY_SHARE
    for (const name of withParents(field)) {
      const count = noise.differed.get(name)
      if (count !== undefined && count >= least) return true
    }
    return false
  }

  /** The noisy fields of all routes. */
  fields(): { readonly route: string; readonly field: string }[] {
    const found: { route: string; field: string }[] = []
    for (const [route, { differed }] of this.#routes) {
      for (const field of differed.keys()) if (this.includes(route, field)) found.push({ route, field })
    }
    return found
  }
}

/** `body.items[].price`, `body.items[]`, `body.items`, `body`. */
function withParents(field: string): string[] {
  const names = [field]
  for (let index = field.length - 1; index > 0; index--) {
    if (field[index] === '.' || field[index] === '[') names.push(field.slice(0, index))
  }
  return names
}
