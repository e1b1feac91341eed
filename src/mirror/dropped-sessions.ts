import { hashText } from '../core/random.ts'

/** Sessions that are remembered, by a hash: some MB. Beyond it the one marked first is forgotten. */
const MAX_SESSIONS = 100_000

/**
 * Sessions of which a request never reached staging: from there on staging knows less of them than production, and differences in
 * their replies are no fault of staging's.
 */
export class DroppedSessions {
  readonly #since = new Map<number, number>()
  #forgotten = 0

  /** Sessions that were forgotten for want of room: their later differences count as divergence. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The copy of this ordinal was not sent, or its fate is not known. */
  mark(session: string, ordinal: number): void {
    const key = hashText(session)
    if (this.#since.has(key)) return
    if (this.#since.size >= MAX_SESSIONS) {
      for (const oldest of this.#since.keys()) {
        this.#since.delete(oldest)
        this.#forgotten++
        break
      }
    }
    this.#since.set(key, ordinal)
  }

  /** Does a drop lie before the copy of this ordinal? */
  includes(session: string, ordinal: number): boolean {
    const since = this.#since.get(hashText(session))
    return since !== undefined && since < ordinal
  }
}
