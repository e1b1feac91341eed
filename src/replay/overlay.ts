/**
 * A piece of a timeline: one part of one recording, in one of its loops. `open` is called when the overlay comes to `startNs`, so
 * that only those are open that play now.
 */
export interface Track<Item> {
  /** No item of it is earlier. */
  readonly startNs: number
  /** Added to the times of its items. */
  readonly shiftNs: number
  /** Ordinal of its recording. */
  readonly recording: number
  /** How often its recording has started over. */
  readonly loop: number
  /** Items in order of time, in blocks. */
  open(): AsyncIterable<readonly Item[]>
}

/** A track that is playing, and its next item. */
class Cursor<Item extends { readonly atNs: number }> {
  readonly track: Track<Item>
  readonly #blocks: AsyncIterator<readonly Item[]>
  #block: readonly Item[] = []
  #index = 0
  item: Item | undefined
  atNs = Infinity

  constructor(track: Track<Item>) {
    this.track = track
    this.#blocks = track.open()[Symbol.asyncIterator]()
  }

  /** Goes to the next item of the block; false where the block is used up. */
  step(): boolean {
    const item = this.#block[this.#index++]
    this.item = item
    if (item === undefined) return false
    this.atNs = item.atNs + this.track.shiftNs
    return true
  }

  /** Reads the next block; false where the track has ended. */
  async load(): Promise<boolean> {
    for (;;) {
      const next = await this.#blocks.next()
      if (next.done === true) return false
      this.#block = next.value
      this.#index = 0
      if (this.step()) return true
    }
  }

  async close(): Promise<void> {
    await this.#blocks.return?.()
  }
}

/** A list of tracks, and the one of it that comes next. */
interface Upcoming<Item> {
  readonly tracks: Iterator<Track<Item>>
  next: Track<Item>
}

/**
 * Merges the tracks of many recordings into one order of time; equal times in the order of the recordings. Holds one block of each
 * playing track. Use: `while (overlay.item !== undefined) { …; const wait = overlay.advance(); if (wait) await wait }`, after a
 * first `await overlay.start()`.
 */
export class Overlay<Item extends { readonly atNs: number }> {
  readonly #upcoming: Upcoming<Item>[] = []
  readonly #playing: Cursor<Item>[] = []
  #current: Cursor<Item> | undefined
  /** Up to here, not included, the current cursor's items are the earliest. */
  #untilNs = -Infinity
  readonly #endNs: number

  /** `lists`: tracks in order of `startNs`, each list lazily made and maybe without an end. No item after `endNs` is given. */
  constructor(lists: readonly Iterable<Track<Item>>[], endNs: number) {
    this.#endNs = endNs
    for (const list of lists) {
      const tracks = list[Symbol.iterator]()
      const first = tracks.next()
      if (first.done !== true) this.#upcoming.push({ tracks, next: first.value })
    }
  }

  /** The earliest item; undefined at the end. */
  get item(): Item | undefined {
    return this.#current?.item
  }

  /** Its time on the merged timeline. */
  get atNs(): number {
    return this.#current?.atNs ?? Infinity
  }

  get loop(): number {
    return this.#current?.track.loop ?? 0
  }

  get recording(): number {
    return this.#current?.track.recording ?? 0
  }

  async start(): Promise<void> {
    await this.#choose()
  }

  /** Goes to the next item; a promise where it has to be read first. */
  advance(): Promise<void> | undefined {
    const current = this.#current
    if (current === undefined) return undefined
    if (!current.step()) return this.#reload(current)
    if (current.atNs < this.#untilNs) return undefined
    const opening = this.#chooseNow()
    return opening === undefined ? undefined : this.#chooseAfter(opening)
  }

  /** Ends the reading of all tracks. */
  async close(): Promise<void> {
    for (const cursor of this.#playing.splice(0)) await cursor.close()
    this.#current = undefined
  }

  async #reload(cursor: Cursor<Item>): Promise<void> {
    if (!(await cursor.load())) this.#playing.splice(this.#playing.indexOf(cursor), 1)
    await this.#choose()
  }

  async #choose(): Promise<void> {
    const opening = this.#chooseNow()
    if (opening !== undefined) await this.#chooseAfter(opening)
  }

  async #chooseAfter(opening: Promise<void>): Promise<void> {
    for (let wait: Promise<void> | undefined = opening; wait !== undefined; wait = this.#chooseNow()) await wait
  }

  /** Makes the earliest cursor the current one; a promise where a track has to be opened first. */
  #chooseNow(): Promise<void> | undefined {
    let earliest: Cursor<Item> | undefined
    let secondNs = Infinity
    for (const cursor of this.#playing) {
      if (earliest === undefined || isBefore(cursor, earliest)) {
        if (earliest !== undefined) secondNs = Math.min(secondNs, earliest.atNs)
        earliest = cursor
      } else secondNs = Math.min(secondNs, cursor.atNs)
    }
    const upcoming = this.#nextUpcoming()
    const limitNs = Math.min(earliest?.atNs ?? Infinity, this.#endNs)
    if (upcoming !== undefined && upcoming.next.startNs <= limitNs) return this.#open(upcoming)
    this.#current = earliest !== undefined && earliest.atNs <= this.#endNs ? earliest : undefined
    this.#untilNs = Math.min(secondNs, upcoming?.next.startNs ?? Infinity, this.#endNs)
    return undefined
  }

  #nextUpcoming(): Upcoming<Item> | undefined {
    let first: Upcoming<Item> | undefined
    for (const upcoming of this.#upcoming) {
      if (first === undefined || upcoming.next.startNs < first.next.startNs) first = upcoming
    }
    return first
  }

  async #open(upcoming: Upcoming<Item>): Promise<void> {
    const cursor = new Cursor(upcoming.next)
    const following = upcoming.tracks.next()
    if (following.done === true) this.#upcoming.splice(this.#upcoming.indexOf(upcoming), 1)
    else upcoming.next = following.value
    this.#playing.push(cursor)
    if (!(await cursor.load())) this.#playing.splice(this.#playing.indexOf(cursor), 1)
  }
}

function isBefore<Item extends { readonly atNs: number }>(cursor: Cursor<Item>, other: Cursor<Item>): boolean {
  if (cursor.atNs !== other.atNs) return cursor.atNs < other.atNs
  return cursor.track.recording < other.track.recording
}
