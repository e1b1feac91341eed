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
  confirmed: boolean
  /** As it was given for these result formats. */
  description: { readonly message: Uint8Array; readonly formats: string } | undefined
}

/**
 * Which texts a connection has prepared. A text that comes for the second time gets a name, so texts with values written into
 * them do not push out the ones that come again.
 */
export class PreparedNames {
  readonly #names = new Map<string, PreparedText>()
  readonly #keys = new Map<string, string>()
  readonly #seenOnce = new Set<string>()
  /** Names that the server still holds, and that nobody uses. */
  readonly #unused: string[] = []
  #next = 1
  #disabled = false

  /**
   * `scope`: the settings under which it runs, for constants are read by them when a statement is prepared (dates, by the time zone);
   * `ours` for a text of our own, which is kept from the first time.
   */
  place(text: string, parameterTypes: readonly number[], scope: string): PreparedPlace {
    const always = scope === 'ours'
    if (this.#disabled || text.length > MAX_PREPARED_TEXT) return { name: '', known: false }
    // PostgreSQL reads such a constant once, when the statement is prepared.
    if (!always && mayHaveMovingConstant(text)) return { name: '', known: false }
    const key = `${scope}\0${parameterTypes.join(',')}\0${text}`
    const entry = this.#names.get(key)
    if (entry !== undefined) {
      this.#names.delete(key)
      this.#names.set(key, entry)
      // Its Parse is answered, or on its way in front of whatever is sent now.
      return { name: entry.name, known: true }
    }
    if (!always && !this.#seenBefore(key)) return { name: '', known: false }
    const name = `mesh_${this.#next++}`
    this.#names.set(key, { name, confirmed: false, description: undefined })
    this.#keys.set(name, key)
    if (this.#names.size > MAX_PREPARED) this.#evict()
    const evicted = this.#unused.pop()
    return { name, known: false, ...(evicted === undefined ? {} : { evicted }) }
  }

  /** The server has parsed it. */
  confirm(name: string): void {
    const entry = this.#entry(name)
    if (entry !== undefined) entry.confirmed = true
  }

  /** The server has described its rows, in these result formats. */
  describe(name: string, formats: string, message: Uint8Array): void {
    const entry = this.#entry(name)
    if (entry !== undefined) entry.description = { message: Uint8Array.from(message), formats }
  }

  /**
   * The RowDescription of a name in these result formats, where the server has given it last. It holds as long as the name: a statement whose rows have changed
   * since it was prepared is refused by the server (0A000), before it runs.
   */
  description(name: string, formats: string): Uint8Array | undefined {
    const known = this.#entry(name)?.description
    return known?.formats === formats ? known.message : undefined
  }

  /** What used this name failed: where its Parse was not answered, the server does not have it. */
  failed(name: string): void {
    const key = this.#keys.get(name)
    if (key !== undefined && this.#names.get(key)?.confirmed === false) this.forget(name)
  }

  /** The name is not to be used again. */
  forget(name: string): void {
    const key = this.#keys.get(name)
    if (key === undefined) return
    if (this.#names.get(key)?.confirmed === true) this.#unused.push(name)
    this.#names.delete(key)
    this.#keys.delete(name)
  }

  /** Names are not kept (by a pooler in between): every text is parsed each time from now on. */
  disable(): void {
    this.#names.clear()
    this.#keys.clear()
    this.#disabled = true
  }

  #entry(name: string): PreparedText | undefined {
    const key = this.#keys.get(name)
    return key === undefined ? undefined : this.#names.get(key)
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

  #evict(): void {
    const [oldest] = this.#names.values()
    if (oldest !== undefined) this.forget(oldest.name)
  }
}
