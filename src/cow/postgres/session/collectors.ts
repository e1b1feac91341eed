import { BACKEND, readTextRow, readParameterDescription } from '../../../wire/postgres/backend.ts'
import { MessageFramer } from '../../../wire/postgres/framer.ts'
import type { ReplyCollector } from './reply-queue.ts'

/** Takes a reply that nobody needs. */
export const IGNORED: ReplyCollector = { message: () => undefined, piece: () => undefined }

/** The rows of a query of ours, as texts. */
export class RowCollector implements ReplyCollector {
  readonly rows: (string | null)[][] = []

  message(type: number, payload: Uint8Array): void {
    if (type === BACKEND.dataRow) this.rows.push(readTextRow(payload))
  }

  piece(bytes: Uint8Array): void {
    const framer = new MessageFramer()
    framer.push(bytes)
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      if (frame.piece === undefined) this.message(frame.type, frame.payload)
    }
  }
}

/** Hands on the number in the first column of each row. */
export class CountCollector implements ReplyCollector {
  readonly #take: (count: number) => void

  constructor(take: (count: number) => void) {
    this.#take = take
  }

  message(type: number, payload: Uint8Array): void {
    if (type === BACKEND.dataRow) this.#take(Number(readTextRow(payload)[0]))
  }

  piece(bytes: Uint8Array): void {
    const rows = new RowCollector()
    rows.piece(bytes)
    for (const [count] of rows.rows) this.#take(Number(count))
  }
}

/** The types of a statement's parameters, out of its description. */
export class TypeCollector implements ReplyCollector {
  types: readonly number[] | undefined

  message(type: number, payload: Uint8Array): void {
    if (type === BACKEND.parameterDescription) this.types = readParameterDescription(payload)
  }

  piece(): void {}
}

/** Lets through what the simple protocol has of a description: that of rows, and nothing where there are none. */
export class DescriptionFilter implements ReplyCollector {
  readonly #toClient: (bytes: Uint8Array) => void

  constructor(toClient: (bytes: Uint8Array) => void) {
    this.#toClient = toClient
  }

  message(type: number, _payload: Uint8Array, bytes: Uint8Array): void {
    if (type === BACKEND.rowDescription) this.#toClient(bytes)
  }

  piece(bytes: Uint8Array): void {
    this.#toClient(bytes)
  }
}
