/** Counters a page: one cache line, so that a row with few values costs little and a busy one stays fast. */
export const PAGE_SIZE = 16
const PAGE_BITS = 4
const PAGE_MASK = PAGE_SIZE - 1

/** Pages at the start; their memory doubles when it is used up. */
const FIRST_PAGES = 64

/** What was counted between two calls of `take`: page `keys[i]` holds `cells[i * PAGE_SIZE]` and the 15 after it. */
export interface PageCounts {
  /** `row * pagesPerRow + page`, in the order in which the pages were first touched. */
  readonly keys: Uint32Array<ArrayBuffer>
  readonly cells: Uint32Array<ArrayBuffer>
}

/**
 * Rows of counters that are mostly zero, in one block of memory that is handed over whole:
 *
 * ```
 * #pageOf   [row 0: 0 0 7 0 …] [row 1: 0 3 …]     offset of the page's first cell, 0 where it has none
 * #cells    [unused] [page] [page] [page] …       only pages that were touched since the last take
 * ```
 * `count` allocates nothing but more pages, and these at most once each in a steady state; `take` costs one copy of what was touched.
 */
export class CounterPages {
  readonly #pagesPerRow: number
  #pageOf: Uint32Array<ArrayBuffer>
  #keys = new Uint32Array(FIRST_PAGES)
  #cells = new Uint32Array((FIRST_PAGES + 1) * PAGE_SIZE)
  #pages = 0

  constructor(rows: number, countersPerRow: number) {
    this.#pagesPerRow = pagesPerRow(countersPerRow)
    this.#pageOf = new Uint32Array(rows * this.#pagesPerRow)
  }

  /** Makes room for more rows; what is counted stays. */
  growRows(rows: number): void {
    const wanted = rows * this.#pagesPerRow
    if (wanted <= this.#pageOf.length) return
    const larger = new Uint32Array(wanted)
    larger.set(this.#pageOf)
    this.#pageOf = larger
  }

  /** Adds 1 to a counter. `row` and `index` must be within bounds. */
  count(row: number, index: number): void {
    const key = row * this.#pagesPerRow + (index >>> PAGE_BITS)
    let cell = this.#pageOf[key] ?? 0
    if (cell === 0) cell = this.#openPage(key)
    cell += index & PAGE_MASK
    this.#cells[cell] = (this.#cells[cell] ?? 0) + 1
  }

  /** What was counted since the last call, and forgets it. The caller owns the memory. */
  take(): PageCounts {
    const keys = this.#keys.slice(0, this.#pages)
    const end = (this.#pages + 1) * PAGE_SIZE
    const cells = this.#cells.slice(PAGE_SIZE, end)
    this.#cells.fill(0, 0, end)
    for (const key of keys) this.#pageOf[key] = 0
    this.#pages = 0
    return { keys, cells }
  }

  #openPage(key: number): number {
    if (this.#pages === this.#keys.length) {
      const keys = new Uint32Array(this.#pages * 2)
      keys.set(this.#keys)
      this.#keys = keys
      const cells = new Uint32Array((this.#pages * 2 + 1) * PAGE_SIZE)
      cells.set(this.#cells)
      this.#cells = cells
    }
    this.#keys[this.#pages] = key
    this.#pages += 1
    const cell = this.#pages * PAGE_SIZE
    this.#pageOf[key] = cell
    return cell
  }
}

export function pagesPerRow(countersPerRow: number): number {
  return Math.ceil(countersPerRow / PAGE_SIZE)
}

/** Calls `visit` for every counter that is not zero. */
export function forEachCount(
  counts: PageCounts,
  countersPerRow: number,
  visit: (row: number, index: number, count: number) => void,
): void {
  const pages = pagesPerRow(countersPerRow)
  const { keys, cells } = counts
  for (let position = 0; position < keys.length; position++) {
    const key = keys[position] ?? 0
    const row = Math.floor(key / pages)
    const first = (key % pages) * PAGE_SIZE
    const cell = position * PAGE_SIZE
    for (let offset = 0; offset < PAGE_SIZE; offset++) {
      const count = cells[cell + offset] ?? 0
      if (count > 0) visit(row, first + offset, count)
    }
  }
}
