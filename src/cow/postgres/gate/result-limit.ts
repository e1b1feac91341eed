import { gateFault, SQLSTATE } from './faults.ts'
import type { PassOutcome } from './passed.ts'
import type { Execution } from './upstream-connection.ts'
import type { RowSink } from './upstream-statement.ts'

/** Something that can be stopped. */
export interface Cancellable {
  cancel(): void
}

/** Passes the rows of one statement on up to a number of bytes; more cancels the statement. */
export class ResultLimit implements RowSink {
  sink: RowSink
  readonly #maxBytes: number
  #bytes = 0
  #transaction: Cancellable | undefined

  constructor(sink: RowSink, maxBytes: number) {
    this.sink = sink
    this.#maxBytes = maxBytes
  }

  /** Of its rows, so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** What is cancelled where there are too many. */
  endBy(transaction: Cancellable): void {
    this.#transaction = transaction
  }

  description(bytes: Uint8Array): void {
    this.sink.description?.(bytes)
  }

  rows(bytes: Uint8Array, messages: number): boolean {
    this.#bytes += bytes.length
    if (this.#bytes <= this.#maxBytes) return this.sink.rows(bytes, messages)
    this.#transaction?.cancel()
    this.#transaction = undefined
    return true
  }

  whenReady(): Promise<void> {
    return this.sink.whenReady()
  }

  judge(end: Execution): Exclude<Execution, { kind: 'failed' }> | Extract<PassOutcome, { kind: 'failed' }> {
    if (this.#bytes > this.#maxBytes) {
      const message = `the result has more than ${this.#maxBytes} bytes`
      const error = gateFault(SQLSTATE.programLimit, message, 'ask for fewer rows, or allow larger results')
      return { kind: 'failed', error, rows: end.rows }
    }
    if (end.kind !== 'failed') return end
    const { kind, error, rows, unrun } = end
    return { kind, error, rows, ...(unrun === undefined ? {} : { unrun }) }
  }
}
