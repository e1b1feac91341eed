import { MeshError } from '../../core/errors.ts'
import { readByCopies } from '../../net/shared-reader.ts'
import { BACKEND, readParameterStatus, readReadyForQuery } from '../../wire/postgres/backend.ts'
import type { CancelKey, TransactionStatus } from '../../wire/postgres/backend.ts'
import { postgresError, readErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgFrame, PgMessage } from '../../wire/postgres/framer.ts'
import { terminate } from '../../wire/postgres/frontend.ts'
import type { QueryResult } from './query-result.ts'
import { QueryQueue } from './query-queue.ts'
import { cancelSession } from './server-cancel.ts'
import { ServerChannel } from './server-channel.ts'
import { ConnectLimit, connectError, dialServer } from './server-dial.ts'
import { login } from './server-login.ts'
import type { ServerFacts } from './server-login.ts'
import { addressText, DEFAULT_MAX_RESULT_BYTES } from './server-options.ts'
import type { ServerOptions } from './server-options.ts'

export type { QueryResult } from './query-result.ts'
export type { ServerOptions } from './server-options.ts'

/** How messages are handed over in raw mode. */
export interface RawOptions {
  /** Types (DataRow, CopyData) whose consecutive messages come as one piece, for who only passes them on. Default none. */
  readonly runTypes?: readonly number[]
  /** Called when all messages that were read at once were handed over: the time to flush what they led to. */
  readonly chunkEnd?: () => void
  /** Called when what was written has left, after a `write` that gave false. */
  readonly drain?: () => void
}

/**
 * One session on a PostgreSQL server. It collects results (`query`, `execute`), or hands every message over as it is (raw mode:
 * `onMessage`, `write`). Its errors are `MeshError`s; `postgresErrorOf` gives what the server said.
 */
export interface ServerConnection {
  readonly processId: number
  readonly secretKey: Uint8Array
  /** The server's settings as it reports them, kept up to date. */
  readonly parameters: ReadonlyMap<string, string>
  /** Of the last ReadyForQuery. */
  readonly status: TransactionStatus
  /** The address, for errors and logs. */
  readonly where: string
  /** Bytes that were written and have not left yet. */
  readonly unsentBytes: number
  /**
   * Runs a text of any number of statements (simple protocol), one result for each. Calls wait for one another. An aborted
   * signal cancels the statement and gives `MESH_ERR_ABORTED`.
   */
  query(text: string, signal?: AbortSignal): Promise<readonly QueryResult[]>
  /** Runs one statement with parameters in text format (extended protocol). `types` are oids; 0 or missing: inferred. */
  execute(
    text: string,
    values: readonly (string | null)[],
    types?: readonly number[],
    signal?: AbortSignal,
  ): Promise<QueryResult>
  /** Sends messages as they are; the bytes are the connection's from then on. False: stop until `drain`. */
  write(bytes: Uint8Array): boolean
  /** Enters raw mode: the handler gets every frame, borrowed. Undefined leaves it. Neither while a query runs. */
  onMessage(handler: ((frame: PgFrame) => void) | undefined, options?: RawOptions): void
  /** Gets the server's notices, outside of raw mode. */
  onNotice(handler: ((fields: PgErrorFields) => void) | undefined): void
  /** Stops reading, at once: the handler gets nothing until `resume`. */
  pause(): void
  resume(): void
  /** Asks the server, over another connection, to end what this session runs. It may be over before that arrives. */
  cancel(): Promise<void>
  /** Resolves when the connection is over: undefined where we closed it, else why. */
  readonly closed: Promise<MeshError | undefined>
  /** Says goodbye once running queries are done, and closes; gives up waiting for the server after 5 s. */
  end(): Promise<void>
  /** Closes at once; queries under way fail. */
  destroy(): void
}

/** A server that was told goodbye closes within this, or we do. */
const END_GRACE_MS = 5000

/**
 * Connects, encrypts and authenticates. The signal ends the connecting; the connection lives until `end` or `destroy`.
 *
 * @throws MeshError `MESH_ERR_UNREACHABLE`, `MESH_ERR_ADDRESS`, `MESH_ERR_TLS`, `MESH_ERR_ABORTED`, or `MESH_ERR_POSTGRES` where the
 *   server refuses us.
 */
export async function connectServer(options: ServerOptions, signal: AbortSignal): Promise<ServerConnection> {
  const where = addressText(options.address)
  const limit = new ConnectLimit(options, signal)
  try {
    const dialled = await dialServer(options, limit)
    const socket = readByCopies(dialled) ?? dialled
    limit.watch(socket)
    const channel = new ServerChannel(socket, where, options.maxHeldBytes)
    const facts = await login(channel, options)
    limit.release()
    return new Session(channel, options, facts)
  } catch (thrown) {
    limit.drop()
    throw connectError(thrown, where)
  }
}

