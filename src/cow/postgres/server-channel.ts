import type { Socket } from 'node:net'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { MessageFramer } from '../../wire/postgres/framer.ts'
import type { PgFrame, PgMessage } from '../../wire/postgres/framer.ts'

/** Gets the frames of a channel. */
export interface FrameHandler {
  frame(frame: PgFrame): void
  /** All frames of what was read at once were given: the time to flush. */
  chunkEnd?(): void
  /** What was written has left: write on. */
  drain?(): void
}

/**
 * The messages of one connection, over a socket that is connected (and encrypted). First they are pulled one at a time,
 * with `next`; once a handler is set, they are pushed to it. Nothing is read while it is paused.
 */
export class ServerChannel {
  /** Resolves once the connection is over: undefined where we ended it, else why. */
  readonly closed: Promise<MeshError | undefined>
  readonly #socket: Socket
  readonly #where: string
  readonly #framer: MessageFramer
  #resolveClosed: (error: MeshError | undefined) => void = () => undefined
  #handler: FrameHandler | undefined
  #waiting: { resolve(message: PgMessage): void; reject(error: Error): void } | undefined
  #paused = false
  #pumping = false
  #corked = false
  #ending = false
  /** Why the connection is over, from the moment it is; `null` where we ended it. */
  #over: MeshError | null | undefined

  constructor(socket: Socket, where: string, maxHeldBytes?: number) {
    this.#socket = socket
    this.#where = where
    this.#framer = new MessageFramer(maxHeldBytes === undefined ? {} : { maxHeldBytes })
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    socket.pause()
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('drain', () => this.#drained())
    socket.on('error', (error) => this.#finish(toMeshError(error, where)))
    socket.on('close', () => this.#finish(this.#ending ? null : closedByServer(where)))
    // A socket that failed between two owners says nothing more.
    if (socket.destroyed) this.#finish(closedByServer(where))
  }

  /** False after the connection's end. */
  get open(): boolean {
    return this.#over === undefined
  }

  /** Bytes that were written and have not left yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** The next message, borrowed until the next call. Before a handler is set; one call at a time. */
  next(): Promise<PgMessage> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      if (this.#over !== undefined) this.#rejectWaiting(this.#over)
      else if (!this.#giveWaiting()) this.#socket.resume()
    })
  }

  /** Pushes frames to this handler from now on, those of `runTypes` in runs. */
  handle(handler: FrameHandler, runTypes: readonly number[] = []): void {
    this.#handler = handler
    this.#framer.setRunTypes(runTypes)
    if (this.#paused) return
    this.#pump()
    this.#socket.resume()
  }

  /**
   * Sends bytes, which are the channel's until they have left. False: enough is waiting, stop until `drain`. What is written in
   * one turn of the loop leaves together.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#over !== undefined || this.#ending) return true
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    return this.#socket.write(bytes)
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#pump()
    if (!this.#paused) this.#socket.resume()
  }

  /** Sends these last bytes and closes. */
  end(last: Uint8Array): void {
    if (this.#over !== undefined || this.#ending) return
    this.write(last)
    this.#ending = true
    this.#socket.end()
    // Whatever the server still has to say is read and dropped, or it could not close.
    this.#handler = { frame: () => undefined }
    this.#paused = false
    this.#socket.resume()
  }

  /** Closes at once; `closed` gives the error. */
  destroy(error?: MeshError): void {
    this.#finish(error ?? null)
    this.#socket.destroy()
  }

  #take(chunk: Uint8Array): void {
    this.#framer.push(chunk)
    if (this.#handler !== undefined) this.#pump()
    else if (!this.#giveWaiting()) return
    else this.#socket.pause()
  }

  /** Gives the waiting caller a message, where there is a whole one. */
  #giveWaiting(): boolean {
    const waiting = this.#waiting
    if (waiting === undefined) return false
    try {
      const frame = this.#framer.next()
      if (frame === undefined) return false
      if (frame.piece !== undefined) throw tooLong(this.#where)
      this.#waiting = undefined
      waiting.resolve(frame)
    } catch (thrown) {
      this.destroy(located(thrown, this.#where))
    }
    return true
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (!this.#paused && this.#over === undefined) {
        const frame = this.#framer.next()
        if (frame === undefined) break
        this.#handler?.frame(frame)
      }
      this.#handler?.chunkEnd?.()
    } catch (thrown) {
      this.destroy(located(thrown, this.#where))
    } finally {
      this.#pumping = false
    }
  }

  #drained(): void {
    try {
      this.#handler?.drain?.()
    } catch (thrown) {
      this.destroy(located(thrown, this.#where))
    }
  }

  #finish(over: MeshError | null): void {
    if (this.#over !== undefined) return
    this.#over = over
    this.#rejectWaiting(over)
    this.#resolveClosed(over ?? undefined)
  }

  #rejectWaiting(over: MeshError | null): void {
    this.#waiting?.reject(
      over ?? new MeshError('MESH_ERR_ABORTED', { what: 'the connection was closed', where: this.#where }),
    )
    this.#waiting = undefined
  }
}

/** A message that cannot be read is an error of this server. */
function located(thrown: unknown, where: string): MeshError {
  const error = toMeshError(thrown, where)
  if (error.where !== undefined) return error
  const { code, what, remedy } = error
  return new MeshError(code, { what, where, cause: error, ...(remedy === undefined ? {} : { remedy }) })
}

function closedByServer(where: string): MeshError {
  return new MeshError('MESH_ERR_UNREACHABLE', {
    what: 'expected the connection to stay open, found that the server closed it',
    where,
    remedy: "see the server's log",
  })
}

function tooLong(where: string): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: 'expected a short message while connecting, found one that is too long',
    where,
    remedy: 'is this a PostgreSQL server?',
  })
}
