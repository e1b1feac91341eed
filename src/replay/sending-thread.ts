import { Worker } from 'node:worker_threads'

import { MeshError } from '../core/errors.ts'
import type { ThreadHealth } from '../measure/health.ts'
import type { IntervalSnapshot } from '../measure/interval.ts'
import type { PostedReplies } from './check/kept-replies.ts'
import type { ReplaySummary } from './replay.ts'
import type { SenderCounters } from './senders/sender.ts'
import { ShardCredit } from './shard-credit.ts'
import { batchBuffers, type ShotBatch } from './shot-batch.ts'
import { meshError } from '../core/plain-error.ts'
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.ts'

/** A thread's second. */
export interface ThreadInterval {
  readonly worker: number
  /** What it recorded; undefined: nothing ended. */
  readonly snapshot: IntervalSnapshot | undefined
  /** Its counters so far, and how it fared so far. */
  readonly counters: SenderCounters
  readonly health: ThreadHealth
}

/** What a sending thread tells while it runs. */
export interface ThreadEvents {
  readonly onInterval: (interval: ThreadInterval) => void
  readonly onTrip: (reason: string) => void
  readonly onStatuses: (numbers: Uint32Array) => void
  readonly onReplies: (replies: PostedReplies) => void
  readonly onSlowest: (numbers: Float64Array) => void
}

/** What a sending thread says at its end. */
export interface ThreadEnd {
  readonly summary: ReplaySummary
  readonly health: ThreadHealth
}

/**
 * One sending thread, seen from the thread that feeds it. `ready` and `finished` reject with what it failed with; a thread that
 * ends without a word is MESH_ERR_WORKER_DIED.
 */
export class SendingThread {
  readonly ready: Promise<void>
  readonly finished: Promise<ThreadEnd>
  readonly #worker: Worker
  readonly #ordinal: number
  readonly #events: ThreadEvents
  readonly #credit: ShardCredit
  #over = false
  #room: (() => void) | undefined
  #onCut: (health: ThreadHealth) => void = () => undefined
  #onReady: () => void = () => undefined
  #onFinished: (end: ThreadEnd) => void = () => undefined
  #onFailed: (error: unknown) => void = () => undefined

  constructor(start: WorkerStart, entry: URL, events: ThreadEvents) {
    this.#ordinal = start.worker
    this.#events = events
    this.#credit = new ShardCredit(start.options.loop === 'open')
    this.finished = new Promise<ThreadEnd>((resolve, reject) => {
      this.#onFinished = resolve
      this.#onFailed = reject
    })
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve
    })
    this.ready = Promise.race([ready, this.finished.then(() => undefined)])
    this.ready.catch(() => undefined)
    this.#worker = new Worker(entry, { workerData: start })
    this.#worker.on('message', (message: FromWorker) => this.#take(message))
    this.#worker.on('error', (error) => this.#die(error))
    this.#worker.on('exit', () => this.#die(undefined))
  }

  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, [...transfer])
  }

  async give(batch: ShotBatch, signal: AbortSignal | undefined): Promise<boolean> {
    while (!this.#credit.hasRoom && !this.#over) await this.#changed(signal)
    signal?.throwIfAborted()
    if (this.#over) return false
    this.#credit.give(batch)
    this.post({ kind: 'batch', batch }, batchBuffers(batch))
    return true
  }

  /** Ends a block, one at a time: how the thread fared in it, after its last interval was handed over. */
  async cut(measureFromNs: number): Promise<ThreadHealth> {
    const cut = new Promise<ThreadHealth>((resolve) => {
      this.#onCut = resolve
    })
    this.post({ kind: 'cut', measureFromNs })
    return await Promise.race([cut, this.finished.then(({ health }) => health)])
  }

  stop(kind: 'stop' | 'abandon'): void {
    this.#end()
    this.post({ kind })
  }

  async terminate(): Promise<void> {
    this.#end()
    await this.#worker.terminate()
  }

  #changed(signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#room = wake
      signal?.addEventListener('abort', wake)
      if (signal?.aborted === true) wake()
    }).then(() => signal?.throwIfAborted())
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#onReady()
        break
      case 'took':
        this.#credit.taken(message.batches)
        this.#room?.()
        break
      case 'interval':
        this.#events.onInterval({ worker: this.#ordinal, ...message })
        break
      case 'statuses':
        this.#events.onStatuses(message.numbers)
        break
      case 'replies':
        this.#events.onReplies(message.replies)
        break
      case 'slowest':
        this.#events.onSlowest(message.numbers)
        break
      case 'cut':
        this.#onCut(message.health)
        break
      case 'tripped':
        this.#events.onTrip(message.reason)
        break
      case 'finished':
        this.#end()
        this.#onFinished(message)
        break
      case 'failed':
        this.#end()
        this.#onFailed(meshError(message.error))
        break
    }
  }

  /** After `finished` or `failed` it only closes the door behind itself. */
  #die(cause: unknown): void {
    this.#end()
    this.#onFailed(
      new MeshError('MESH_ERR_WORKER_DIED', {
        what: `a sending thread ended before its run did${cause instanceof Error ? `: ${cause.message}` : ''}`,
        where: `sender ${this.#ordinal}`,
        remedy: 'the result up to then was written; see --workers and the memory of this machine',
        ...(cause === undefined ? {} : { cause }),
      }),
    )
  }

  #end(): void {
    this.#over = true
    this.#room?.()
  }
}
