/** Paths that are remembered by name; further ones are remembered by their first segment. */
const MAX_PATHS = 20_000

/** Deeper paths share the fate of their first segments. */
const MAX_SEGMENTS = 16

/** Two writes closer than this are one time of writing. */
const SAME_TIME_NS = 2e9

interface Span {
  fromNs: number
  toNs: number
}

/**
 * When which paths were written, for a base that moves: production executes the very writes that are mirrored, so staging's reply
 * to a read may show another moment than production's did. A write of `/carts/7/items` touches that path, everything below it, and
 * the paths above it but `/`. Times are nanoseconds of the exchanges' clock.
 */
export class MovedBase {
  readonly #written = new Map<string, Span>()
  readonly #above = new Map<string, Span>()

  /** A write was under way from `fromNs` to `toNs`; `Infinity` where its effect stays apart from production's from then on. */
  write(path: string, fromNs: number, toNs: number): void {
    const names = prefixes(path)
    const full = this.#written.size >= MAX_PATHS || this.#above.size >= MAX_PATHS
    const [first] = names
    const last = full ? first : names.at(-1)
    if (last === undefined) return
    extend(this.#written, last, fromNs, toNs)
    if (!full) for (const name of names.slice(0, -1)) extend(this.#above, name, fromNs, toNs)
  }

  /** Was what lies at this path written at a time that touches the span from `fromNs` to `toNs`? */
  moved(path: string, fromNs: number, toNs: number): boolean {
    const names = prefixes(path)
    const last = names.at(-1)
    if (last !== undefined && touches(this.#above.get(last), fromNs, toNs)) return true
    return names.some((name) => touches(this.#written.get(name), fromNs, toNs))
  }
}

/** `/carts`, `/carts/7`, `/carts/7/items`; `/` alone for the root. */
function prefixes(path: string): string[] {
  const segments = path.split('/').filter((segment) => segment !== '')
  const names: string[] = []
  let name = ''
  for (const segment of segments.slice(0, MAX_SEGMENTS)) {
    name += `/${segment}`
    names.push(name)
  }
  return names.length === 0 ? ['/'] : names
}

function extend(spans: Map<string, Span>, name: string, fromNs: number, toNs: number): void {
  const span = spans.get(name)
  if (span === undefined) spans.set(name, { fromNs, toNs })
  else if (fromNs <= span.toNs + SAME_TIME_NS) {
    span.fromNs = Math.min(span.fromNs, fromNs)
    span.toNs = Math.max(span.toNs, toNs)
  } else {
    span.fromNs = fromNs
    span.toNs = toNs
  }
}

function touches(span: Span | undefined, fromNs: number, toNs: number): boolean {
  return span !== undefined && span.fromNs <= toNs && span.toNs >= fromNs
}
