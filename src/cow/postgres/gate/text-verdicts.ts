/** Verdicts on texts that were seen before, bounded by the size of the texts; the oldest half goes where they grow beyond. */
export class TextVerdicts<Verdict> {
  readonly #maxBytes: number
  readonly #judge: (text: string) => Verdict
  #recent = new Map<string, { readonly verdict: Verdict }>()
  #older = new Map<string, { readonly verdict: Verdict }>()
  #recentBytes = 0

  constructor(maxBytes: number, judge: (text: string) => Verdict) {
    this.#maxBytes = maxBytes
    this.#judge = judge
  }

  of(text: string): Verdict {
    const recent = this.#recent.get(text)
    if (recent !== undefined) return recent.verdict
    const entry = this.#older.get(text) ?? { verdict: this.#judge(text) }
    this.#recentBytes += 2 * text.length + ENTRY_BYTES
    if (this.#recentBytes > this.#maxBytes / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#recentBytes = 2 * text.length + ENTRY_BYTES
    }
    this.#recent.set(text, entry)
    return entry.verdict
  }

  clear(): void {
    this.#recent.clear()
    this.#older.clear()
    this.#recentBytes = 0
  }
}

/** Of a map's entry and a small verdict. */
const ENTRY_BYTES = 128
