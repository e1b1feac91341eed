import { concatBytes } from '../../core/bytes.ts'
import { MeshError } from '../../core/errors.ts'
import { BACKEND, readCommandComplete, readRowDescription, readTextRow } from '../../wire/postgres/backend.ts'
import type { PgField } from '../../wire/postgres/backend.ts'
import { postgresError, readErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgFrame, PgPiece } from '../../wire/postgres/framer.ts'

/** What one statement gave. */
export interface QueryResult {
  /** Empty for a statement without rows. */
  readonly fields: readonly PgField[]
  /** Values in text format. */
  readonly rows: readonly (readonly (string | null)[])[]
  /** `INSERT 0 1`, `SELECT 5`; empty for an empty statement. */
  readonly tag: string
}

/** What a collector wants of whoever feeds it. */
export type CollectorNeed = 'more' | 'done' | 'cancel' | 'endCopyIn'

/** Gathers the replies up to ReadyForQuery. */
export class ResultCollector {
  readonly #where: string
  readonly #maxBytes: number
  readonly #results: QueryResult[] = []
  #fields: readonly PgField[] = []
  #rows: (string | null)[][] = []
  #heldBytes = 0
  #pieces: Uint8Array[] = []
  #fault: MeshError | undefined
  #serverFault: PgErrorFields | undefined

  constructor(where: string, maxBytes: number) {
    this.#where = where
    this.#maxBytes = maxBytes
  }

  /** Takes what answers the statements. `cancel`: the result is too large, the rest is dropped. */
  take(frame: PgFrame): CollectorNeed {
    if (frame.piece !== undefined) return this.#takePiece(frame)
    const { type } = frame
    switch (type) {
      case BACKEND.rowDescription:
        this.#fields = readRowDescription(frame.payload)
        return 'more'
      case BACKEND.dataRow:
        return this.#takeRow(frame.payload)
      case BACKEND.commandComplete:
        this.#endResult(readCommandComplete(frame.payload))
        return 'more'
      case BACKEND.emptyQuery:
        this.#endResult('')
        return 'more'
      case BACKEND.errorResponse:
        this.#serverFault ??= readErrorFields(frame.payload)
        return 'more'
      case BACKEND.copyInResponse:
      case BACKEND.copyOutResponse:
        this.#fault ??= this.#noCopy()
        return type === BACKEND.copyInResponse ? 'endCopyIn' : 'more'
      case BACKEND.copyBothResponse:
        throw this.#noCopy()
      case BACKEND.readyForQuery:
        return 'done'
      default:
        // ParseComplete and the like, and copy data that nobody takes.
        return 'more'
    }
  }

  /** The results, in order; throws the first error. */
  results(): readonly QueryResult[] {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#serverFault !== undefined) {
      throw postgresError(this.#serverFault, { expected: 'the statement to run', where: this.#where })
    }
    return this.#results
  }

  #takeRow(payload: Uint8Array): CollectorNeed {
    if (this.#fault !== undefined) return 'more'
    if (!this.#hold(payload.length)) return 'cancel'
    this.#rows.push(readTextRow(payload))
    return 'more'
  }

  /** Only a row is worth being put together; anything else that is so long is dropped. */
  #takePiece(frame: PgPiece): CollectorNeed {
    if (frame.type !== BACKEND.dataRow || this.#fault !== undefined) return 'more'
    if (!this.#hold(frame.piece.length)) return 'cancel'
    this.#pieces.push(Uint8Array.from(frame.piece))
    if (!frame.last) return 'more'
    const bytes = concatBytes(this.#pieces)
    this.#pieces = []
    this.#rows.push(readTextRow(bytes.subarray(5)))
    return 'more'
  }

  #hold(bytes: number): boolean {
    this.#heldBytes += bytes
    if (this.#heldBytes <= this.#maxBytes) return true
    this.#fault = new MeshError('MESH_ERR_LIMIT', {
      what: `expected a result of at most ${this.#maxBytes} bytes, found more`,
      where: this.#where,
      remedy: 'ask for fewer rows',
    })
    this.#rows = []
    this.#pieces = []
    this.#results.length = 0
    return false
  }

  #endResult(tag: string): void {
    this.#results.push({ fields: this.#fields, rows: this.#rows, tag })
    this.#fields = []
    this.#rows = []
  }

  #noCopy(): MeshError {
    return new MeshError('MESH_ERR_POSTGRES', {
      what: 'expected a statement with rows as its result, found a COPY',
      where: this.#where,
      remedy: 'send it in raw mode',
    })
  }
}
