/** A binary heap: the least item first, by `before`, which must be a strict order. */
export class Heap<Item> {
  readonly #before: (a: Item, b: Item) => boolean
  readonly #items: Item[] = []

  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** All items, the least first and the others in no order. Borrowed. */
  get items(): readonly Item[] {
    return this.#items
  }

  peek(): Item | undefined {
    return this.#items[0]
  }

  /** The least item but the first. */
  peekSecond(): Item | undefined {
    const [, left, right] = this.#items
    if (left === undefined || right === undefined) return left
    return this.#before(right, left) ? right : left
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#rise(this.#items.length - 1)
  }

  pop(): Item | undefined {
    const first = this.#items[0]
    const last = this.#items.pop()
    if (this.#items.length > 0 && last !== undefined) {
      this.#items[0] = last
      this.#sink(0)
    }
    return first
  }

  /** Takes an item out, wherever it is. */
  remove(item: Item): void {
    const index = this.#items.indexOf(item)
    const last = this.#items.pop()
    if (index < 0 || last === undefined || index >= this.#items.length) return
    this.#items[index] = last
    this.#sink(index)
    this.#rise(index)
  }

  /** To be called when the first item has become greater. */
  firstChanged(): void {
    this.#sink(0)
  }

  #rise(from: number): void {
    for (let index = from; index > 0;) {
      const parent = (index - 1) >> 1
      if (!this.#swapIfBefore(index, parent)) return
      index = parent
    }
  }

  #sink(from: number): void {
    const items = this.#items
    for (let index = from; ;) {
      const left = index * 2 + 1
      const right = left + 1
      const leftItem = items[left]
      const rightItem = items[right]
      if (leftItem === undefined) return
      const child = rightItem !== undefined && this.#before(rightItem, leftItem) ? right : left
      if (!this.#swapIfBefore(child, index)) return
      index = child
    }
  }

  /** Swaps a child with its parent where it must stand before it. */
  #swapIfBefore(child: number, parent: number): boolean {
    const items = this.#items
    const lower = items[child]
    const upper = items[parent]
    if (lower === undefined || upper === undefined || !this.#before(lower, upper)) return false
    items[parent] = lower
    items[child] = upper
    return true
  }
}
