/** What can stand in a `Chain`: it bears the link itself, so that queueing allocates nothing. */
export interface Link<Item> {
  next: Item | undefined
}

/** A first-in, first-out queue through its items' own `next`. An item stands in one chain at a time. */
export class Chain<Item extends Link<Item>> {
  #first: Item | undefined
  #last: Item | undefined

  get first(): Item | undefined {
    return this.#first
  }

  push(item: Item): void {
    item.next = undefined
    if (this.#last === undefined) this.#first = item
    else this.#last.next = item
    this.#last = item
  }

  shift(): Item | undefined {
    const item = this.#first
    if (item === undefined) return undefined
    this.#first = item.next
    if (this.#first === undefined) this.#last = undefined
    item.next = undefined
    return item
  }
}
