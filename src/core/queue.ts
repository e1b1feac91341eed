/**
 * A queue between a producer that must not wait and a consumer that reads at its own pace. Bounded by weight: `offer`
 * says no when it is full, and the producer counts what it drops.
 */
export class BoundedQueue<Item> implements AsyncIterable<Item> {
  readonly #maxWeight: number
  readonly #weigh: (item: Item) => number
  #items: Item[] = []
  #weight = 0
  #ended = false
  #wake: (() => void) | undefined
  /** Producers that wait for room. */
  #waiting: (() => void)[] = []

  /** `maxWeight` in the units of `weigh`; by default every item weighs 1. */
  constructor(maxWeight: number, weigh: (item: Item) => number = () => 1) {
    this.#maxWeight = maxWeight
    this.#weigh = weigh
  }

  /** Takes the item, or returns false where it does not fit. An item heavier than the bound fits an empty queue. */
  offer(item: Item): boolean {
    const weight = this.#weigh(item)
    if (this.#ended || (this.#weight > 0 && this.#weight + weight > this.#maxWeight)) return false
    this.#items.push(item)
    this.#weight += weight
    this.#wake?.()
    return true
  }

  /** For producers that can wait: resolves when the item is in, or throws the signal's reason. */
  async put(item: Item, signal?: AbortSignal): Promise<void> {
    while (!this.offer(item)) {
      if (this.#ended) return
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  /** No more items come; what is queued is still delivered. */
  end(): void {
    this.#ended = true
    this.#wake?.()
    this.#wakeProducers()
  }

  get weight(): number {
    return this.#weight
  }

  #wakeProducers(): void {
    if (this.#waiting.length === 0) return
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Item> {
    for (;;) {
      const items = this.#items
      this.#items = []
      for (const item of items) {
        this.#weight -= this.#weigh(item)
        this.#wakeProducers()
        yield item
      }
      if (this.#items.length > 0) continue
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
