import { toMeshError } from '../core/errors.ts'
import type { MeshError } from '../core/errors.ts'
import type { RecordingInfo } from '../core/recording.ts'
import type { EndedChunk } from './chunk-builder.ts'
import { PartWriter } from './part-writer.ts'
import type { Rotation } from './parts.ts'
import type { WritableBytes } from './writable-bytes.ts'

/** `drained` waits for the backlog to fall to this: enough to keep a disk busy, little to lose. */
export const DRAINED_BYTES: number = 8 * 1024 * 1024

export interface PartQueueOptions {
  readonly info: RecordingInfo
  /** Opens the place of a part, which must be new. */
  readonly openPart: (part: number) => Promise<WritableBytes>
  readonly rotation: Rotation
  /** `stop`: the first failure is final. `resume`: what waits is written to a new part as soon as one can be. */
  readonly whenDiskFails: 'stop' | 'resume'
  readonly retryIntervalMs: number
  /** A part is open: the first as soon as it is, a later one when it has taken its first chunk. `resumed`: writing had failed. */
  readonly onPart: (part: number, name: string, resumed: boolean) => void
  readonly onFailure: (error: MeshError) => void
  /** The chunk will never be written. */
  readonly onLost: (chunk: EndedChunk) => void
}

/**
 * Chunks on their way to the disk, in order, each into the part that is open then. A chunk that fails stays first in the queue:
 * the failed part is cut back to its last whole chunk and ended, and the chunk begins the next part. A part that fails before its
 * first chunk is taken away, and its number is given again.
 */
export class PartQueue {
  readonly #options: PartQueueOptions
  readonly #chunks: EndedChunk[] = []
  #backlogBytes = 0
  #part: PartWriter | undefined
  #nextPart = 0
  /** The part that is open was told of. */
  #isTold = false
  #failure: MeshError | undefined
  #stopped = false
  #closing = false
  #pumping: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #waiting: { resolve: () => void; reject: (error: MeshError) => void }[] = []

  constructor(options: PartQueueOptions) {
    this.#options = options
  }

  /** Bytes of the chunks that wait. */
  get backlogBytes(): number {
    return this.#backlogBytes
  }

  /** Why nothing can be written now, or undefined. */
  get failure(): MeshError | undefined {
    return this.#failure
  }

  /** Opens the first part, so that a name that is taken or a folder that is not there is known at once. */
  async start(): Promise<void> {
    this.#part = await this.#openNext()
    this.#tellOf(this.#part)
  }

  offer(chunk: EndedChunk): void {
    if (this.#stopped) {
      this.#options.onLost(chunk)
      return
    }
    this.#chunks.push(chunk)
    this.#backlogBytes += chunk.bytes.length
    if (this.#retry === undefined) this.#pump()
  }

  async drained(): Promise<void> {
    if (this.#stopped && this.#failure !== undefined) throw this.#failure
    if (this.#backlogBytes <= DRAINED_BYTES) return
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Writes what waits, with one more try after a failure, and ends the part. Throws where something was lost. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#pumping
    clearTimeout(this.#retry)
    if (this.#chunks.length > 0) {
      this.#pump()
      await this.#pumping
    }
    const failure = this.#failure
    if (failure !== undefined) {
      this.#stop(failure)
      throw failure
    }
    await this.#endPart()
  }

  #pump(): void {
    if (this.#pumping !== undefined) return
    this.#pumping = this.#writeAll().finally(() => {
      this.#pumping = undefined
    })
  }

  async #writeAll(): Promise<void> {
    for (let chunk = this.#chunks[0]; chunk !== undefined && !this.#stopped; chunk = this.#chunks[0]) {
      try {
        this.#part ??= await this.#openNext()
        await this.#part.append(chunk)
        this.#tellOf(this.#part)
        this.#failure = undefined
        this.#taken(chunk)
        if (this.#isFull(this.#part)) await this.#endPart()
      } catch (error) {
        await this.#fail(toMeshError(error))
        return
      }
    }
  }

  #isFull(part: PartWriter): boolean {
    const { maxBytes, maxSpanNs } = this.#options.rotation
    return part.length >= maxBytes || part.spanNs >= maxSpanNs
  }

  #taken(chunk: EndedChunk): void {
    this.#chunks.shift()
    this.#backlogBytes -= chunk.bytes.length
    if (this.#backlogBytes <= DRAINED_BYTES) for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  async #openNext(): Promise<PartWriter> {
    const number = this.#nextPart
    const sink = await this.#options.openPart(number)
    const part = new PartWriter(sink, { ...this.#options.info, part: number })
    try {
      await part.start()
    } catch (error) {
      await part.remove().catch(() => undefined)
      throw error
    }
    this.#nextPart++
    this.#isTold = false
    return part
  }

  #tellOf(part: PartWriter): void {
    if (!this.#isTold) this.#options.onPart(this.#nextPart - 1, part.name, this.#failure !== undefined)
    this.#isTold = true
  }

  async #endPart(): Promise<void> {
    const part = this.#part
    this.#part = undefined
    await part?.finish()
  }

  /** Ends the part that failed. What was cut away may have left room for the summary; without one it is readable all the same. */
  async #abandonPart(): Promise<void> {
    const part = this.#part
    if (part === undefined || part.chunks > 0 || !part.isRemovable) {
      await this.#endPart().catch(() => undefined)
      return
    }
    this.#part = undefined
    try {
      await part.remove()
      this.#nextPart--
    } catch {
      // It stays as an empty part, and the next one has another number.
    }
  }

  async #fail(error: MeshError): Promise<void> {
    await this.#abandonPart()
    const first = this.#failure === undefined
    this.#failure = error
    if (first) this.#options.onFailure(error)
    if (this.#options.whenDiskFails === 'stop') this.#stop(error)
    else if (!this.#closing) this.#retryLater()
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#pump()
    }, this.#options.retryIntervalMs)
    this.#retry.unref()
  }

  #stop(error: MeshError): void {
    clearTimeout(this.#retry)
    this.#stopped = true
    this.#failure = error
    for (const chunk of this.#chunks.splice(0)) this.#options.onLost(chunk)
    this.#backlogBytes = 0
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
