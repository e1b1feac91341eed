/** A least-recently-used map from texts to what was found out about them, bounded by bytes. */
export interface TextCacheLimits {
  /** All entries together, as their owner estimates them. */
  readonly maxBytes: number
  /** A bigger entry is not kept: one batch insert must not throw out a thousand statements. */
  readonly maxEntryBytes: number
}

export class TextCache<T> {
  readonly #limits: TextCacheLimits
  readonly #entries = new Map<string, { readonly value: T; readonly bytes: number }>()
  #bytes = 0

  constructor(limits: TextCacheLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(text: string): T | undefined {
    const entry = this.#entries.get(text)
    if (entry === undefined) return undefined
    this.#entries.delete(text)
    this.#entries.set(text, entry)
    return entry.value
  }

  set(text: string, value: T, bytes: number): void {
    const old = this.#entries.get(text)
    if (old !== undefined) {
      this.#entries.delete(text)
      this.#bytes -= old.bytes
    }
    if (bytes > this.#limits.maxEntryBytes) return
    this.#entries.set(text, { value, bytes })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#limits.maxBytes) break
      this.#entries.delete(oldest)
      this.#bytes -= entry.bytes
    }
  }
}
