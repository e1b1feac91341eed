import type { ReadStream } from 'node:fs'
import { createReadStream } from 'node:fs'
import type { MeshError } from '../../core/errors.ts'
import { toMeshError } from '../../core/errors.ts'
import type { Segment } from '../../core/segment.ts'
import type { Source } from '../source.ts'
import { unpacked } from './gunzip.ts'
import type { CaptureCounters, PassiveOptions } from './pipeline.ts'
import { SegmentPipeline } from './pipeline.ts'

/**
 * Bytes read from a file at a time, 512 KiB: enough that reading costs little, and little enough for what a segment, which is
 * a view of them, keeps in memory.
 */
const READ_BYTES = 512 * 1024

/** The bytes of a capture file, packed or not, and its name for messages. */
export interface CaptureInput {
  readonly name: string
  readonly bytes: AsyncIterable<Uint8Array>
  /** Ends a read that is waiting for bytes. Called when the capture is read or given up. */
  close?(): void
}

/** A capture file on disk. It is opened when its bytes are first asked for. */
export function captureFile(path: string): CaptureInput {
  let stream: ReadStream | undefined
  const open = (): AsyncIterator<Uint8Array> => {
    stream = createReadStream(path, { highWaterMark: READ_BYTES })
    return stream[Symbol.asyncIterator]()
  }
  return { name: path, bytes: { [Symbol.asyncIterator]: open }, close: () => stream?.destroy() }
}

/**
 * TCP connections out of a pcap or pcapng file, gzipped or not, read once from its beginning to its end in bounded memory.
 *
 * A file that is cut or damaged in the middle gives everything that comes before; `ending` then holds the error to report
 * (`MESH_ERR_FILE_CUT`, `MESH_ERR_FILE_CORRUPT`), after whatever was read has been recorded.
 */
export class PcapSource implements Source {
  readonly #input: CaptureInput
  readonly #chunks: AsyncGenerator<Uint8Array>
  readonly #pipeline: SegmentPipeline
  #ending: MeshError | undefined
  #finished = false

  private constructor(input: CaptureInput, options: PassiveOptions) {
    this.#input = input
    this.#chunks = unpacked(input.bytes, input.name)
    this.#pipeline = new SegmentPipeline(input.name, options)
  }

  /**
   * Reads up to the first packet. Throws a `MeshError` where that is not possible: no such file, a file of another kind
   * (`MESH_ERR_FILE_KIND`), a link type that is not supported (`MESH_ERR_LINK_TYPE`).
   */
  static async open(input: CaptureInput, options: PassiveOptions = {}): Promise<PcapSource> {
    const source = new PcapSource(input, options)
    while (source.#pipeline.originUnixNs === undefined && !source.#finished) await source.#readOn()
    const { ending } = source
    const isUnreadable = ending !== undefined && ending.code !== 'MESH_ERR_FILE_CUT'
    if (isUnreadable && source.#pipeline.originUnixNs === undefined) {
      await source.#close()
      throw ending
    }
    return source
  }

  /** Nanoseconds since 1970 of time 0: the first packet's time; 0 in a capture without packets. */
  get originUnixNs(): bigint {
    return this.#pipeline.originUnixNs ?? 0n
  }

  /** How the file ended where it did not end as it should. Known when `segments` has ended. */
  get ending(): MeshError | undefined {
    return this.#ending
  }

  get counters(): CaptureCounters {
    return this.#pipeline.counters
  }

  /** May be called once: a capture is read in one pass. On abort, what is open is closed as `cut`. */
  async *segments(signal: AbortSignal): AsyncGenerator<readonly Segment[]> {
    const stop = (): void => this.#input.close?.()
    signal.addEventListener('abort', stop, { once: true })
    try {
      yield* this.#taken()
      while (!this.#finished && !signal.aborted) {
        await this.#readOn(signal)
        yield* this.#taken()
      }
      this.#pipeline.finish()
      yield* this.#taken()
    } finally {
      signal.removeEventListener('abort', stop)
      await this.#close()
    }
  }

  /** Reads one chunk; where there is none, or it cannot be read, that is the end. */
  async #readOn(signal?: AbortSignal): Promise<void> {
    try {
      const { done, value } = await this.#chunks.next()
      if (done !== true) {
        this.#pipeline.append(value)
        return
      }
      this.#ending = this.#pipeline.finish()
    } catch (error) {
      if (signal?.aborted !== true) this.#ending = toMeshError(error, this.#input.name)
      this.#pipeline.finish()
    }
    this.#finished = true
  }

  async #close(): Promise<void> {
    this.#finished = true
    this.#input.close?.()
    await this.#chunks.return(undefined)
  }

  *#taken(): Generator<readonly Segment[]> {
    const batch = this.#pipeline.take()
    if (batch.length > 0) yield batch
  }
}
