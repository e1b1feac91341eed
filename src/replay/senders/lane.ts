import { Chain } from './chain.ts'
import type { TargetConnection } from './target-connection.ts'
import type { WaitingShot } from './waiting-shot.ts'

/** A connection of the recording (or a clone of one): its shots leave one after the other, each when the last was answered. */
export class Lane {
  readonly ordinal: number
  /** Undefined: none yet, or it ended, or another lane took it over while this one was idle. */
  connection: TargetConnection | undefined = undefined
  readonly waiting: Chain<WaitingShot> = new Chain<WaitingShot>()
  /** It stands in the queue for a connection. */
  queued = false
  next: Lane | undefined = undefined

  constructor(ordinal: number) {
    this.ordinal = ordinal
  }
}
