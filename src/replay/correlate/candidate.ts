import type { Confidence } from './rules.ts'
import type { Strength } from './strength.ts'

/** Distinct values and sessions that are told apart. */
const MAX_VALUES = 8
const MAX_SESSIONS = 1_000

/** What a pair of weak values needs to be believed. */
const LEAST_SESSIONS = 3
const LEAST_VALUES = 3
const LEAST_SHARE = 0.9

/** A pair of places whose values were equal at least once, and the evidence for and against it. */
export class Candidate {
  readonly source: number
  readonly sink: number
  /** The places belong together by their meaning. */
  readonly known: boolean
  hits = 0
  misses = 0
  strongHits = 0
  #sessions = new Set<number>()
  readonly #values = new Set<number>()

  constructor(source: number, sink: number, known: boolean) {
    this.source = source
    this.sink = sink
    this.known = known
  }

  get sessions(): number {
    return this.#sessions.size
  }

  get values(): number {
    return this.#values.size
  }

  hit(session: number, valueHash: number, strength: Strength): void {
    this.hits += 1
    if (strength === 'strong') this.strongHits += 1
    if (this.#sessions.size < MAX_SESSIONS) this.#sessions.add(session)
    if (this.#values.size < MAX_VALUES) this.#values.add(valueHash)
  }

  /** Undefined: it may well be chance. */
  get confidence(): Confidence | undefined {
    if (this.known) return 'certain'
    if (this.strongHits > 0) return this.sessions > 1 && this.values > 1 ? 'certain' : 'likely'
    const share = this.hits / (this.hits + this.misses)
    return this.sessions >= LEAST_SESSIONS && this.values >= LEAST_VALUES && share >= LEAST_SHARE
      ? 'repeated'
      : undefined
  }
}

/** Pairs that mean the same by themselves: a cookie and its name, a validator and its condition (RFC 9110 13.1). */
export function isKnownPair(source: string, sink: string): boolean {
  if (source.startsWith('cookie ')) return source === sink
  if (source === 'header etag') return sink === 'header if-match' || sink === 'header if-none-match'
  return source === 'header last-modified' && /^header if-(?:un)?modified-since$/.test(sink)
}
