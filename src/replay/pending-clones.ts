/** Room to start with; it doubles as needed, up to what the jitter's look-ahead holds (see `MAX_LOOK_AHEAD_BYTES`). */
const FIRST_CAPACITY = 1_024

/**
 * Clones that wait for their time: a heap by time, equal times in the order of their arrival, so that the order within a session
 * stays as recorded. Columns instead of objects: there is one entry for every clone of every request within the jitter.
 */
export class PendingClones<Item> {
  #atNs = new Float64Array(FIRST_CAPACITY)
  #arrival = new Float64Array(FIRST_CAPACITY)
  #clone = new Uint16Array(FIRST_CAPACITY)
  #loop = new Float64Array(FIRST_CAPACITY)
  readonly #items: Item[] = []
  #arrived = 0

  get size(): number {
    return this.#items.length
  }

  /** When the first is due, Infinity where none waits. */
  get nextNs(): number {
    return this.#items.length === 0 ? Infinity : (this.#atNs[0] ?? Infinity)
  }

  /** Number of the first one's copy. */
  get nextClone(): number {
    return this.#clone[0] ?? 0
  }

  /** In which loop over its recording the first one is. */
  get nextLoop(): number {
    return this.#loop[0] ?? 0
  }

  push(atNs: number, clone: number, loop: number, item: Item): void {
    let slot = this.#items.length
    if (slot === this.#atNs.length) this.#grow()
    this.#items.push(item)
    const arrival = this.#arrived++
    while (slot > 0) {
      const parent = (slot - 1) >> 1
      // The newcomer is the last to arrive: it goes before those that are later only.
      if ((this.#atNs[parent] ?? 0) <= atNs) break
      this.#move(parent, slot)
      slot = parent
    }
    this.#put(slot, atNs, arrival, clone, loop, item)
  }

  /** Takes the first out; undefined where none waits. */
  pop(): Item | undefined {
    const first = this.#items[0]
    const last = this.#items.pop()
    const size = this.#items.length
    if (last === undefined || size === 0) return first
    const atNs = this.#atNs[size] ?? 0
    const arrival = this.#arrival[size] ?? 0
    let slot = 0
    for (;;) {
      let child = 2 * slot + 1
      if (child >= size) break
      if (child + 1 < size && this.#isBefore(child + 1, this.#atNs[child] ?? 0, this.#arrival[child] ?? 0)) child += 1
      if (!this.#isBefore(child, atNs, arrival)) break
      this.#move(child, slot)
      slot = child
    }
    this.#put(slot, atNs, arrival, this.#clone[size] ?? 0, this.#loop[size] ?? 0, last)
    return first
  }

  #isBefore(slot: number, atNs: number, arrival: number): boolean {
    const slotNs = this.#atNs[slot] ?? 0
    return slotNs < atNs || (slotNs === atNs && (this.#arrival[slot] ?? 0) < arrival)
  }

  #move(from: number, to: number): void {
    const item = this.#items[from]
    if (item === undefined) return
    this.#put(to, this.#atNs[from] ?? 0, this.#arrival[from] ?? 0, this.#clone[from] ?? 0, this.#loop[from] ?? 0, item)
  }

  #put(slot: number, atNs: number, arrival: number, clone: number, loop: number, item: Item): void {
    this.#atNs[slot] = atNs
    this.#arrival[slot] = arrival
    this.#clone[slot] = clone
    this.#loop[slot] = loop
    this.#items[slot] = item
  }

  #grow(): void {
    const capacity = this.#atNs.length * 2
    this.#atNs = grown(this.#atNs, new Float64Array(capacity))
    this.#arrival = grown(this.#arrival, new Float64Array(capacity))
    this.#loop = grown(this.#loop, new Float64Array(capacity))
    this.#clone = grown(this.#clone, new Uint16Array(capacity))
  }
}

function grown<Column extends Float64Array | Uint16Array>(from: Column, to: Column): Column {
  to.set(from)
  return to
}
