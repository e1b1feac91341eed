import type { ShotBatch } from '../shot-batch.ts'

/**
 * Sends shots to the target, one protocol each. Every shot that was given gets exactly one outcome, which goes to the
 * `OutcomeRecorder` that the sender was made with: no promise and no object a shot on the hot path.
 */
export interface Sender {
  /**
   * Sends shot `index` of the batch now, or queues it behind its predecessor, or sheds it. May record outcomes before it
   * returns. The batch is borrowed: what waits is copied, what is being written keeps the batch's memory until it is. The shot's own bytes
   * are the sender's: values that the target issued may be written over the recorded ones. `nowNs` by the monotonic clock, a moment ago.
   */
  send(batch: ShotBatch, index: number, nowNs: number): void
  /** Could another shot leave at once? What a closed loop asks before it gives one. */
  hasRoom(nowNs: number): boolean
  /** Ends shots that have not been sent yet as `aborted`; what is in flight goes on. */
  abortWaiting(): void
  /** Takes back shots that have not been sent yet, without an outcome: how many. For a closed loop, where none of them was due. */
  dropWaiting(): number
  /** Resolves when every shot has its outcome; then all connections are closed. No `send` after it. */
  close(): Promise<void>
  /** Ends every shot as `aborted`, now, and closes all connections. */
  destroy(): void
}

/** What a sender counts beside its outcomes; plain data. */
export interface SenderCounters {
  /** Shots given to it. */
  offered: number
  /** Requests written, or begun to be: each has a connection. */
  sent: number
  /** Shots with an outcome. */
  ended: number
  /** Replies that were whole. */
  answered: number
  shed: number
  /** Connections that were established. */
  connected: number
  /** Connections opened because the target had closed the one that a shot's own connection had. */
  reconnected: number
  /** Idle connections that the target closed. */
  closedByTarget: number
  /** Connections closed because bytes came that nobody had asked for. */
  unsolicited: number
  /** Shots that failed without an attempt, because the target had just refused several connections. */
  heldBack: number
  /** Requests in which values were replaced by those that the target issued. */
  correlated: number
  /** Shots that waited for a reply that they needed a value of. */
  correlationWaited: number
  /** Shots that were not sent, because a reply that they needed a value of failed or had none. */
  correlationLost: number
  /** Most connections at a time. */
  peakConnections: number
  /** Most shots given and not ended: those that wait are late. In a closed loop most that were sent and not ended. */
  peakInFlight: number
}

export function noCounts(): SenderCounters {
  return {
    offered: 0,
    sent: 0,
    ended: 0,
    answered: 0,
    shed: 0,
    connected: 0,
    reconnected: 0,
    closedByTarget: 0,
    unsolicited: 0,
    heldBack: 0,
    correlated: 0,
    correlationWaited: 0,
    correlationLost: 0,
    peakConnections: 0,
    peakInFlight: 0,
  }
}