class Session implements ServerConnection {
  readonly processId: number
  readonly secretKey: Uint8Array
  readonly parameters: Map<string, string>
  readonly where: string
  readonly closed: Promise<MeshError | undefined>
  status: TransactionStatus = 'I'
  readonly #channel: ServerChannel
  readonly #options: ServerOptions
  readonly #queries: QueryQueue
  #raw: ((frame: PgFrame) => void) | undefined
  #notice: ((fields: PgErrorFields) => void) | undefined
  /** What the server said before it ended the session. */
  #lastWords: PgErrorFields | undefined

  constructor(channel: ServerChannel, options: ServerOptions, facts: ServerFacts) {
    this.#channel = channel
    this.#options = options
    this.where = addressText(options.address)
    this.processId = facts.cancelKey.processId
    this.secretKey = facts.cancelKey.secretKey
    this.parameters = facts.parameters
    this.#queries = new QueryQueue({
      where: this.where,
      maxResultBytes: options.maxResultBytes ?? DEFAULT_MAX_RESULT_BYTES,
      write: (bytes) => channel.write(bytes),
      cancel: () => this.cancel(),
      destroy: (error) => channel.destroy(error),
    })
    this.closed = channel.closed.then((error) => this.#closed(error))
    this.#handle()
  }

  get unsentBytes(): number {
    return this.#channel.unsentBytes
  }

  async query(text: string, signal?: AbortSignal): Promise<readonly QueryResult[]> {
    this.#mayQuery()
    return this.#queries.query(text, signal)
  }

  async execute(
    text: string,
    values: readonly (string | null)[],
    types: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<QueryResult> {
    this.#mayQuery()
    return this.#queries.execute({ text, values, types }, signal)
  }

  write(bytes: Uint8Array): boolean {
    return this.#channel.write(bytes)
  }

  onMessage(handler: ((frame: PgFrame) => void) | undefined, options: RawOptions = {}): void {
    if (this.#queries.busy) throw misuse('no query under way when raw mode changes', 'one', this.where)
    this.#raw = handler
    this.#handle(options)
  }

  onNotice(handler: ((fields: PgErrorFields) => void) | undefined): void {
    this.#notice = handler
  }

  pause(): void {
    this.#channel.pause()
  }

  resume(): void {
    this.#channel.resume()
  }

  cancel(): Promise<void> {
    const key: CancelKey = { processId: this.processId, secretKey: this.secretKey }
    return cancelSession(this.#options, key)
  }

  async end(): Promise<void> {
    await this.#queries.idle()
    this.#channel.end(terminate())
    const timer = setTimeout(() => this.destroy(), END_GRACE_MS)
    await this.closed
    clearTimeout(timer)
  }

  destroy(): void {
    this.#channel.destroy()
  }

  #handle(options: RawOptions = {}): void {
    const { runTypes = [], chunkEnd, drain } = options
    const handler = {
      frame: (frame: PgFrame) => this.#take(frame),
      ...(chunkEnd === undefined ? {} : { chunkEnd }),
      ...(drain === undefined ? {} : { drain }),
    }
    this.#channel.handle(handler, this.#raw === undefined ? [] : runTypes)
  }

  #take(frame: PgFrame): void {
    if (frame.piece === undefined) this.#note(frame)
    if (this.#raw !== undefined) this.#raw(frame)
    else this.#queries.take(frame)
  }

  /** Keeps status and parameters, in raw mode too. */
  #note(message: PgMessage): void {
    switch (message.type) {
      case BACKEND.readyForQuery:
        this.status = readReadyForQuery(message.payload)
        break
      case BACKEND.parameterStatus: {
        const { name, value } = readParameterStatus(message.payload)
        this.parameters.set(name, value)
        break
      }
      case BACKEND.errorResponse:
        this.#noteError(readErrorFields(message.payload))
        break
      case BACKEND.noticeResponse:
        if (this.#raw === undefined) this.#notice?.(readErrorFields(message.payload))
        break
      default:
    }
  }

  /** FATAL and PANIC end the session. */
  #noteError(fields: PgErrorFields): void {
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') this.#lastWords = fields
  }

  #closed(error: MeshError | undefined): MeshError | undefined {
    const last = this.#lastWords
    const why =
      error === undefined || last === undefined
        ? error
        : postgresError(last, { expected: 'the connection to stay open', where: this.where })
    this.#queries.fail(
      why ?? new MeshError('MESH_ERR_ABORTED', { what: 'the connection was closed', where: this.where }),
    )
    return why
  }

  #mayQuery(): void {
    if (this.#raw !== undefined) throw misuse('no query in raw mode', 'one', this.where)
  }
}

function misuse(expected: string, found: string, where: string): MeshError {
  return new MeshError('MESH_ERR_INTERNAL', { what: `expected ${expected}, found ${found}`, where })
}
