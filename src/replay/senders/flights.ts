import { monotonicNs } from '../../core/clock.ts'
import type { Outcome, OutcomeRecorder, ShotError } from '../../core/outcome.ts'
import type { SlowestShots } from '../../measure/slowest-shots.ts'
import type { KeptReplies } from '../check/kept-replies.ts'
import { HEAD_REQUEST, LAST_ON_CONNECTION, type ShotBatch } from '../shot-batch.ts'
import { ConnectionList } from './connection-list.ts'
import type { AwaitedReply } from './awaited-reply.ts'
import type { SenderCounters } from './sender.ts'
import type { TargetConnection } from './target-connection.ts'
import { shotBytes, WaitingShot } from './waiting-shot.ts'

/** Bounds of what one sender has taken on. */
export interface FlightLimits {
  /** Shots that were given and have not ended, waiting ones included: beyond it shots are shed. */
  readonly maxInFlight: number
  /** Bytes of requests that wait or that the target does not read: beyond it shots are shed. */
  readonly maxHeldBytes: number
}

/** Who else takes something of replies, if anybody does. */
export interface ReplyWatches {
  /** Takes those that are to be compared. */
  readonly replies?: KeptReplies | undefined
  /** Keeps the slowest. */
  readonly slowest?: SlowestShots | undefined
}

/**
 * The shots between `send` and their outcome: which are on a connection, how many wait, and the one place where outcomes
 * are made. One outcome object serves them all; the recorder reads it and keeps nothing.
 */
