import type { ShotBatch } from '../shot-batch.ts'
import type { TargetConnection } from './target-connection.ts'
import type { WaitingShot } from './waiting-shot.ts'

/** Which connection a shot leaves on, and what it waits for: the policy of a sender. */
export interface ShotOrder {
  /** Places a shot that was admitted. */
  place(batch: ShotBatch, index: number, nowNs: number): void
  /** A connection was answered and can carry another shot. */
  freed(connection: TargetConnection, nowNs: number): void
  /** A connection is closed and out of the pool. */
  gone(connection: TargetConnection, nowNs: number): void
  /** Could a shot, of a connection of the recording that is not busy, leave at once? */
  hasRoom(nowNs: number): boolean
  /** Takes out all shots that wait, and hands each over to be ended. */
  clearWaiting(end: (shot: WaitingShot) => void): void
}
