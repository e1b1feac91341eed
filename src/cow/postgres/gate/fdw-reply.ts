import type { Duplex } from 'node:stream'
import {
  bindComplete,
  commandComplete,
  noData,
  parseComplete,
  readyForQuery,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import { errorResponse, type PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { ClientOutput } from '../session/client-output.ts'
import type { RowSink } from './upstream-statement.ts'

/** What postgres_fdw is answered. Rows go through as they come from production; where it does not read, production waits. */
export class FdwReply {
  readonly #output: ClientOutput
  #wake: (() => void)[] = []
  #full = false
  #closed = false

  constructor(socket: Duplex) {
    this.#output = new ClientOutput(
      socket,
      () => (this.#full = true),
      () => this.#release(),
    )
  }

  /** Nobody reads any more: whoever waits goes on. */
  close(): void {
    this.#closed = true
    this.#release()
  }

  /** Answers a whole Parse, Bind, Describe, Execute that declared a cursor. */
  declared(): void {
    for (const bytes of [parseComplete(), bindComplete(), noData()]) this.#output.append(bytes)
    this.completed('DECLARE CURSOR')
  }

  completed(tag: string): void {
    this.#output.append(commandComplete(tag))
  }

  failed(error: PgErrorFields): void {
    this.#output.append(errorResponse(error))
  }

  /** The end of every answer. */
  ready(status: TransactionStatus): void {
    this.#output.append(readyForQuery(status))
    this.#output.flush()
  }

  append(bytes: Uint8Array): void {
    this.#output.append(bytes)
  }

  /** A sink that stops at `maxBytes` by `onTooLarge`, and tells the RowDescription. */
  sink(options: { onDescription(bytes: Uint8Array): void; mayTake(bytes: number): boolean }): RowSink {
    return {
      description: (bytes) => options.onDescription(bytes),
      rows: (bytes) => {
        if (this.#closed || !options.mayTake(bytes.length)) return true
        this.#output.append(bytes)
        return !this.#full
      },
      whenReady: () => this.#whenReady(),
    }
  }

  #whenReady(): Promise<void> {
    if (!this.#full || this.#closed) return Promise.resolve()
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #release(): void {
    this.#full = false
    for (const wake of this.#wake.splice(0)) wake()
  }
}