export class Flights {
  /** Connections with a shot, the longest under way first: as the time-out is the same for all, that is also who expires first. */
  readonly busy: ConnectionList = new ConnectionList()
  readonly #recorder: OutcomeRecorder
  readonly #limits: FlightLimits
  readonly #counters: SenderCounters
  readonly #originNs: number
  readonly #closedLoop: boolean
  readonly #replies: KeptReplies | undefined
  readonly #slowest: SlowestShots | undefined
  readonly #onEnded: (reply: AwaitedReply, whole: boolean) => void
  readonly #outcome: { -readonly [Key in keyof Outcome]: Outcome[Key] } = {
    route: 0,
    dueNs: 0,
    readyNs: 0,
    sentNs: 0,
    doneNs: 0,
    status: 0,
    recordedStatus: 0,
    error: 'none',
    bytesSent: 0,
    bytesReceived: 0,
  }
  #heldBytes = 0
  #waiting = 0
  /** Of the shot that is being placed. */
  #readyNs = 0
  #awaited: AwaitedReply | undefined

  /**
   * `closedLoop`: a shot is due when it is sent, as its own time means nothing where the replies set the pace. `onEnded` is told of each
   * shot whose reply is awaited, and whether that is whole; it must not send anything then.
   */
  constructor(
    recorder: OutcomeRecorder,
    limits: FlightLimits,
    counters: SenderCounters,
    originNs: number,
    closedLoop: boolean,
    onEnded: (reply: AwaitedReply, whole: boolean) => void,
    { replies, slowest }: ReplyWatches,
  ) {
    this.#replies = replies
    this.#slowest = slowest
    this.#recorder = recorder
    this.#limits = limits
    this.#counters = counters
    this.#originNs = originNs
    this.#closedLoop = closedLoop
    this.#onEnded = onEnded
  }

  /** Shots that were given and have not ended. */
  get inFlight(): number {
    return this.#counters.offered - this.#counters.ended
  }

  /** Those of them that have not been sent. */
  get waiting(): number {
    return this.#waiting
  }

  get full(): boolean {
    return this.inFlight >= this.#limits.maxInFlight || this.#heldBytes >= this.#limits.maxHeldBytes
  }

  /** Takes a shot on, or sheds it where too many are in flight: false. */
  admit(batch: ShotBatch, index: number): boolean {
    const shed = this.full
    const counters = this.#counters
    counters.offered++
    if (shed) {
      counters.shed++
      this.endUnsent(batch, index, 'shed')
      return false
    }
    if (!this.#closedLoop && this.inFlight > counters.peakInFlight) counters.peakInFlight = this.inFlight
    return true
  }

  /** What the shot that is placed next brings along: since when it could leave (0: since ever), and who awaits its reply. */
  placing(readyNs: number, awaited: AwaitedReply | undefined): void {
    this.#readyNs = readyNs
    this.#awaited = awaited
  }

  /** A shot that cannot leave yet. */
  hold(batch: ShotBatch, index: number): WaitingShot {
    const shot = new WaitingShot(batch, index, this.#awaited)
    this.#waiting++
    this.#heldBytes += shot.bytes.length
    return shot
  }

  /** Sends a shot on an idle or new connection, free for it since `readyNs` by the monotonic clock; 0: since ever. */
  launch(connection: TargetConnection, batch: ShotBatch, index: number, readyNs: number): void {
    connection.dueNs = this.#originNs + (batch.dueNs[index] ?? 0)
    connection.route = batch.route[index] ?? 0
    connection.recordedStatus = batch.recordedStatus[index] ?? 0
    connection.recording = batch.recording[index] ?? 0
    connection.exchange = batch.exchange[index] ?? 0
    connection.recordedAtNs = batch.recordedAtNs[index] ?? 0
    connection.clone = batch.clone[index] ?? 0
    connection.awaited = this.#awaited
    if (batch.checks !== undefined) this.#keep(connection, batch.checks[index] ?? 0)
    this.#fire(connection, Math.max(readyNs, this.#readyNs), batch.flags[index] ?? 0, shotBytes(batch, index))
  }

  /** A shot that was held is placed after all. */
  release(shot: WaitingShot): void {
    this.#waiting--
    this.#heldBytes -= shot.bytes.length
  }

  launchWaiting(connection: TargetConnection, shot: WaitingShot, readyNs: number): void {
    this.release(shot)
    connection.awaited = shot.awaited
    this.#keep(connection, shot.check)
    connection.dueNs = this.#originNs + shot.dueNs
    connection.route = shot.route
    connection.recordedStatus = shot.recordedStatus
    connection.recording = shot.recording
    connection.exchange = shot.exchange
    connection.recordedAtNs = shot.recordedAtNs
    connection.clone = shot.clone
    this.#fire(connection, readyNs, shot.flags, shot.bytes)
  }

  #fire(connection: TargetConnection, readyNs: number, flags: number, bytes: Uint8Array): void {
    const nowNs = monotonicNs()
    connection.sentNs = nowNs
    if (this.#closedLoop) connection.dueNs = nowNs
    connection.readyNs = readyNs > connection.dueNs ? readyNs : connection.dueNs
    connection.lastOnLane = (flags & LAST_ON_CONNECTION) !== 0
    this.busy.push(connection)
    this.#counters.sent++
    if (this.#closedLoop) this.#notePeak()
    connection.write(bytes, (flags & HEAD_REQUEST) !== 0)
    this.#heldBytes += connection.heldBytes
  }

  /** In a closed loop a shot that waits for its connection is not late, and nobody waits for its reply: only what was sent is in flight. */
  #notePeak(): void {
    const sent = this.inFlight - this.#waiting
    if (sent > this.#counters.peakInFlight) this.#counters.peakInFlight = sent
  }

  /** The end of the shot that is on a connection. */
  end(connection: TargetConnection, error: ShotError, nowNs: number): void {
    this.busy.remove(connection)
    this.#heldBytes -= connection.heldBytes
    connection.heldBytes = 0
    const { originNs, outcome } = { originNs: this.#originNs, outcome: this.#outcome }
    outcome.route = connection.route
    outcome.dueNs = connection.dueNs - originNs
    outcome.readyNs = connection.readyNs - originNs
    outcome.sentNs = connection.sentNs - originNs
    outcome.doneNs = nowNs - originNs
    outcome.status = connection.status
    outcome.recordedStatus = connection.recordedStatus
    outcome.error = error
    outcome.bytesSent = connection.bytesSent
    outcome.bytesReceived = connection.bytesReceived
    this.#record()
    this.#slowest?.offer(outcome, connection)
    this.#handOver(connection, error)
    const { awaited } = connection
    if (awaited === undefined) return
    connection.awaited = undefined
    this.#onEnded(awaited, error === 'none')
  }

  /** Takes a waiting shot back, as if it had never been given: it has no outcome. */
  drop(shot: WaitingShot): void {
    this.release(shot)
    this.#counters.offered--
    this.#replies?.unsent(shot.check)
    if (shot.awaited !== undefined) this.#onEnded(shot.awaited, false)
  }

  endWaiting(shot: WaitingShot, error: ShotError): void {
    this.release(shot)
    const nowNs = monotonicNs() - this.#originNs
    this.#endUnsent(shot.dueNs, nowNs, nowNs, shot.route, shot.recordedStatus, error)
    this.#replies?.unsent(shot.check)
    if (shot.awaited !== undefined) this.#onEnded(shot.awaited, false)
  }

  endUnsent(batch: ShotBatch, index: number, error: ShotError): void {
    const nowNs = monotonicNs() - this.#originNs
    const dueNs = this.#closedLoop ? nowNs : (batch.dueNs[index] ?? 0)
    this.#endUnsent(dueNs, dueNs, nowNs, batch.route[index] ?? 0, batch.recordedStatus[index] ?? 0, error)
    if (batch.checks !== undefined) this.#replies?.unsent(batch.checks[index] ?? 0)
    if (this.#awaited !== undefined) this.#onEnded(this.#awaited, false)
  }

  #keep(connection: TargetConnection, check: number): void {
    if (check !== 0) connection.kept = this.#replies?.begin(check)
  }

  #handOver(connection: TargetConnection, error: ShotError): void {
    const { kept } = connection
    if (kept === undefined) return
    connection.kept = undefined
    this.#replies?.end(kept, error === 'none', this.#outcome.dueNs)
  }

  #endUnsent(
    dueNs: number,
    readyNs: number,
    nowNs: number,
    route: number,
    recordedStatus: number,
    error: ShotError,
  ): void {
    const outcome = this.#outcome
    outcome.route = route
    outcome.dueNs = this.#closedLoop ? nowNs : dueNs
    outcome.readyNs = readyNs
    outcome.sentNs = nowNs
    outcome.doneNs = nowNs
    outcome.status = 0
    outcome.recordedStatus = recordedStatus
    outcome.error = error
    outcome.bytesSent = 0
    outcome.bytesReceived = 0
    this.#record()
  }

  #record(): void {
    this.#counters.ended++
    if (this.#outcome.error === 'none') this.#counters.answered++
    this.#recorder.record(this.#outcome)
  }
}
