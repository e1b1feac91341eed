import { Worker } from 'node:worker_threads'
import { MeshError, toMeshError } from '../../core/errors.ts'

/**
 * The recorder's heap. Its own bounds keep it far below; should they fail, it dies alone, of this limit, instead of taking
 * the relay along.
 */
const MAX_HEAP_MIB = 1024

/** What a recording thread is started with, as its `workerData`. */
export interface RecorderThreadData {
  /** The tap's ring: `new RingSource(ring)`. */
  readonly ring: SharedArrayBuffer
  /** Whatever the thread's module expects. */
  readonly config: unknown
}

/** A thread that reads a tap's ring. */
export interface RecorderThread {
  post(message: unknown): void
  /**
   * Settles when the thread is over: with undefined after an orderly end, with the `MeshError` it died of
   * otherwise. The relay is not touched by either; whoever owns the tap detaches the ring.
   */
  readonly ended: Promise<MeshError | undefined>
  /** Stops it at once; what it has not written is lost. Counts as an orderly end. */
  terminate(): Promise<void>
}

/** Starts the module at `url` in a thread of its own. `onMessage` gets what it posts. */
export function startRecorderThread(
  url: URL,
  data: RecorderThreadData,
  onMessage: (message: unknown) => void,
): RecorderThread {
  const worker = new Worker(url, { workerData: data, resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB } })
  let terminated = false
  const ended = new Promise<MeshError | undefined>((resolve) => {
    let reason: unknown
    worker.on('error', (thrown: unknown) => {
      reason = thrown
    })
    worker.on('exit', (code) => {
      resolve(terminated || (code === 0 && reason === undefined) ? undefined : deathOf(reason, code))
    })
  })
  worker.on('message', onMessage)
  return {
    post: (message) => worker.postMessage(message, []),
    ended,
    terminate: async () => {
      terminated = true
      await worker.terminate()
    },
  }
}

function deathOf(reason: unknown, exitCode: number): MeshError {
  const why = reason === undefined ? `it exited with code ${exitCode}` : toMeshError(reason).message
  return new MeshError('MESH_ERR_WORKER_DIED', {
    what: `the recording thread died: ${why}`,
    remedy: 'traffic goes on unrecorded; the recording ends with its last whole chunk',
    ...(reason === undefined ? {} : { cause: reason }),
  })
}
