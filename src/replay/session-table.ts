import { hashPair, hashText } from '../core/random.ts'
import { BitList } from './correlate/bit-list.ts'

/** Sessions with an ordinal of their own: their keys are some 30 MB at most. Those beyond share ordinals, by hash. */
export const MAX_SESSIONS = 262_144

/** Connections of one recording with a row of their own: 32 MB at most. Ordinals beyond start over at 0. */
export const MAX_CONNECTIONS = 4_194_304

/** Session keys of all recordings, folded to ordinals: a key has the same one wherever it appears. */
export class SessionTable {
  readonly #ordinals = new Map<string, number>()
  #hashes = new Uint32Array(1_024)
  #size = 0

  /** One more than the greatest ordinal that may be given. */
  get span(): number {
    return this.#size < MAX_SESSIONS ? this.#size : 2 * MAX_SESSIONS
  }

  /** How many sessions there are; a lower bound once they share ordinals. */
  get size(): number {
    return this.#size
  }

  has(key: string): boolean {
    return this.#ordinals.has(key)
  }

  /** Makes a key that has no ordinal another name of the session with this one. */
  alias(key: string, ordinal: number): void {
    if (ordinal < MAX_SESSIONS && this.#ordinals.size < 2 * MAX_SESSIONS) this.#ordinals.set(key, ordinal)
  }

  ordinalOf(key: string): number {
    const known = this.#ordinals.get(key)
    if (known !== undefined) return known
    const hash = hashText(key)
    const ordinal = this.#size
    if (ordinal >= MAX_SESSIONS) return MAX_SESSIONS + (hash % MAX_SESSIONS)
    this.#ordinals.set(key, ordinal)
    this.#size += 1
    if (ordinal >= this.#hashes.length) this.#hashes = grown(this.#hashes, ordinal)
    this.#hashes[ordinal] = hash
    return ordinal
  }

  /** What decides on clones, jitter and shard of the session: a hash of its key, whatever its ordinal. */
  hashOf(ordinal: number): number {
    return ordinal < MAX_SESSIONS ? (this.#hashes[ordinal] ?? 0) : hashPair(ordinal, MAX_SESSIONS)
  }
}

const NO_SESSION = 0xffff_ffff
const POOL = 0xffff_fffe

/**
 * What the first pass learns of the connections of one recording: whose each one is, and how many requests of it will be sent.
 * A connection that carried several sessions is a proxy's pool.
 */
export class ConnectionTable {
  #sessions = new Uint32Array(0)
  #sends = new Uint32Array(0)
  readonly #pooled = new BitList()
  #span = 0
  readonly #recordingHash: number

  constructor(recordingId: string) {
    this.#recordingHash = hashText(recordingId)
  }

  /** One more than the greatest row. */
  get span(): number {
    return this.#span
  }

  /** The row of a connection. */
  rowOf(connection: number): number {
    return connection % MAX_CONNECTIONS
  }

  /** Takes one exchange into account. `session`: its ordinal, undefined where it has no key. */
  learn(row: number, session: number | undefined, sent: boolean): void {
    if (row >= this.#sessions.length) this.#grow(row)
    if (row >= this.#span) this.#span = row + 1
    const known = this.#sessions[row]
    if (session !== undefined && known !== undefined && known !== session) {
      if (known !== NO_SESSION) {
        this.#pooled.add(session)
        if (known !== POOL) this.#pooled.add(known)
      }
      this.#sessions[row] = known === NO_SESSION ? session : POOL
    }
    if (sent) this.#sends[row] = (this.#sends[row] ?? 0) + 1
  }

  isPool(row: number): boolean {
    return this.#sessions[row] === POOL
  }

  /** Whether a session came over a proxy's pool: what it did on a connection where no other was seen says as little. */
  isPooled(session: number): boolean {
    return this.#pooled.has(session)
  }

  /** The one session of a connection; undefined where it has none, or several. */
  sessionOf(row: number): number | undefined {
    const session = this.#sessions[row]
    return session === NO_SESSION || session === POOL ? undefined : session
  }

  /** How many requests of this connection are to be sent. */
  sendsOf(row: number): number {
    return this.#sends[row] ?? 0
  }

  /** What decides on clones, jitter and shard of a connection without a session. */
  hashOf(row: number): number {
    return hashPair(this.#recordingHash, row)
  }

  #grow(row: number): void {
    const sessions = grown(this.#sessions, row).fill(NO_SESSION, this.#sessions.length)
    this.#sends = grown(this.#sends, row)
    this.#sessions = sessions
  }
}

function grown(from: Uint32Array<ArrayBuffer>, row: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(Math.max(1_024, 2 ** Math.ceil(Math.log2(row + 1))))
  to.set(from)
  return to
}
