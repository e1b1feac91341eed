import type { CopyFailure } from './staging-client.ts'

/** Why a copy was given up before it was sent: `queue-full`, `waited` longer than the time-out, `ended` the run did. */
export const DROP_REASONS = ['queue-full', 'waited', 'ended'] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** How often something happened, by name. */
export type Tally = Readonly<Record<string, number>>

/**
 * What became of the requests that a mirror was given. Plain data. At any moment
 * `taken = held + unsendable + dropped + sent + waiting` and `sent = answered + unanswered + flying`.
 */
export interface MirrorCounts {
  readonly taken: number
  /** Held back because they would write, by method. */
  readonly held: Tally
  /** Not whole, or not to be sent again, by reason. */
  readonly unsendable: Tally
  readonly dropped: Tally
  readonly sent: number
  readonly answered: number
  /** Sent, and no reply came, by `CopyFailure`. */
  readonly unanswered: Tally
  readonly waiting: number
  readonly flying: number
  readonly heldBytes: number
}

/** A client may send any word as a method: this many are told apart. */
const MAX_NAMES = 50
const MAX_NAME_CHARS = 24

/** Counts by name, bounded. */
export class NamedCounts {
  readonly #counts = new Map<string, number>()

  add(name: string, count = 1): void {
    const known = this.#counts.has(name) || this.#counts.size < MAX_NAMES
    const key = known ? name.slice(0, MAX_NAME_CHARS) : 'other'
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count)
  }

  tally(): Tally {
    return Object.fromEntries(this.#counts)
  }
}

export function sumOf(tally: Tally): number {
  return Object.values(tally).reduce((sum, count) => sum + count, 0)
}

/** The counts that a mirror keeps while it runs. */
export class CountKeeper {
  taken = 0
  sent = 0
  answered = 0
  readonly #held = new NamedCounts()
  readonly #unsendable = new NamedCounts()
  readonly #dropped = new NamedCounts()
  readonly #unanswered = new NamedCounts()

  hold(method: string): void {
    this.#held.add(method)
  }

  refuse(reason: string): void {
    this.#unsendable.add(reason)
  }

  drop(reason: DropReason): void {
    this.#dropped.add(reason)
  }

  fail(reason: CopyFailure): void {
    this.#unanswered.add(reason)
  }

  counts(queue: { readonly waiting: number; readonly flying: number; readonly heldBytes: number }): MirrorCounts {
    return {
      taken: this.taken,
      held: this.#held.tally(),
      unsendable: this.#unsendable.tally(),
      dropped: this.#dropped.tally(),
      sent: this.sent,
      answered: this.answered,
      unanswered: this.#unanswered.tally(),
      waiting: queue.waiting,
      flying: queue.flying,
      heldBytes: queue.heldBytes,
    }
  }
}
