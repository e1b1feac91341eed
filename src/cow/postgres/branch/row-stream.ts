import { concatBytes } from '../../../core/bytes.ts'
import { MeshError } from '../../../core/errors.ts'
import { BACKEND, readTextRow } from '../../../wire/postgres/backend.ts'
import { type PgErrorFields, postgresError, readErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgFrame } from '../../../wire/postgres/framer.ts'
import { query } from '../../../wire/postgres/frontend.ts'
import type { ServerConnection } from '../server-connection.ts'

/** Reading stops while this much waits to be taken: some thousand rows. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** Three times a value of PostgreSQL's own bound would not fit into a string. */
const MAX_ROW_BYTES = 256 * 1024 * 1024

/** A row in text format. */
export type TextRow = readonly (string | null)[]

/**
 * The rows of one statement as they come, never more of them held than some MiB. The connection may do nothing else until the end; who
 * stops before it destroys the connection.
 *
 * @throws MeshError MESH_ERR_POSTGRES with what the server said; MESH_ERR_LIMIT for a row of more than 256 MiB.
 */
export async function* streamRows(connection: ServerConnection, text: string): AsyncGenerator<TextRow> {
  const inbox = new RowInbox(connection)
  connection.onMessage((frame) => inbox.take(frame))
  connection.write(query(text))
  let over = false
  try {
    for (;;) {
      const rows = await inbox.next()
      if (rows === undefined) break
      yield* rows
    }
    over = true
  } finally {
    if (over) connection.onMessage(undefined)
    else connection.destroy()
  }
}

class RowInbox {
  readonly #connection: ServerConnection
  #rows: TextRow[] = []
  #waitingBytes = 0
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  #fault: PgErrorFields | MeshError | undefined
  #state: 'reading' | 'done' | 'lost' = 'reading'
  #wake: (() => void) | undefined

  constructor(connection: ServerConnection) {
    this.#connection = connection
    void connection.closed.then(() => {
      if (this.#state === 'reading') this.#state = 'lost'
      this.#wake?.()
    })
  }

  take(frame: PgFrame): void {
    if (frame.piece !== undefined) this.#takePiece(frame.type, frame.piece, frame.last)
    else if (frame.type === BACKEND.dataRow) this.#add(frame.payload)
    else if (frame.type === BACKEND.errorResponse) this.#fault ??= readErrorFields(frame.payload)
    else if (frame.type === BACKEND.readyForQuery) this.#state = 'done'
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#connection.pause()
    this.#wake?.()
  }

  /** Some rows; undefined at the end. */
  async next(): Promise<readonly TextRow[] | undefined> {
    while (this.#rows.length === 0 && this.#state === 'reading') {
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
    if (this.#rows.length === 0) return this.#end()
    const rows = this.#rows
    this.#rows = []
    this.#waitingBytes = 0
    this.#connection.resume()
    return rows
  }

  #end(): undefined {
    const { where } = this.#connection
    if (this.#fault instanceof MeshError) throw this.#fault
    if (this.#fault !== undefined) throw postgresError(this.#fault, { expected: 'the statement to run', where })
    if (this.#state === 'lost') {
      throw new MeshError('MESH_ERR_UNREACHABLE', { what: 'the overlay went away while rows were read', where })
    }
    return undefined
  }

  #takePiece(type: number, piece: Uint8Array, last: boolean): void {
    if (type !== BACKEND.dataRow || this.#fault !== undefined) return
    this.#piecesBytes += piece.length
    if (this.#piecesBytes > MAX_ROW_BYTES) {
      this.#pieces = []
      this.#fault = new MeshError('MESH_ERR_LIMIT', {
        what: `expected rows of at most ${MAX_ROW_BYTES} bytes, found a longer one`,
        where: this.#connection.where,
      })
      return
    }
    this.#pieces.push(Uint8Array.from(piece))
    if (!last) return
    const bytes = concatBytes(this.#pieces)
    this.#pieces = []
    this.#piecesBytes = 0
    this.#add(bytes.subarray(HEADER_BYTES))
  }

  #add(payload: Uint8Array): void {
    this.#waitingBytes += payload.length
    this.#rows.push(readTextRow(payload))
  }
}

/** Type and length. */
const HEADER_BYTES = 5
