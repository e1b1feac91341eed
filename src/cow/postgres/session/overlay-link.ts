import {
  BACKEND,
  readParameterStatus,
  readReadyForQuery,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import { errorResponse, type PgErrorFields, readErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgFrame } from '../../../wire/postgres/framer.ts'
import { flush, FRONTEND } from '../../../wire/postgres/frontend.ts'
import type { ServerConnection } from '../server-connection.ts'
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

  constructor(connection: ServerConnection, listener: LinkListener) {
    this.connection = connection
    this.#listener = listener
    connection.onMessage((frame) => this.#take(frame), { runTypes: [BACKEND.dataRow, BACKEND.copyData] })
    void connection.closed.then(() => this.#replies.abandon())
  }

  /** After an error the backend skips everything up to a Sync; so do we, and nothing is sent. */
  get failed(): boolean {
    return this.#replies.failed
  }

  get copying(): boolean {
    return this.#replies.copying
  }

  /** Nothing was sent since the last Sync or query: outside of a transaction block, no transaction has begun. */
  get synced(): boolean {
    return this.#synced
  }

  /** No reply is under way. */
  get settled(): boolean {
    return this.#replies.settled
  }

  /** Sends a message that has a reply, or drops it where the backend would skip it. */
  send(bytes: Uint8Array, reply: AwaitedReply): void {
    if (this.#replies.failed && reply.kind !== 'sync') return
    this.#replies.expect(reply)
    this.#synced = reply.kind === 'sync' || reply.kind === 'query'
    this.connection.write(bytes)
  }

  /** Sends a message without a reply: Flush, copy data, Terminate. */
  sendBare(bytes: Uint8Array): void {
    if (this.#replies.failed && bytes[0] !== FRONTEND.terminate) return
    this.connection.write(bytes)
  }

  /** Waits for all replies that are under way. */
  async settle(): Promise<void> {
    if (this.#replies.settled) return
    this.connection.write(flush())
    await this.#replies.whenSettled()
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
        const { name, value } = readParameterStatus(frame.payload)
        this.#listener.parameter(name, value)
        this.#listener.toClient(frame.bytes)
        return
      }
      case BACKEND.notificationResponse:
        this.#listener.toClient(frame.bytes)
        return
      case BACKEND.errorResponse:
        this.#listener.toClient(mapped(frame.bytes, frame.payload, current))
        break
      case BACKEND.readyForQuery:
        this.#listener.transaction(readReadyForQuery(frame.payload))
        this.#hand(frame.bytes, frame.payload, type, current)
        break
      default:
        this.#hand(frame.bytes, frame.payload, type, current)
    }
    this.#replies.take(type)
  }

  #hand(bytes: Uint8Array, payload: Uint8Array, type: number, current: AwaitedReply | undefined): void {
    if (current?.collector === undefined) this.#listener.toClient(bytes)
    else current.collector.message(type, payload, bytes)
  }
}

function mapped(bytes: Uint8Array, payload: Uint8Array, reply: AwaitedReply | undefined): Uint8Array {
  return reply?.mapError === undefined ? bytes : errorResponse(reply.mapError(readErrorFields(payload)))
}
