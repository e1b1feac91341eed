import type { ConnectionTable } from '../session-table.ts'

/** Exchanges of a recording that values gave to sessions: some 20 MB at most. Those beyond stay with their connections. */
const MAX_ADOPTED = 400_000

/**
 * Exchanges without a session's key that belong together, because one sent what the reply to another issued: a page with a form, and the
 * login that it sends. A key that one of their replies issued names them, and they are its session's.
 */
export interface KeylessSession {
  /** Of the session that they belong to; undefined as long as all came on one connection and nothing else names them. */
  ordinal: number | undefined
  /** How many there are. */
  size: number
  /** Where the first of them came, and the number by which its values were learnt. */
  readonly row: number
  readonly node: number
}

/** A reply that issued values, and whose request it answered. */
export interface Issuer {
  /** Undefined where the request had no key and its connection does not tell. */
  readonly session: number | undefined
  readonly row: number
  readonly node: number
  readonly connections: ConnectionTable
  /** Of the session's key at that time, '' without one. */
  readonly key: string
  readonly atNs: number
  /** Its place in its part. */
  readonly sequence: number
  readonly adopted: AdoptedExchanges
  /** Once a request sent one of the values, and was not known to be of its session by anything else. */
  keyless: KeylessSession | undefined
  /** Keys that it issued, beside the first, where its request had none. */
  successors: number
}

/** A value that a request or a reply had, too long for chance. */
export interface SeenValue {
  /** Undefined where a request had it first: what replies say of it later is an echo. */
  readonly issuer: Issuer | undefined
  /** Several issued it: it does not tell who sends it. */
  isCommon: boolean
}

/** Exchanges of one part without a session's key, and the sessions that values gave them to. */
export class AdoptedExchanges {
  readonly #sessions = new Map<number, KeylessSession>()

  adopt(sequence: number, session: KeylessSession): void {
    if (this.#sessions.size < MAX_ADOPTED) this.#sessions.set(sequence, session)
  }

  /** The ordinal of the exchange's session; undefined where only its connection tells. `sequence`: its place in the part. */
  sessionOf(sequence: number): number | undefined {
    return this.#sessions.get(sequence)?.ordinal
  }
}
