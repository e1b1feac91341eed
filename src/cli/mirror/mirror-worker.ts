import { parentPort, workerData } from 'node:worker_threads'
import { capture } from '../../capture/capture.ts'
import { RecordingPipeline } from '../../capture/pipeline.ts'
import type { RecorderThreadData } from '../../capture/tap/recorder-thread.ts'
import { RingSource } from '../../capture/tap/source.ts'
import { monotonicNs, unixNs } from '../../core/clock.ts'
import { toMeshError } from '../../core/errors.ts'
import type { Ledger } from '../../core/ledger.ts'
import { LedgerKeeper } from '../../core/ledger.ts'
import { type PlainError, plainError } from '../../core/plain-error.ts'
import { MirrorWriter } from '../../mirror/mirror-writer.ts'
import type { MirrorReport } from '../../mirror/mirror.ts'
import { PROTOCOLS } from '../../wire/registry.ts'
import { assembleMirror } from './mirror-assembly.ts'
import { HURRY } from './mirror-settings.ts'
import type { MirrorSettings } from './mirror-settings.ts'

/** What the mirroring thread tells the tap's thread. */
export type MirrorMessage =
  | { readonly kind: 'ready' }
  /** It could not start. */
  | { readonly kind: 'refused'; readonly error: PlainError }
  | { readonly kind: 'progress'; readonly report: MirrorReport; readonly ledger: Ledger }
  | { readonly kind: 'done'; readonly report: MirrorReport; readonly ledger: Ledger }

const PROGRESS_MS = 1000

/** The mirroring thread of a tap: ring in, copies out. It ends when the ring does and the last copy has ended. */
async function mirrorRing(settings: MirrorSettings, ring: SharedArrayBuffer): Promise<void> {
  const post = (message: MirrorMessage): void => parentPort?.postMessage(message)
  const offsetNs = Number(unixNs() - settings.originUnixNs) - monotonicNs()
  const nowNs = (): number => monotonicNs() + offsetNs
  let assembled
  try {
    assembled = assembleMirror(settings, nowNs, false)
  } catch (error) {
    post({ kind: 'refused', error: plainError(toMeshError(error)) })
    return
  }
  const { mirror, stages, note } = assembled
  const ledger = new LedgerKeeper()
  const writer = new MirrorWriter(mirror)
  const { maxBodyBytes, secure } = settings
  const pipeline = new RecordingPipeline({ protocol: PROTOCOLS.http1, writer, ledger, stages, maxBodyBytes, secure })
  const now = new AbortController()
  const hear = (message: unknown): void => {
    if (message !== HURRY) return
    now.abort()
    mirror.destroy()
  }
  parentPort?.on('message', hear)
  const state = (): { report: MirrorReport; ledger: Ledger } => ({ report: mirror.report(), ledger: ledger.total() })
  const progress = setInterval(() => post({ kind: 'progress', ...state() }), PROGRESS_MS)
  post({ kind: 'ready' })
  try {
    await capture(new RingSource(ring), pipeline, writer, now.signal, { nowNs })
    note(ledger)
    await writer.close()
  } finally {
    clearInterval(progress)
    // A listener keeps the thread alive.
    parentPort?.off('message', hear)
  }
  post({ kind: 'done', ...state() })
}

function isThreadData(value: unknown): value is RecorderThreadData & { readonly config: MirrorSettings } {
  return typeof value === 'object' && value !== null && 'ring' in value && 'config' in value
}

const data: unknown = workerData
if (isThreadData(data)) await mirrorRing(data.config, data.ring)
