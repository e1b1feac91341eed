/**
 * Backends that may have told of touched rows what nobody has read, for their clients do not read what comes before it. PostgreSQL sends a
 * notice before it commits what that tells of: it is known in time wherever reading goes on. Where it does not, nobody reads past the overlay.
 */
export class UnreadNotices {
  readonly #load: () => Promise<void>
  readonly #backends = new Set<object>()
  /** Connections that were lost before all was read; none of them is missed by a `load` that begins later. */
  #lost = 0
  #loading = false

  /** `load` marks what the overlay's tables say is touched. */
  constructor(load: () => Promise<void>) {
    this.#load = load
  }

  /** What is known of touched rows is all there is to know. Where a connection was lost this asks anew, for the next caller. */
  get none(): boolean {
    if (this.#lost > 0) this.#loadAgain()
    return this.#lost === 0 && this.#backends.size === 0
  }

  add(backend: object): void {
    this.#backends.add(backend)
  }

  /** It has told all, and that was read. */
  delete(backend: object): void {
    this.#backends.delete(backend)
  }

  /** It is gone, and what it told last with it. */
  lose(backend: object): void {
    this.#backends.delete(backend)
    this.#lost++
    this.#loadAgain()
  }

  #loadAgain(): void {
    if (this.#loading) return
    this.#loading = true
    const known = this.#lost
    const ignore = (): void => undefined
    void this.#load()
      .then(() => (this.#lost -= known))
      .catch(ignore)
      .finally(() => (this.#loading = false))
  }
}
