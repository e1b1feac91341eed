/** Index of the first item whose place is at or behind an offset; the items are in order of their places. */
export function firstFrom<Item>(items: readonly Item[], offset: number, placeOf: (item: Item) => number): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const item = items[middle]
    if (item !== undefined && placeOf(item) < offset) low = middle + 1
    else high = middle
  }
  return low
}
