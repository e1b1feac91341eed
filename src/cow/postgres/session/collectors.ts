import { isAscii } from 'node:buffer'
import { latin1 } from '../../../core/bytes.ts'
import { BACKEND, readDataRow, readParameterDescription } from '../../../wire/postgres/backend.ts'
import { MessageFramer } from '../../../wire/postgres/framer.ts'
import type { ClientEncoding } from './client-encoding.ts'
import type { ReplyCollector } from './reply-queue.ts'

/** Takes a reply that nobody needs. */
export const IGNORED: ReplyCollector = { message: () => undefined, piece: () => undefined }

/** The rows of a query of ours, in text format. */
export class RowCollector implements ReplyCollector {
  readonly #rows: (Uint8Array | null)[][] = []
  #isAscii = true

  get isAscii(): boolean {
    return this.#isAscii
  }

  /** As texts; undefined where it cannot be known what they say. */
  decoded({ decode }: ClientEncoding): (string | null)[][] | undefined {
    const rows: (string | null)[][] = []
    for (const values of this.#rows) {
      const row: (string | null)[] = []
      for (const value of values) {
        const text = value === null ? null : decode(value)
        if (text === undefined) return undefined
        row.push(text)
      }
      rows.push(row)
    }
    return rows
  }

  message(type: number, payload: Uint8Array): void {
    if (type !== BACKEND.dataRow) return
    const row = readDataRow(Uint8Array.from(payload))
    if (this.#isAscii && !row.every((value) => value === null || isAscii(value))) this.#isAscii = false
    this.#rows.push(row)
  }

  piece(bytes: Uint8Array): void {
    takeEach(bytes, this)
  }
}

/** Gives a run of messages to a collector one by one. */
function takeEach(bytes: Uint8Array, to: { message(type: number, payload: Uint8Array): void }): void {
  const framer = new MessageFramer()
  framer.push(bytes)
  for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
    if (frame.piece === undefined) to.message(frame.type, frame.payload)
  }
}

/** Hands on the number in the first column of each row. */
export class CountCollector implements ReplyCollector {
  readonly #take: (count: number) => void

  constructor(take: (count: number) => void) {
    this.#take = take
  }

  message(type: number, payload: Uint8Array): void {
    if (type === BACKEND.dataRow) this.#take(Number(latin1(readDataRow(payload)[0] ?? new Uint8Array(0))))
  }

  piece(bytes: Uint8Array): void {
    takeEach(bytes, this)
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
