import { MeshError } from '../core/errors.ts'
import { type GeneratorHealth, StealWatch } from '../measure/health.ts'
import type { CheckMode } from '../measure/reply-check.ts'
import type { PostedReplies } from './check/kept-replies.ts'
import type { ReplayEnding, ReplayOptions, ReplaySummary } from './replay.ts'
import { SendingThread, type ThreadInterval } from './sending-thread.ts'
import type { ShotBatch } from './shot-batch.ts'
import type { WorkerStart } from './worker-protocol.ts'

/** Replies are compared with the recorded ones: what, and who hears of it. */
export interface FleetCheck {
  readonly mode: CheckMode
  /** Statuses that are not the recorded ones, of a thread's last second: see `StatusTotals.add`. */
  readonly onStatuses: (numbers: Uint32Array) => void
  /** Replies that the batches asked for. */
  readonly onReplies: (replies: PostedReplies) => void
}

export interface FleetOptions {
  /** Sending threads, one a shard. */
  readonly workers: number
  /** The compiled `worker-main.js`. Default: the one beside this file. */
  readonly entry?: URL
  /** For each thread; totals such as `maxConnections` and `maxInFlight` are of the whole fleet and divided among them. */
  readonly options: Omit<ReplayOptions, 'originNs'>
  readonly routeCount: number
  readonly warmupNs?: number
  readonly onInterval: (interval: ThreadInterval) => void
  /** Undefined: replies are not compared. */
  readonly check?: FleetCheck | undefined
  /** Hears of the slowest shots: see `SlowestShots.add`. */
  readonly onSlowest?: (numbers: Float64Array) => void
}

/** What a fleet did, when the last thread has ended. */
export interface FleetSummary {
  /** `finished` only where every thread has. */
  readonly ending: ReplayEnding
  /** Why the breaker tripped. */
  readonly reason: string | undefined
  readonly workers: readonly ReplaySummary[]
  readonly health: GeneratorHealth
}

/** From the most to the least serious: how a fleet ended whose threads did not end alike. */
const ENDINGS: readonly ReplayEnding[] = ['abandoned', 'breaker', 'stopped', 'finished']

/**
 * The sending threads of a run. `open`, then `submit` batches, each to its shard, and `begin` when time 0 is; batches may come
 * before it. `end` after the last, and wait for `finished`. Nothing is sent after `stop`; after `abandon`, nothing is awaited.
 */
export class Fleet {
  readonly finished: Promise<FleetSummary>
  readonly #threads: readonly SendingThread[]
  #steal = new StealWatch()
  #tripped: string | undefined

  /** Resolves when every thread is ready to send. Throws MESH_ERR_WORKER_DIED, or what a thread failed with. */
  static async open(options: FleetOptions, signal?: AbortSignal): Promise<Fleet> {
    const fleet = new Fleet(options)
    try {
      await Promise.all(fleet.#threads.map((thread) => thread.ready))
      signal?.throwIfAborted()
    } catch (error) {
      await fleet.close()
      throw error
    }
    return fleet
  }

  private constructor(options: FleetOptions) {
    const perThread = divided(options.options, options.workers)
    this.#threads = Array.from({ length: options.workers }, (_, worker) => {
      const { routeCount, warmupNs = 0, entry, onInterval, check, onSlowest } = options
      const start: WorkerStart = { worker, options: perThread, routeCount, warmupNs, check: check?.mode }
      return new SendingThread(start, entry ?? new URL('worker-main.js', import.meta.url), {
        onInterval,
        onTrip: (reason) => this.#trip(reason),
        onStatuses: (numbers) => check?.onStatuses(numbers),
        onReplies: (replies) => check?.onReplies(replies),
        onSlowest: (numbers) => onSlowest?.(numbers),
      })
    })
    this.finished = this.#finish()
    // Whoever opens a fleet may still be filling it when a thread dies.
    this.finished.catch(() => undefined)
  }

  /** Time 0 of the run, by the monotonic clock. */
  begin(originNs: number): void {
    for (const thread of this.#threads) thread.post({ kind: 'begin', originNs })
  }

  /**
   * Hands a shard its next batch, whose memory is transferred, when there is room for it. False where the run is over or
   * stopping: there is no use for more. Throws the signal's reason.
   */
  async submit(shard: number, batch: ShotBatch, signal?: AbortSignal): Promise<boolean> {
    const thread = this.#threads[shard]
    if (thread === undefined) {
      throw new MeshError('MESH_ERR_INTERNAL', {
        what: `expected a shard below ${this.#threads.length}, found ${shard}`,
      })
    }
    return await thread.give(batch, signal)
  }

  /**
   * Ends a block when all of its shots have ended: how the threads fared in it, after their last intervals came. Of the next, outcomes due before
   * `measureFromNs` (from the run's origin) are left out of every figure.
   */
  async cut(measureFromNs: number): Promise<GeneratorHealth> {
    const threads = await Promise.all(this.#threads.map((thread) => thread.cut(measureFromNs)))
    const stealShare = this.#steal.read()
    this.#steal = new StealWatch()
    return { threads, stealShare }
  }

  /** From `atNs` of the run on, the schedule goes at `speed`; 0 pauses it. What is late by then leaves all the same. */
  retime(atNs: number, speed: number): void {
    for (const thread of this.#threads) thread.post({ kind: 'tempo', atNs, speed })
  }

  /** No more batches come. */
  end(): void {
    for (const thread of this.#threads) thread.post({ kind: 'end' })
  }

  /** No more shots leave; those in flight end in their own time. */
  stop(): void {
    for (const thread of this.#threads) thread.stop('stop')
  }

  /** What is in flight ends as `aborted`, now. */
  abandon(): void {
    for (const thread of this.#threads) thread.stop('abandon')
  }

  /** Ends the threads, whatever they do. Not needed after `finished`. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()))
  }

  #trip(reason: string): void {
    this.#tripped ??= reason
    this.stop()
  }

  async #finish(): Promise<FleetSummary> {
    try {
      const ends = await Promise.all(this.#threads.map((thread) => thread.finished))
      const endings = ends.map(({ summary }) => summary.ending)
      return {
        ending: ENDINGS.find((ending) => endings.includes(ending)) ?? 'finished',
        reason: this.#tripped,
        workers: ends.map(({ summary }) => summary),
        health: { threads: ends.map(({ health }) => health), stealShare: this.#steal.read() },
      }
    } catch (error) {
      this.abandon()
      throw error
    }
  }
}

function divided(options: Omit<ReplayOptions, 'originNs'>, workers: number): Omit<ReplayOptions, 'originNs'> {
  return {
    ...options,
    maxConnections: Math.max(1, Math.floor(options.maxConnections / workers)),
    maxInFlight: Math.max(1, Math.floor(options.maxInFlight / workers)),
  }
}
