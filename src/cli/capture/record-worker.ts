import { parentPort, workerData } from 'node:worker_threads'
import type { RecordingEvent } from '../../archive/writer.ts'
import { capture } from '../../capture/capture.ts'
import type { RecorderThreadData } from '../../capture/tap/recorder-thread.ts'
import { RingSource } from '../../capture/tap/source.ts'
import { monotonicNs, unixNs } from '../../core/clock.ts'
import { toMeshError } from '../../core/errors.ts'
import type { Ledger } from '../../core/ledger.ts'
import { type PlainError, plainError } from '../../core/plain-error.ts'
import type { RecordSettings } from './record-settings.ts'
import { createRecorder } from './recorder.ts'

/** What the recording thread tells the tap's thread. */
export type RecordMessage =
  | { readonly kind: 'ready' }
  /** It could not start: nothing was recorded, nothing is left behind. */
  | { readonly kind: 'refused'; readonly error: PlainError }
  | { readonly kind: 'progress'; readonly exchanges: number; readonly openConnections: number }
  | { readonly kind: 'event'; readonly event: RecordingEvent }
  | { readonly kind: 'limit' }
  | { readonly kind: 'done'; readonly ledger: Ledger; readonly exchanges: number }

const PROGRESS_MS = 1000

/** The recording thread of a tap: ring in, recording out. It ends when the ring does. */
async function record(settings: RecordSettings, ring: SharedArrayBuffer): Promise<void> {
  const post = (message: RecordMessage): void => parentPort?.postMessage(message)
  let failed = false
  const tell = (event: RecordingEvent): void => {
    failed ||= event.kind === 'failed'
    post({ kind: 'event', event })
  }
  const recorder = await createRecorder(settings, tell).catch((error: unknown) => {
    post({ kind: 'refused', error: plainError(toMeshError(error, settings.output)) })
  })
  if (recorder === undefined) return
  const { pipeline, writer } = recorder
  const offsetNs = Number(unixNs() - settings.originUnixNs) - monotonicNs()
  const progress = setInterval(() => {
    post({ kind: 'progress', exchanges: pipeline.intake.written, openConnections: pipeline.openConnections })
  }, PROGRESS_MS)
  post({ kind: 'ready' })
  try {
    const options = { nowNs: () => monotonicNs() + offsetNs }
    await capture(new RingSource(ring), pipeline, writer, new AbortController().signal, options)
    if (pipeline.limitReached) post({ kind: 'limit' })
    // What could not be written is in the ledger, which is told whatever becomes of the file.
    await recorder.close().catch((error: unknown) => {
      if (!failed) tell({ kind: 'failed', error: toMeshError(error, settings.output) })
    })
  } finally {
    clearInterval(progress)
  }
  post({ kind: 'done', ledger: writer.total(), exchanges: pipeline.intake.written })
}

function isThreadData(value: unknown): value is RecorderThreadData & { readonly config: RecordSettings } {
  return typeof value === 'object' && value !== null && 'ring' in value && 'config' in value
}

const data: unknown = workerData
if (isThreadData(data)) await record(data.config, data.ring)
