import type { ThreadHealth } from '../../measure/health.ts'
import type { Measurement } from '../../measure/measurement.ts'
import type { SenderCounters } from '../../replay/senders/sender.ts'
import type { LoadControl } from './load-control.ts'
import type { RunCheck } from './replay-check.ts'

/** A run while it goes on, for who shows it. All of it changes as it goes. */
export interface LiveRun {
  readonly measurement: Measurement
  /** By sending thread. */
  readonly counters: ReadonlyMap<number, SenderCounters>
  readonly health: ReadonlyMap<number, ThreadHealth>
  readonly control: LoadControl
  /** When it began, by the monotonic clock; 0: it has not. */
  readonly begun: { readonly atNs: number }
  /** Replies against the recorded ones; undefined: they are not compared. */
  readonly check: RunCheck | undefined
  /** No more is sent. */
  readonly stopping: () => boolean
}
