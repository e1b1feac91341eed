import type { PlainError } from '../core/plain-error.ts'
import type { ThreadHealth } from '../measure/health.ts'
import type { IntervalSnapshot } from '../measure/interval.ts'
import type { CheckMode } from '../measure/reply-check.ts'
import type { PostedReplies } from './check/kept-replies.ts'
import type { ReplayOptions, ReplaySummary } from './replay.ts'
import type { SenderCounters } from './senders/sender.ts'
import type { ShotBatch } from './shot-batch.ts'

/** What a sending thread is started with, as its `workerData`. */
export interface WorkerStart {
  /** Which thread it is, and which shard it sends. */
  readonly worker: number
  readonly options: Omit<ReplayOptions, 'originNs'>
  readonly routeCount: number
  /** Outcomes due before this, from the run's origin, are left out of the figures. */
  readonly warmupNs: number
  /** What of replies is compared with the recorded ones; undefined: nothing. */
  readonly check: CheckMode | undefined
}

/** To a sending thread. Batches may come before `begin`; their memory is transferred. */
export type ToWorker =
  | { readonly kind: 'begin'; readonly originNs: number }
  | { readonly kind: 'batch'; readonly batch: ShotBatch }
  /** Ends a block: what it recorded is posted, then `cut`; of the next, what is due before `measureFromNs` is left out. */
  | { readonly kind: 'cut'; readonly measureFromNs: number }
  | { readonly kind: 'end' }
  /** From `atNs` of the run on the schedule goes at `speed`; 0 pauses it. */
  | { readonly kind: 'tempo'; readonly atNs: number; readonly speed: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'abandon' }

/** From a sending thread; `finished` or `failed` is the last. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** The loop has taken so many more batches: there is room for others. */
  | { readonly kind: 'took'; readonly batches: number }
  | {
      readonly kind: 'interval'
      /** Undefined: nothing ended in it. Its memory is transferred. */
      readonly snapshot: IntervalSnapshot | undefined
      readonly counters: SenderCounters
      /** Since the run began. */
      readonly health: ThreadHealth
    }
  /** Statuses that are not the recorded ones: see `StatusChanges.take`. Its memory is transferred. */
  | { readonly kind: 'statuses'; readonly numbers: Uint32Array<ArrayBuffer> }
  /** The slowest shots so far that were not told yet: see `SlowestShots.take`. Its memory is transferred. */
  | { readonly kind: 'slowest'; readonly numbers: Float64Array<ArrayBuffer> }
  /** Replies that are to be compared. Their memory is transferred. */
  | { readonly kind: 'replies'; readonly replies: PostedReplies }
  /** How the thread fared since the last one; the block's last interval came before it. */
  | { readonly kind: 'cut'; readonly health: ThreadHealth }
  | { readonly kind: 'tripped'; readonly reason: string }
  | { readonly kind: 'finished'; readonly summary: ReplaySummary; readonly health: ThreadHealth }
  | { readonly kind: 'failed'; readonly error: PlainError }
