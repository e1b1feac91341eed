import { BACKEND } from '../../../wire/postgres/backend.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'

/** The kinds of frontend messages that a backend answers. */
export type ReplyKind = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query'

/** Takes the messages of replies that are not the client's. */
export interface ReplyCollector {
  /** One whole message of the reply; borrowed. */
  message(type: number, payload: Uint8Array, bytes: Uint8Array): void
  /** Whole rows as they came, or a part of a huge one; borrowed. */
  piece(bytes: Uint8Array): void
}

/** A reply that is still to come. */
export interface AwaitedReply {
  readonly kind: ReplyKind
  /** Gets the reply in the client's stead. Default: the client gets it. */
  readonly collector?: ReplyCollector | undefined
  /** Changes an error on its way to the client, who gets errors of collected replies too. */
  readonly mapError?: ((fields: PgErrorFields) => PgErrorFields) | undefined
  /** Asked at each statement's end for the tag that the client is told; undefined: the backend's own. Not of collected replies. */
  readonly mapTag?: (() => string | undefined) | undefined
  /** Told that the message was not done: it failed, or the backend skips it. Latest first, where there are several. */
  readonly undone?: ((how: 'failed' | 'skipped') => void) | undefined
}

/** Types of messages that end a reply of each kind: ParseComplete, BindComplete and so on. */
const ENDINGS: Readonly<Record<ReplyKind, string>> = {
  parse: '1',
  bind: '2',
  describe: 'Tn',
  execute: 'CIs',
  close: '3',
  sync: 'Z',
  query: 'Z',
}

/**
 * Which frontend message the backend is answering: replies come in the order of requests (PostgreSQL 18, 54.2), and after an error
 * the backend skips everything up to the next Sync.
 */
export class ReplyQueue {
  readonly #awaited: AwaitedReply[] = []
  #first = 0
  #failed = false
  #copying = false
  #whenSettled: (() => void)[] = []

  /** There was an error, and the backend is not ready again. */
  get failed(): boolean {
    return this.#failed
  }

  /** The backend skips what it is sent, for want of a Sync: whatever else is sent has no reply. */
  get skipping(): boolean {
    return this.#failed && this.settled
  }

  /** The backend takes copy data; until its end it ignores Flush and Sync. */
  get copying(): boolean {
    return this.#copying
  }

  /** Nothing is to come. */
  get settled(): boolean {
    return this.#first === this.#awaited.length
  }

  /** Resolves when nothing is to come, or at once. The caller has seen to it that the backend flushes. */
  whenSettled(): Promise<void> {
    if (this.settled) return Promise.resolve()
    return new Promise((resolve) => this.#whenSettled.push(resolve))
  }

  expect(reply: AwaitedReply): void {
    this.#awaited.push(reply)
  }

  /** The reply that a message belongs to, before `take` is told of it; undefined for one that was not asked for. */
  get current(): AwaitedReply | undefined {
    return this.#awaited[this.#first]
  }

  /** Accounts for a message of the backend, notices and the like excepted, after it was handed on. */
  take(type: number): void {
    const current = this.current
    if (current === undefined) return
    if (type === BACKEND.errorResponse) this.#fail(current)
    else if (type === BACKEND.copyInResponse || type === BACKEND.copyBothResponse) this.#beginCopy()
    else if (ENDINGS[current.kind].includes(String.fromCharCode(type))) this.#end(type)
  }

  #end(type: number): void {
    this.#copying = false
    if (type === BACKEND.readyForQuery) this.#failed = false
    this.#first++
    // Few are ever awaited at a time: the list is emptied whenever all have come, or now and then.
    if (this.#first === this.#awaited.length || this.#first > 1000) {
      this.#awaited.splice(0, this.#first)
      this.#first = 0
    }
    this.#tellWhenSettled()
  }

  #fail(current: AwaitedReply): void {
    this.#copying = false
    if (current.kind === 'query' || current.kind === 'sync') return
    let next = this.#first
    while (next < this.#awaited.length && this.#awaited[next]?.kind !== 'sync') next++
    this.#failed = true
    const dropped = this.#awaited.splice(0, next).slice(this.#first)
    this.#first = 0
    for (const reply of dropped.toReversed()) reply.undone?.(reply === current ? 'failed' : 'skipped')
    this.#tellWhenSettled()
  }

  /** Syncs that were sent behind the statement that now takes copy data are ignored. */
  #beginCopy(): void {
    this.#copying = true
    for (let index = this.#awaited.length - 1; index > this.#first; index--) {
      if (this.#awaited[index]?.kind === 'sync') this.#awaited.splice(index, 1)
    }
  }

  /** The connection is gone: nobody waits any longer. */
  abandon(): void {
    this.#awaited.length = 0
    this.#first = 0
    this.#tellWhenSettled()
  }

  #tellWhenSettled(): void {
    if (!this.settled || this.#whenSettled.length === 0) return
    const waiting = this.#whenSettled
    this.#whenSettled = []
    for (const resolve of waiting) resolve()
  }
}
