import { unixNs } from '../../core/clock.ts'
import type { MeshError } from '../../core/errors.ts'
import { toMeshError } from '../../core/errors.ts'
import type { Segment } from '../../core/segment.ts'
import type { CaptureCounters, PassiveOptions } from '../pcap/pipeline.ts'
import { SegmentPipeline } from '../pcap/pipeline.ts'
import type { Source } from '../source.ts'
import type { TcpdumpOptions } from './tcpdump.ts'
import { HELD_MS, Tcpdump } from './tcpdump.ts'

/** Without packets, time is told to go on this often: long waits and idle connections end on a quiet network too. */
const QUIET_MS = 1_000

/** What a live capture listens to. */
export type LiveOptions = TcpdumpOptions & Pick<PassiveOptions, 'limits'>

/**
 * TCP connections seen on a network interface of this machine, through a tcpdump child: nothing is in the way of the traffic.
 *
 * Whoever reads `segments` slowly lets the pipe fill up; then tcpdump waits, the kernel's buffer fills, and the kernel drops
 * packets and counts them (`counters.packets.captureDropped`, known at the end). The bytes that they carried are gaps.
 */
export class LiveSource implements Source {
  /** Nanoseconds since 1970 of time 0: when the capture was started. */
  readonly originUnixNs: bigint
  readonly #tcpdump: Tcpdump
  readonly #pipeline: SegmentPipeline
  #ending: MeshError | undefined
  #reading: Promise<IteratorResult<Uint8Array>> | undefined

  private constructor(tcpdump: Tcpdump, originUnixNs: bigint, options: LiveOptions) {
    const { ports, limits } = options
    this.originUnixNs = originUnixNs
    this.#tcpdump = tcpdump
    this.#pipeline = new SegmentPipeline(`interface ${options.interface}`, { ports, limits }, originUnixNs)
  }

  /** Starts to capture: traffic is seen from when this resolves. Throws where tcpdump cannot: see `Tcpdump.start`. */
  static async start(options: LiveOptions): Promise<LiveSource> {
    const originUnixNs = unixNs()
    return new LiveSource(await Tcpdump.start(options), originUnixNs, options)
  }

  /** Why tcpdump ended, where it did so by itself and not well. Known when `segments` has ended. */
  get ending(): MeshError | undefined {
    return this.#ending
  }

  get counters(): CaptureCounters {
    const { packets, streams } = this.#pipeline.counters
    return { packets: { ...packets, captureDropped: this.#tcpdump.dropped }, streams }
  }

  /**
   * May be called once. On abort tcpdump is stopped, what it has captured by then, and in the second that it takes to hear of that, is
   * still yielded, and open connections are closed as `cut`.
   */
  async *segments(signal: AbortSignal): AsyncGenerator<readonly Segment[]> {
    const stop = (): void => this.#tcpdump.stop()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    try {
      const chunks: AsyncIterator<Uint8Array> = this.#tcpdump.output[Symbol.asyncIterator]()
      while (await this.#readOn(chunks)) yield* this.#taken()
      this.#ending ??= await this.#tcpdump.ended()
      this.#pipeline.finish()
      yield* this.#taken()
    } finally {
      signal.removeEventListener('abort', stop)
      this.#tcpdump.stop()
      this.#tcpdump.output.destroy()
    }
  }

  /** Reads one chunk, or lets time go on where none comes; false at the end. */
  async #readOn(chunks: AsyncIterator<Uint8Array>): Promise<boolean> {
    try {
      this.#reading ??= chunks.next()
      const read = await withinMs(this.#reading, QUIET_MS)
      if (read === undefined) {
        // Nothing was waiting to be read for this long, so all that was captured before is known, but for what the kernel holds.
        this.#pipeline.advance(Number(unixNs() - this.originUnixNs) - (QUIET_MS + HELD_MS) * 1e6)
        return true
      }
      this.#reading = undefined
      if (read.done === true) return false
      this.#pipeline.append(read.value)
      return true
    } catch (error) {
      this.#tcpdump.stop()
      this.#ending = toMeshError(error)
      return false
    }
  }

  *#taken(): Generator<readonly Segment[]> {
    const batch = this.#pipeline.take()
    if (batch.length > 0) yield batch
  }
}

/** What the promise gives, or undefined where it gives nothing in time; it can be waited for again. */
async function withinMs<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
