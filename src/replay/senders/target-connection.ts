import type { Socket } from 'node:net'

import { monotonicNs } from '../../core/clock.ts'
import type { ShotError } from '../../core/outcome.ts'
import type { ShotOrigin } from '../../measure/slowest-shots.ts'
import { DEFAULT_REPLY_LIMITS, ReplyFramer } from '../../wire/http1/reply-framer.ts'
import type { KeptReply } from '../check/kept-replies.ts'
import type { Dialer } from './dialer.ts'
import type { AwaitedReply } from './awaited-reply.ts'
import { socketFailure } from './shot-failure.ts'

/** Hears of each thing that ends a connection's shot or the connection; `nowNs` is the moment, by the monotonic clock. */
export interface ConnectionOwner {
  connected(connection: TargetConnection): void
  /** The shot's reply is whole. The connection is idle, or closed where it cannot be used again. */
  replied(connection: TargetConnection, nowNs: number): void
  /** The shot failed, and with it the connection. */
  failed(connection: TargetConnection, error: ShotError, nowNs: number): void
  /** An idle connection ended: the target closed it, or sent bytes that nobody had asked for. */
  idleEnded(connection: TargetConnection, unsolicited: boolean, nowNs: number): void
}

/**
 * One connection to the target and the shot that is on it: at most one at a time. All its memory is allocated when it
 * is opened; a shot only sets fields. Times are of the monotonic clock.
 */
export class TargetConnection implements ShotOrigin {
  /** Which connection of the recording it stands for, where order is kept; -1: none. */
  lane = -1
  /** A shot's reply is awaited. */
  busy = false
  closed = false
  /** It is the target that closed it, while it was idle. */
  lostIdle = false
  /** Established, with TLS: handshake done. */
  ready = false
  /** Replies it has carried. */
  served = 0
  readonly openedNs: number
  /** Since when its last reply was whole. */
  freeSinceNs = 0

  dueNs = 0
  readyNs = 0
  sentNs = 0
  route = 0
  recordedStatus = 0
  recording = 0
  exchange = 0
  recordedAtNs = 0
  clone = 0
  lastOnLane = false
  bytesSent = 0
  bytesReceived = 0
  /** Later shots need values from this reply. */
  awaited: AwaitedReply | undefined = undefined
  /** This reply is to be compared. */
  kept: KeptReply | undefined = undefined
  /** Of the request, bytes that the system had not taken when it was written: they keep memory until the shot ends. */
  heldBytes = 0

  /** Its neighbours in the one list it is in: of busy connections by time of sending, or of idle ones by time of use. */
  previous: TargetConnection | undefined
  next: TargetConnection | undefined

  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #framer = new ReplyFramer(DEFAULT_REPLY_LIMITS)
  #established = false

  constructor(dialer: Dialer, owner: ConnectionOwner, nowNs: number) {
    this.#owner = owner
    this.openedNs = nowNs
    const socket = dialer.dial((length, bytes) => this.#take(length, bytes))
    this.#socket = socket
    socket.once('connect', () => {
      this.#established = true
    })
    socket.once(dialer.readyEvent, () => {
      this.ready = true
      if (!this.closed) owner.connected(this)
    })
    socket.on('end', () => this.#ended())
    socket.on('error', (error) => this.#broken(error))
    socket.on('close', () => this.#ended())
  }

  /** The status of the reply, 0 where none came. */
  get status(): number {
    return this.#framer.status
  }

  /** Writes a request; before the connection stands, a copy of it as soon as it does. Bytes are borrowed until the system has them. */
  write(bytes: Uint8Array, headRequest: boolean): void {
    this.busy = true
    this.bytesSent = bytes.length
    this.bytesReceived = 0
    this.#framer.begin(headRequest)
    this.#socket.write(this.ready ? bytes : Buffer.from(bytes))
    this.heldBytes = this.#socket.writableLength
  }

  /** Its shot has waited too long: fails it, and closes the connection, on which the reply may still come. */
  expire(): void {
    this.#fail(this.ready ? 'timeout' : 'connect_timeout')
  }

  /** Closes it without telling its owner. */
  close(): void {
    this.closed = true
    this.busy = false
    this.#socket.destroy()
  }

  #take(length: number, bytes: Uint8Array): boolean {
    if (this.closed) return false
    if (!this.busy) {
      this.#endIdle(true)
      return false
    }
    this.bytesReceived += length
    const framer = this.#framer
    const used = framer.push(bytes, 0, length)
    if (this.awaited !== undefined) this.awaited.capture.push(bytes, used)
    if (this.kept !== undefined) this.kept.push(bytes, used)
    if (framer.badReason !== undefined) this.#fail('bad_reply')
    else if (framer.done) {
      // More than the one reply that was asked for: which bytes were the reply is then anyone's guess.
      if (used < length) this.#fail('bad_reply')
      else this.#replied()
    }
    return !this.closed
  }

  #replied(): void {
    const nowNs = monotonicNs()
    this.busy = false
    this.served++
    this.freeSinceNs = nowNs
    if (!this.#framer.reusable) this.close()
    this.#owner.replied(this, nowNs)
  }

  #ended(): void {
    if (this.closed) return
    if (!this.busy) this.#endIdle(false)
    else if (this.#framer.finish()) this.#replied()
    else this.#fail(this.#established && !this.ready ? 'tls' : this.#lost('closed'))
  }

  #broken(error: Error): void {
    if (this.closed) return
    if (!this.busy) this.#endIdle(false)
    else this.#fail(this.#lost(socketFailure(error, this.#established, this.ready)))
  }

  /**
   * A target may close an idle connection while a request is under way to it: no fault of the request, and as it may have been
   * acted upon it is not sent again (RFC 9110 9.2.2).
   */
  #lost(error: ShotError): ShotError {
    const untouched = this.served > 0 && this.bytesReceived === 0
    return untouched && (error === 'reset' || error === 'closed') ? 'reset_reused' : error
  }

  #fail(error: ShotError): void {
    this.close()
    this.#owner.failed(this, error, monotonicNs())
  }

  #endIdle(unsolicited: boolean): void {
    this.close()
    this.lostIdle = !unsolicited
    this.#owner.idleEnded(this, unsolicited, monotonicNs())
  }
}
