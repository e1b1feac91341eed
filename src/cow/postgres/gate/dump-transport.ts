import { concatBytes } from '../../../core/bytes.ts'
import { monotonicNs } from '../../../core/clock.ts'
import { MeshError } from '../../../core/errors.ts'
import { BACKEND, readCommandComplete, readyForQuery } from '../../../wire/postgres/backend.ts'
import { errorResponse, readErrorFields } from '../../../wire/postgres/error-fields.ts'
import { MessageFramer, type PgFrame, type PgMessage } from '../../../wire/postgres/framer.ts'
import { FRONTEND, query, readQuery } from '../../../wire/postgres/frontend.ts'
import { judgeDumpStatement } from './dump-statement.ts'
import { gateFault, SQLSTATE } from './faults.ts'
import type { Passable } from './passable.ts'
import type { ExecutionLog } from './read-transaction.ts'
import type { Execution, UpstreamConnection } from './upstream-connection.ts'
import { NO_PARAMETERS } from './upstream-statement.ts'

export interface DumpTransportOptions {
  readonly passable: Passable
  readonly log: ExecutionLog
  /** A server that says nothing for so long has its connection closed. */
  readonly maxSilenceMs: number
  release(connection: UpstreamConnection): void
}

/** Of one answer: the catalogue of a very large schema. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024

/**
 * pg_dump's statements over one of the gate's connections: bytes in, bytes out. Each is judged, sent in a read-only session, and
 * recorded. The connection is not used again: its settings were changed.
 */
export class DumpTransport {
  readonly #connection: UpstreamConnection
  readonly #options: DumpTransportOptions
  readonly #framer = new MessageFramer()
  #answer: Uint8Array[] = []
  #answerBytes = 0
  #rows = 0
  #tag = ''
  #error: Execution | undefined
  #ready: (() => void) | undefined
  #failed = false
  #inTransaction = false
  #silence: NodeJS.Timeout | undefined

  constructor(connection: UpstreamConnection, options: DumpTransportOptions) {
    this.#connection = connection
    this.#options = options
    connection.isTainted = true
    connection.server.onMessage((frame) => this.#take(frame))
    void connection.server.closed.then(() => this.#ready?.())
  }

  /** As production reported them: what a login would be answered. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#connection.server.parameters
  }

  /**
   * Takes what pg_dump writes behind its login; resolves with what it reads next, which is nothing where its message is not whole yet. One call at a
   * time. Throws `MESH_ERR_POSTGRES` where the connection is lost, `MESH_ERR_LIMIT` at an answer of more than 256 MiB.
   */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    this.#framer.push(Uint8Array.from(bytes))
    const answers: Uint8Array[] = []
    for (let message = this.#framer.next(); message !== undefined; message = this.#framer.next()) {
      if (message.piece !== undefined) throw tooLarge('a statement of at most 16 MiB')
      answers.push(await this.#answerTo(message))
    }
    return concatBytes(answers)
  }

  close(): void {
    this.#options.release(this.#connection)
  }

  async #answerTo(message: PgMessage): Promise<Uint8Array> {
    if (message.type === FRONTEND.terminate) return new Uint8Array(0)
    if (message.type !== FRONTEND.query) return this.#refuse('pg_dump speaks the simple protocol')
    const verdict = judgeDumpStatement(readQuery(message.payload), this.#options.passable)
    return verdict.kind === 'refused' ? this.#refuse(verdict.reason) : this.#send(verdict.text)
  }

  async #send(text: string): Promise<Uint8Array> {
    const { server } = this.#connection
    const { log } = this.#options
    if (log.failure !== undefined) throw log.failure
    this.#answer = []
    this.#answerBytes = 0
    this.#rows = 0
    this.#tag = ''
    this.#error = undefined
    const sentNs = monotonicNs()
    const ready = new Promise<void>((resolve) => (this.#ready = resolve))
    this.#silence = setTimeout(() => server.destroy(), this.#options.maxSilenceMs)
    server.write(query(text))
    await ready
    clearTimeout(this.#silence)
    const end: Execution = this.#error ?? { kind: 'complete', tag: this.#tag, rows: this.#rows }
    const statement = { text, parameterTypes: [], bindTail: NO_PARAMETERS }
    const { processId } = server
    const durationNs = monotonicNs() - sentNs
    log.record({ lane: 'dump', statement, isContinued: false, processId, durationNs, end })
    if (this.#answerBytes > MAX_ANSWER_BYTES) throw tooLarge(`an answer of at most ${MAX_ANSWER_BYTES} bytes`)
    if (this.#connection.isLost) {
      throw new MeshError('MESH_ERR_POSTGRES', {
        what: `expected an answer within ${this.#options.maxSilenceMs / 1000} s, found none, or the connection lost`,
        where: server.where,
      })
    }
    return concatBytes(this.#answer)
  }

  #take(frame: PgFrame): void {
    this.#silence?.refresh()
    const bytes = frame.piece ?? frame.bytes
    this.#answerBytes += bytes.length
    if (this.#answerBytes <= MAX_ANSWER_BYTES) this.#answer.push(Uint8Array.from(bytes))
    if (frame.type === BACKEND.dataRow) this.#rows++
    if (frame.piece !== undefined) return
    if (frame.type === BACKEND.commandComplete) this.#tag = readCommandComplete(frame.payload)
    if (frame.type === BACKEND.errorResponse) {
      this.#failed = this.#inTransaction
      this.#error = { kind: 'failed', error: readErrorFields(frame.payload), rows: this.#rows, lost: false }
    }
    if (frame.type !== BACKEND.readyForQuery) return
    this.#inTransaction = this.#connection.server.status !== 'I'
    this.#failed = this.#connection.server.status === 'E'
    this.#ready?.()
  }

  #refuse(reason: string): Uint8Array {
    const error = gateFault(SQLSTATE.refused, `the gate to production refuses a statement of the dump: ${reason}`)
    const status = this.#failed ? 'E' : this.#inTransaction ? 'T' : 'I'
    return concatBytes([errorResponse(error), readyForQuery(status)])
  }
}

function tooLarge(expected: string): MeshError {
  return new MeshError('MESH_ERR_LIMIT', { what: `expected ${expected}, found more`, where: "pg_dump's connection" })
}
