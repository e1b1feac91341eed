import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { MessagePort } from 'node:worker_threads'

import { monotonicNs } from '../core/clock.ts'
import { toMeshError } from '../core/errors.ts'
import { type ThreadHealth, ThreadWatch } from '../measure/health.ts'
import { IntervalRecorder, snapshotBuffers } from '../measure/interval.ts'
import { SlowestShots } from '../measure/slowest-shots.ts'
import { BatchInbox } from './batch-inbox.ts'
import { KeptReplies, repliesBuffers } from './check/kept-replies.ts'
import { StatusChanges } from './check/status-changes.ts'
import { runReplay } from './replay.ts'
import { noCounts } from './senders/sender.ts'
import { Tempo } from './tempo.ts'
import { plainError } from '../core/plain-error.ts'
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.ts'

/** How often the loop's delay is sampled; the samples count from it. */
const LOOP_SAMPLE_MS = 10

/**
 * A sending thread: replays the batches that it is posted, from `begin` on, and posts a snapshot of what it recorded each
 * second of the run, then its summary. Resolves after its last message, when the port is closed.
 */
export async function runWorker(port: MessagePort, start: WorkerStart): Promise<void> {
  const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, [...transfer])
  }
  try {
    await replayPosted(port, start, post)
  } catch (error) {
    post({ kind: 'failed', error: plainError(toMeshError(error, `sender ${start.worker}`)) })
  } finally {
    port.close()
  }
}

async function replayPosted(
  port: MessagePort,
  start: WorkerStart,
  post: (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void,
): Promise<void> {
  const stop = new AbortController()
  const abandon = new AbortController()
  const tempo = new Tempo()
  const inbox = new BatchInbox(() => post({ kind: 'took', batches: 1 }))
  const cuts = new Cuts()
  const originNs = new Promise<number>((resolve) => {
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'batch') inbox.push(message.batch)
      else if (message.kind === 'begin') resolve(message.originNs)
      else if (message.kind === 'cut') cuts.ask(message.measureFromNs)
      else if (message.kind === 'end') inbox.end()
      else if (message.kind === 'tempo') tempo.change(message.atNs, message.speed)
      else if (message.kind === 'stop') stop.abort()
      else abandon.abort()
      // A thread that is stopped before it began has nothing to wait for.
      if (message.kind === 'stop' || message.kind === 'abandon') resolve(monotonicNs())
    })
  })
  post({ kind: 'ready' })
  await replayFrom(await originNs, inbox, start, post, { stop: stop.signal, abandon: abandon.signal, tempo, cuts })
}

/** Ends of blocks that are asked for; one that comes before the run has begun waits for it. */
class Cuts {
  #asked: number | undefined
  #cut: ((measureFromNs: number) => void) | undefined

  ask(measureFromNs: number): void {
    if (this.#cut === undefined) this.#asked = measureFromNs
    else this.#cut(measureFromNs)
  }

  take(cut: (measureFromNs: number) => void): void {
    this.#cut = cut
    if (this.#asked !== undefined) cut(this.#asked)
  }
}

async function replayFrom(
  originNs: number,
  inbox: BatchInbox,
  { worker, options, routeCount, warmupNs, check }: WorkerStart,
  post: (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void,
  control: {
    readonly stop: AbortSignal
    readonly abandon: AbortSignal
    readonly tempo: Tempo
    readonly cuts: Cuts
  },
): Promise<void> {
  let watch = new ThreadWatch(`sender ${worker}`)
  const delays = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS })
  delays.enable()
  const recorder = new IntervalRecorder({ worker, routeCount, warmupNs })
  const statuses = check === undefined ? undefined : new StatusChanges(recorder, warmupNs)
  const replies =
    check === 'body'
      ? new KeptReplies(warmupNs, (posted) => post({ kind: 'replies', replies: posted }, repliesBuffers(posted)))
      : undefined
  const slowest = new SlowestShots(warmupNs)
  const counters = noCounts()
  const health = (): ThreadHealth => watch.read(Math.max(0, delays.percentile(99) - LOOP_SAMPLE_MS * 1e6))
  const report = (): void => {
    const numbers = statuses?.take()
    if (numbers !== undefined) post({ kind: 'statuses', numbers }, [numbers.buffer])
    replies?.flush()
    const slow = slowest.take()
    if (slow !== undefined) post({ kind: 'slowest', numbers: slow }, [slow.buffer])
    const snapshot = recorder.take(monotonicNs() - originNs)
    const buffers = snapshot === undefined ? [] : snapshotBuffers(snapshot)
    post({ kind: 'interval', snapshot, counters, health: health() }, buffers)
  }
  control.cuts.take((measureFromNs) => {
    report()
    recorder.measureFrom(measureFromNs)
    slowest.measureFrom(measureFromNs)
    post({ kind: 'cut', health: health() })
    watch = new ThreadWatch(`sender ${worker}`)
    delays.reset()
  })
  const ticking = everySecond(originNs, report)
  try {
    const summary = await runReplay(inbox, { ...options, originNs }, statuses ?? recorder, control.stop, {
      abandon: control.abandon,
      tempo: control.tempo,
      counters,
      replies,
      slowest,
      onTrip: (reason) => post({ kind: 'tripped', reason }),
    })
    report()
    post({ kind: 'finished', summary, health: health() })
  } finally {
    ticking.stop()
    delays.disable()
  }
}

/** Calls at the whole seconds of the run, so that the intervals of all threads are the same. */
function everySecond(originNs: number, call: () => void): { stop(): void } {
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const sinceNs = monotonicNs() - originNs
    const waitNs = sinceNs < 0 ? 1e9 - sinceNs : 1e9 - (sinceNs % 1e9)
    timer = setTimeout(
      () => {
        call()
        arm()
      },
      Math.ceil(waitNs / 1e6),
    )
  }
  arm()
  return { stop: () => clearTimeout(timer) }
}
