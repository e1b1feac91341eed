import { mayHaveMovingConstant } from '../sql/moving-constant.ts'

/** Statements that one connection keeps prepared; PostgreSQL holds a plan for each, some 10 kB. */
const MAX_PREPARED = 256
/** Longer texts are parsed each time: they are hardly sent twice. */
const MAX_PREPARED_TEXT = 16 * 1024
/** Texts that were seen once, remembered until they come again. */
const MAX_SEEN_ONCE = 512

/** Where a text is prepared: under a name that the server knows, or to be sent in a Parse under `name` ('' = not to be kept). */
export interface PreparedPlace {
  readonly name: string
  readonly known: boolean
  /** A name to close first, to keep within the bound. */
  readonly evicted?: string
}

/** What is known of a text that has a name. */
interface PreparedText {
  readonly name: string
  readonly text: string
  readonly parameterTypes: readonly number[]
  readonly scope: string
  /** What `place` says of it. */
  readonly place: PreparedPlace
  /** The greatest is that of the text that was used last. */
  usedAt: number
  confirmed: boolean
  /** As it was given for these result formats. */
  description?: { readonly message: Uint8Array; readonly formats: string }
}

/**
 * Which texts a connection has prepared. A text that comes for the second time gets a name, so texts with values written into
 * them do not push out the ones that come again.
 */
export class PreparedNames {
  readonly #names = new Map<string, PreparedText>()
  /** By text; nearly always one, for its other scopes and types are rare. */
  readonly #texts = new Map<string, readonly PreparedText[]>()
  readonly #seenOnce = new Set<string>()
  /** Names that the server still holds, and that nobody uses. */
  readonly #unused: string[] = []
  #next = 1
  #uses = 0
  #disabled = false

  /**
   * `scope`: the settings under which it runs, for constants are read by them when a statement is prepared (dates, by the time zone);
   * `ours` for a text of our own, which is kept from the first time.
   */
  place(text: string, parameterTypes: readonly number[], scope: string): PreparedPlace {
    if (this.#disabled || text.length > MAX_PREPARED_TEXT) return UNPREPARED
    const entry = this.#find(text, parameterTypes, scope)
    if (entry !== undefined) {
      entry.usedAt = ++this.#uses
      // Its Parse is answered, or on its way in front of whatever is sent now.
      return entry.place
    }
    const isOurs = scope === 'ours'
    // PostgreSQL reads such a constant once, when the statement is prepared.
    if (!isOurs && mayHaveMovingConstant(text)) return UNPREPARED
    if (!isOurs && !this.#seenBefore(`${scope}\0${parameterTypes.join(',')}\0${text}`)) return UNPREPARED
    const name = `mesh_${this.#next++}`
    this.#add({
      name,
      text,
      parameterTypes,
      scope,
      place: { name, known: true },
      usedAt: ++this.#uses,
      confirmed: false,
    })
    if (this.#names.size > MAX_PREPARED) this.#evict()
    const evicted = this.#unused.pop()
    return { name, known: false, ...(evicted === undefined ? {} : { evicted }) }
  }

  /** The server has parsed it. */
  confirm(name: string): void {
    const entry = this.#names.get(name)
    if (entry !== undefined) entry.confirmed = true
  }

  /** The server has described its rows, in these result formats. */
  describe(name: string, formats: string, message: Uint8Array): void {
    const entry = this.#names.get(name)
    if (entry !== undefined) entry.description = { message: Uint8Array.from(message), formats }
  }

  /**
   * The RowDescription of a name in these result formats, where the server has given it last. It holds as long as the name: a statement whose rows have changed
   * since it was prepared is refused by the server (0A000), before it runs.
   */
  description(name: string, formats: string): Uint8Array | undefined {
    const known = this.#names.get(name)?.description
    return known?.formats === formats ? known.message : undefined
  }

  /** What used this name failed: where its Parse was not answered, the server does not have it. */
  failed(name: string): void {
    if (this.#names.get(name)?.confirmed === false) this.forget(name)
  }

  /** The name is not to be used again. */
  forget(name: string): void {
    const entry = this.#names.get(name)
    if (entry === undefined) return
    if (entry.confirmed) this.#unused.push(name)
    this.#names.delete(name)
    const others = (this.#texts.get(entry.text) ?? []).filter((other) => other !== entry)
    if (others.length === 0) this.#texts.delete(entry.text)
    else this.#texts.set(entry.text, others)
  }

  /** Names are not kept (by a pooler in between): every text is parsed each time from now on. */
  disable(): void {
    this.#names.clear()
    this.#texts.clear()
    this.#disabled = true
  }

  #find(text: string, parameterTypes: readonly number[], scope: string): PreparedText | undefined {
    for (const entry of this.#texts.get(text) ?? NONE) {
      if (entry.scope === scope && isSameList(entry.parameterTypes, parameterTypes)) return entry
    }
    return undefined
  }

  #add(entry: PreparedText): void {
    this.#names.set(entry.name, entry)
    this.#texts.set(entry.text, [...(this.#texts.get(entry.text) ?? []), entry])
  }

  #seenBefore(key: string): boolean {
    if (this.#seenOnce.delete(key)) return true
    this.#seenOnce.add(key)
    if (this.#seenOnce.size > MAX_SEEN_ONCE) {
      const [oldest] = this.#seenOnce
      if (oldest !== undefined) this.#seenOnce.delete(oldest)
    }
    return false
  }

  /** The one that was not used for longest goes. */
  #evict(): void {
    let oldest: PreparedText | undefined
    for (const entry of this.#names.values()) if (oldest === undefined || entry.usedAt < oldest.usedAt) oldest = entry
    if (oldest !== undefined) this.forget(oldest.name)
  }
}

const UNPREPARED: PreparedPlace = { name: '', known: false }

const NONE: readonly PreparedText[] = []

function isSameList(one: readonly number[], other: readonly number[]): boolean {
  return one === other || (one.length === other.length && one.every((value, place) => value === other[place]))
}
