/** What production's planner answered: the EXPLAIN's messages from RowDescription to the last row, and how many rows. */
export interface Explanation {
  readonly bytes: Uint8Array
  readonly rows: number
}

export interface ExplainCacheOptions {
  /** How long an estimate serves. Plans follow statistics, which change by the minute at most. Default 60,000. */
  readonly maxAgeMs?: number
  /** Default 4 MiB: some thousand plans. */
  readonly maxBytes?: number
}

/**
 * Cost estimates that production gave before, by the text asked for. postgres_fdw asks for one for each path it considers, a round
 * trip each; a stale one makes a plan slower, never wrong. A text that differs in a compared value only (`= 17`) shares one.
 */
export class ExplainCache {
  readonly #maxAgeMs: number
  readonly #maxBytes: number
  readonly #entries = new Map<string, { readonly explanation: Explanation; readonly untilMs: number }>()
  #bytes = 0
  hits = 0
  misses = 0

  constructor(options: ExplainCacheOptions = {}) {
    this.#maxAgeMs = options.maxAgeMs ?? 60_000
    this.#maxBytes = options.maxBytes ?? 4 * 1024 * 1024
  }

  get(text: string, nowMs: number): Explanation | undefined {
    const key = explainKey(text)
    const entry = this.#entries.get(key)
    if (entry !== undefined && entry.untilMs > nowMs) {
      this.hits++
      return entry.explanation
    }
    if (entry !== undefined) this.#delete(key)
    this.misses++
    return undefined
  }

  set(text: string, explanation: Explanation, nowMs: number): void {
    const key = explainKey(text)
    this.#delete(key)
    this.#entries.set(key, { explanation, untilMs: nowMs + this.#maxAgeMs })
    this.#bytes += sizeOf(key, explanation)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= sizeOf(key, entry.explanation)
  }
}

/**
 * Only a value behind `=` is left out: an equality is estimated by distinct values, whereas a bound of a range, or a LIMIT, may be
 * the difference between all rows and none.
 */
function explainKey(text: string): string {
  return text.replaceAll(EQUALS_VALUE, '= ?')
}

const EQUALS_VALUE = /(?<=[\w")] )= (?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?\b)/g

function sizeOf(key: string, explanation: Explanation): number {
  return 2 * key.length + explanation.bytes.length + 64
}
