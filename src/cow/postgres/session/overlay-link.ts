import { isAscii as isAsciiBytes } from 'node:buffer'
import { utf8Bytes } from '../../../core/bytes.ts'
import {
  BACKEND,
  commandComplete,
  readParameterStatus,
  readReadyForQuery,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import { errorResponse, type PgErrorFields, readErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgFrame, PgMessage } from '../../../wire/postgres/framer.ts'
import { flush, FRONTEND, terminate } from '../../../wire/postgres/frontend.ts'
import type { UnreadNotices } from '../branch/unread-notices.ts'
import type { ServerConnection } from '../server-connection.ts'
import { type ClientEncoding, encodingOf } from './client-encoding.ts'
import { type AwaitedReply, ReplyQueue } from './reply-queue.ts'

/** What a session does with what its backend says. */
export interface LinkListener {
  /** Bytes for the client, in order: whole messages, or pieces of one. Borrowed. */
  toClient(bytes: Uint8Array): void
  /** A notice, before the client gets it; true keeps it from the client. */
  notice(fields: PgErrorFields): boolean
  parameter(name: string, value: string): void
  /** The backend is ready for more; before the client gets to know. */
  transaction(status: TransactionStatus): void
}

/** The session's own backend in the overlay: what is sent there is awaited here, and every reply finds its owner. */
export class OverlayLink {
  readonly connection: ServerConnection
  readonly #listener: LinkListener
  readonly #replies = new ReplyQueue()
  #synced = true
  #executed = false
  #saidWhy = false
  #encoding: ClientEncoding | undefined
  readonly #unread: UnreadNotices
  /** What is sent touches no rows. */
  #isHarmless = true
  /** Something was sent that may touch rows, and not all that was said of it is read, or its transaction goes on. */
  #mayTouch = false
  #isPaused = false

  constructor(connection: ServerConnection, listener: LinkListener, unread: UnreadNotices) {
    this.connection = connection
    this.#listener = listener
    this.#unread = unread
    connection.onMessage((frame) => this.#take(frame), { runTypes: [BACKEND.dataRow, BACKEND.copyData] })
    void connection.closed.then(() => {
      // Where nothing was awaited, nothing was committed that is not known.
      if (this.#mayTouch && !this.settled) unread.lose(this)
      else unread.delete(this)
      this.#replies.abandon()
    })
  }

  /** Told of each statement before it is sent. Portals of earlier ones live as long as their transaction. */
  note(isHarmless: boolean): void {
    this.#isHarmless = isHarmless && !this.#mayTouch
  }

  /** The client does not read as fast as the backend writes. */
  pause(): void {
    this.#isPaused = true
    if (this.#mayTouch) this.#unread.add(this)
    this.connection.pause()
  }

  /** What came meanwhile is read from now on: others wait for all of it. */
  resume(): void {
    this.#isPaused = false
    this.connection.resume()
  }

  /** There was an error, and the backend is not ready again. */
  get failed(): boolean {
    return this.#replies.failed
  }

  /** What is sent is dropped, but for a Sync. */
  get skipping(): boolean {
    return this.#replies.skipping
  }

  get copying(): boolean {
    return this.#replies.copying
  }

  /** The backend has told the client why it ends the session. */
  get saidWhy(): boolean {
    return this.#saidWhy
  }

  /** Nothing of the extended protocol was sent since the last Sync: outside of a transaction block, no transaction has begun. */
  get synced(): boolean {
    return this.#synced
  }

  /** Something was executed since the last Sync: a query behind it does not end its transaction. */
  get executed(): boolean {
    return this.#executed
  }

  /** How the backend reads and writes text, as far as is known: see `knowsEncoding`. */
  get encoding(): ClientEncoding {
    if (this.#encoding === undefined) this.#encoding = this.#encodingOf(this.#reported('client_encoding'))
    return this.#encoding
  }

  /** A backslash in an ordinary string constant has a meaning: PostgreSQL reads texts by other rules than our parser. */
  get hasEscapes(): boolean {
    return this.connection.parameters.get('standard_conforming_strings') === 'off'
  }

  /** The backend tells of another encoding when it is ready for more. */
  get knowsEncoding(): boolean {
    return this.synced && this.settled
  }

  /** The backend has said that it is this one now. */
  noteEncoding(name: string): void {
    this.#encoding = this.#encodingOf(name)
  }

  #reported(name: string): string {
    return this.connection.parameters.get(name) ?? 'UTF8'
  }

  #encodingOf(name: string): ClientEncoding {
    return this.#encoding?.name === name ? this.#encoding : encodingOf(name, this.#reported('server_encoding'))
  }

  /** No reply is under way. */
  get settled(): boolean {
    return this.#replies.settled
  }

  /** Sends a message that has a reply, or drops it where the backend would skip it. */
  send(bytes: Uint8Array, reply: AwaitedReply): void {
    if (this.#replies.skipping && reply.kind !== 'sync') {
      reply.undone?.('skipped')
      return
    }
    this.#replies.expect(reply)
    if (!this.#isHarmless) this.#expectNotices()
    // A query amid a pipeline does not end it, nor its transaction.
    this.#synced = reply.kind === 'sync' || (reply.kind === 'query' && this.#synced)
    this.#executed = reply.kind === 'execute' || (reply.kind !== 'sync' && this.#executed)
    this.connection.write(bytes)
  }

  /** Sends a message without a reply: Flush, copy data, Terminate. */
  sendBare(bytes: Uint8Array): void {
    if (this.#replies.skipping && bytes[0] !== FRONTEND.terminate) return
    this.connection.write(bytes)
  }

  /** Waits for all replies that are under way. */
  async settle(): Promise<void> {
    if (this.#replies.settled) return
    this.connection.write(flush())
    await this.#replies.whenSettled()
  }

  /**
   * Says goodbye, and resolves when the backend is gone. It ends what it runs before it hears of that, and commits it: what it tells of
   * touched rows until then is the other sessions' business. Only where the proxy ends, by the signal, nobody has to know.
   */
  async leave(signal: AbortSignal): Promise<void> {
    const { connection } = this
    connection.write(terminate())
    if (!this.settled && !signal.aborted) {
      connection.resume()
      await new Promise<void>((resolve) => {
        const stop = (): void => resolve()
        signal.addEventListener('abort', stop)
        void connection.closed.then(() => {
          signal.removeEventListener('abort', stop)
          resolve()
        })
      })
    }
    await connection.end()
  }

  #expectNotices(): void {
    this.#mayTouch = true
    if (this.#isPaused) this.#unread.add(this)
  }

  #take(frame: PgFrame): void {
    const current = this.#replies.current
    if (frame.piece !== undefined) {
      // Rows, or a part of something huge: never the end of a reply.
      if (current?.collector === undefined) this.#listener.toClient(frame.piece)
      else current.collector.piece(frame.piece)
      return
    }
    const { type } = frame
    switch (type) {
      case BACKEND.noticeResponse:
        if (!this.#listener.notice(readErrorFields(frame.payload))) this.#listener.toClient(frame.bytes)
        return
      case BACKEND.parameterStatus: {
        const { name, value } = readParameterStatus(this.#readable(frame.payload))
        this.#listener.parameter(name, value)
        this.#listener.toClient(frame.bytes)
        return
      }
      case BACKEND.notificationResponse:
        this.#listener.toClient(frame.bytes)
        return
      case BACKEND.errorResponse:
        this.#takeError(frame, current)
        break
      case BACKEND.readyForQuery:
        if (this.#encoding !== undefined) this.#encoding = this.#encodingOf(this.#reported('client_encoding'))
        this.#listener.transaction(readReadyForQuery(frame.payload))
        this.#hand(frame.bytes, frame.payload, type, current)
        break
      default:
        this.#hand(frame.bytes, frame.payload, type, current)
    }
    this.#replies.take(type)
    if (type === BACKEND.readyForQuery && this.settled && this.connection.status === 'I') {
      this.#mayTouch = false
      this.#unread.delete(this)
    }
  }

  #readable(payload: Uint8Array): Uint8Array {
    const encoding = this.#encodingOf(this.#reported('client_encoding'))
    const text = encoding.isUtf8 ? undefined : encoding.decode(payload)
    return text === undefined ? payload : utf8Bytes(text)
  }

  #takeError({ bytes, payload }: PgMessage, reply: AwaitedReply | undefined): void {
    const fields = readErrorFields(payload)
    this.#saidWhy = fields.severity === 'FATAL' || fields.severity === 'PANIC'
    // In another encoding than ours a message that is not ASCII goes as it is.
    const isReadable = this.encoding.isUtf8 || isAsciiBytes(bytes.subarray(5))
    const mapError = isReadable ? reply?.mapError : undefined
    this.#listener.toClient(mapError === undefined ? bytes : errorResponse(mapError(fields)))
  }

  #hand(bytes: Uint8Array, payload: Uint8Array, type: number, current: AwaitedReply | undefined): void {
    if (current?.collector !== undefined) {
      current.collector.message(type, payload, bytes)
      return
    }
    const tag = type === BACKEND.commandComplete ? current?.mapTag?.() : undefined
    this.#listener.toClient(tag === undefined ? bytes : commandComplete(tag))
  }
}
