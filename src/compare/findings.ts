import type { Difference, DifferenceKind } from './difference.ts'
import type { Noise } from './noise.ts'

/** Sets of fields that are told apart; replies beyond count as diverging in `(more)`. */
const MAX_SHAPES = 4_096

/** Fields of routes of which an example is kept: some hundred bytes each. */
const MAX_EXAMPLES = 2_000

/** What stands for fields beyond the bound. */
const MORE = '(more)'

/** One example of a difference, masked. */
export interface Example {
  readonly production: string
  readonly staging: string
}

/** The replies of one route that diverge in one field. */
export interface FindingGroup {
  readonly route: string
  readonly field: string
  readonly kind: DifferenceKind
  /** Replies, not places. */
  readonly count: number
  readonly example: Example | undefined
}

/** What differs, in numbers. */
export interface FindingsReport {
  /** Replies that differ in a field that is no noise. */
  readonly diverging: number
  /** Replies that differ in noise alone. */
  readonly noisy: number
  /** The diverging ones by route. */
  readonly byRoute: ReadonlyMap<string, number>
  /** The most frequent first. */
  readonly groups: readonly FindingGroup[]
}

interface Shape {
  readonly route: string
  readonly fields: readonly string[]
  count: number
}

/**
 * Replies that differ, by route and by the set of fields. What is noise may become known later than the difference, so the two
 * are only put together when somebody asks.
 */
export class Findings {
  readonly #shapes = new Map<string, Shape>()
  readonly #examples = new Map<string, { kind: DifferenceKind; example: Example | undefined }>()

  /** A reply differs. `exampleOf` is asked once a field of a route for its values without secrets. */
  add(route: string, differences: readonly Difference[], exampleOf: (field: string) => Example | undefined): void {
    const fields = differences.map(({ field }) => field).sort()
    const key = `${route}\n${fields.join('\n')}`
    const shape = this.#shapes.get(key)
    if (shape !== undefined) shape.count++
    else if (this.#shapes.size < MAX_SHAPES) this.#shapes.set(key, { route, fields, count: 1 })
    else this.#addMore()
    for (const { field, kind } of differences) {
      const name = `${route}\n${field}`
      if (this.#examples.has(name) || this.#examples.size >= MAX_EXAMPLES) continue
      this.#examples.set(name, { kind, example: exampleOf(field) })
    }
  }

  report(noise: Pick<Noise, 'includes'>): FindingsReport {
    const byRoute = new Map<string, number>()
    const groups = new Map<string, { route: string; field: string; count: number }>()
    let [diverging, noisy] = [0, 0]
    for (const { route, fields, count } of this.#shapes.values()) {
      const real = fields.filter((field) => !noise.includes(route, field))
      if (real.length === 0) noisy += count
      else {
        diverging += count
        byRoute.set(route, (byRoute.get(route) ?? 0) + count)
      }
      for (const field of real) {
        const key = `${route}\n${field}`
        const group = groups.get(key) ?? { route, field, count: 0 }
        group.count += count
        groups.set(key, group)
      }
    }
    const sorted = [...groups].sort(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1))
    return {
      diverging,
      noisy,
      byRoute,
      groups: sorted.map(([key, group]) => {
        const { kind, example } = this.#examples.get(key) ?? { kind: 'changed', example: undefined }
        return { ...group, kind, example }
      }),
    }
  }

  #addMore(): void {
    const more = this.#shapes.get(MORE) ?? { route: MORE, fields: [MORE], count: 0 }
    more.count++
    this.#shapes.set(MORE, more)
  }
}
