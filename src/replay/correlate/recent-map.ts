/**
 * A map of bounded size that keeps what was used last: when the newer half is full it becomes the older, and what was only in the
 * older half before is forgotten. So it holds at least half of `most` entries, and at most all.
 */
export class RecentMap<Key, Value> {
  readonly #half: number
  #recent = new Map<Key, Value>()
  #older = new Map<Key, Value>()

  constructor(most: number) {
    this.#half = Math.max(1, Math.floor(most / 2))
  }

  get size(): number {
    return this.#recent.size + this.#older.size
  }

  get(key: Key): Value | undefined {
    const recent = this.#recent.get(key)
    if (recent !== undefined) return recent
    const older = this.#older.get(key)
    if (older === undefined) return undefined
    this.#older.delete(key)
    this.#put(key, older)
    return older
  }

  set(key: Key, value: Value): void {
    this.#older.delete(key)
    this.#put(key, value)
  }

  #put(key: Key, value: Value): void {
    this.#recent.set(key, value)
    if (this.#recent.size < this.#half) return
    this.#older = this.#recent
    this.#recent = new Map()
  }
}
