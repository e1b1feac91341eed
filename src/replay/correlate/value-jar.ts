import type { Escape } from './escape.ts'
import { ESCAPES, escaped } from './escape.ts'
import { RecentMap } from './recent-map.ts'
import type { WrittenValues } from './substitute.ts'

/** Called when the reply has come, or will not: by then the values are there that will ever be. */
export type Retry = (nowNs: number) => void

/** Values of one clone of a session: what the target issued to it. The earliest go first; a session of hours issues more. */
const MAX_VALUES = 1_024

/** Clones of sessions with values in one thread, a few hundred bytes each; those unused for the longest are forgotten. */
const MAX_JARS = 131_072

/** A value, and how it is written in requests: most are sent again and again, in one place. */
class IssuedValue {
  readonly #text: string
  #escape: Escape = ESCAPES[0]
  #bytes: Uint8Array | undefined
  #isWritten = false

  constructor(text: string) {
    this.#text = text
  }

  bytesOf(escape: Escape): Uint8Array | undefined {
    if (!this.#isWritten || this.#escape !== escape) {
      const bytes = escaped(this.#text, escape)
      // In memory of its own: a small Buffer is a piece of one of 8 KB, which it would keep as long as its session lasts.
      this.#bytes = bytes && new Uint8Array(bytes)
      this.#escape = escape
      this.#isWritten = true
    }
    return this.#bytes
  }
}

/** What the target issued to one clone of a session, and what it has yet to answer. */
export class ValueJar implements WrittenValues {
  readonly #values = new Map<number, IssuedValue>()
  /** Tickets whose replies are awaited, and who waits for them. */
  #pending: Map<number, Retry[]> | undefined
  /** A shot of it was shed: the rest of the session is not sent. */
  dropped = false

  has(slot: number): boolean {
    return this.#values.has(slot)
  }

  bytesOf(slot: number, escape: Escape): Uint8Array | undefined {
    return this.#values.get(slot)?.bytesOf(escape)
  }

  /** The latest issued wins. */
  put(slot: number, value: string): void {
    this.#values.delete(slot)
    this.#values.set(slot, new IssuedValue(value))
    if (this.#values.size <= MAX_VALUES) return
    const [oldest] = this.#values.keys()
    if (oldest !== undefined) this.#values.delete(oldest)
  }

  remove(slot: number): void {
    this.#values.delete(slot)
  }

  /** A shot with this ticket was given. */
  expect(ticket: number): void {
    this.#pending ??= new Map()
    this.#pending.set(ticket, [])
  }

  /** The first of the tickets whose reply is awaited; undefined where none is. */
  awaited(tickets: readonly number[]): number | undefined {
    const pending = this.#pending
    return pending === undefined ? undefined : tickets.find((ticket) => pending.has(ticket))
  }

  wait(ticket: number, retry: Retry): void {
    this.#pending?.get(ticket)?.push(retry)
  }

  /** The shot has ended: those who waited for it. */
  settle(ticket: number): readonly Retry[] {
    const waiting = this.#pending?.get(ticket)
    this.#pending?.delete(ticket)
    // Most of the time a session waits for nothing, and there are many of them.
    if (this.#pending?.size === 0) this.#pending = undefined
    return waiting ?? []
  }
}

/** The jars of one thread, by the ordinals of sessions. */
export class ValueJars {
  readonly #jars = new RecentMap<number, ValueJar>(MAX_JARS)

  /** No session has one. */
  get isEmpty(): boolean {
    return this.#jars.size === 0
  }

  find(session: number): ValueJar | undefined {
    return this.#jars.get(session)
  }

  of(session: number): ValueJar {
    const known = this.#jars.get(session)
    if (known !== undefined) return known
    const jar = new ValueJar()
    this.#jars.set(session, jar)
    return jar
  }
}
