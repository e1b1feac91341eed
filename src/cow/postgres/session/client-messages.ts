import type { Duplex } from 'node:stream'
import { MessageFramer, type PgFrame } from '../../../wire/postgres/framer.ts'
import { MAX_STATEMENT_BYTES, MAX_WAITING_BYTES } from './session-errors.ts'

/** Who takes a client's messages. */
export interface MessageTaker {
  /** The message is dealt with when the promise resolves; undefined: it is. Borrowed. */
  take(frame: PgFrame): Promise<void> | undefined
  /** The work under way waits for messages: the rows of a COPY. */
  readonly takesMore: boolean
  /** A message could not be read, or its work failed: nothing is taken any more. */
  failed(thrown: unknown): void
}

/** What a client sends, message by message: while one is dealt with, those behind it wait, and the client with them. */
export class ClientMessages {
  readonly #client: Duplex
  readonly #taker: MessageTaker
  readonly #framer = new MessageFramer({ maxHeldBytes: MAX_STATEMENT_BYTES })
  #busy = false
  #hasFailed = false

  constructor(client: Duplex, taker: MessageTaker) {
    this.#client = client
    this.#taker = taker
  }

  push(chunk: Uint8Array): void {
    this.#framer.push(chunk)
    this.#pump()
    if (this.#busy && this.#framer.heldBytes > MAX_WAITING_BYTES) this.#client.pause()
  }

  /** Takes what has come meanwhile: the work under way is done, or waits for it. */
  resume(): void {
    if (this.#client.isPaused()) this.#client.resume()
    this.#pump()
  }

  #pump(): void {
    while ((!this.#busy || this.#taker.takesMore) && !this.#hasFailed) {
      const work = this.#next()
      if (work === undefined) return
      if (work === 'done') continue
      this.#busy = true
      const go = (): void => {
        this.#busy = false
        this.resume()
      }
      work.then(go, (thrown: unknown) => {
        this.#hasFailed = true
        this.#taker.failed(thrown)
      })
    }
  }

  /** Undefined: no whole message is there. */
  #next(): Promise<void> | 'done' | undefined {
    try {
      const frame = this.#framer.next()
      return frame === undefined ? undefined : (this.#taker.take(frame) ?? 'done')
    } catch (thrown) {
      return Promise.reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
}
