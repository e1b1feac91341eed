import type { PackedPlan } from './correlate/plan-words.ts'
import type { RecordedReply } from './check/recorded-reply.ts'
import { joinPlans } from './correlate/plan-words.ts'
import { renameIdentities } from './clone-identity.ts'
import type { ShotBatch } from './shot-batch.ts'
import { LAST_ON_CONNECTION } from './shot-batch.ts'

/** A request as it is sent, whenever and for whichever clone: shared by all its shots. */
export interface PreparedRequest {
  /** From the first request of its recording, in recorded nanoseconds. */
  readonly atNs: number
  /** Borrowed by every shot of it: never changed. */
  readonly bytes: Uint8Array
  /** As in `ShotBatch.flags`. */
  readonly flags: number
  readonly route: number
  readonly recordedStatus: number
  /** As in `Shot`. */
  readonly recording: number
  readonly exchange: number
  /** Ordinals before cloning and looping. */
  readonly connection: number
  readonly session: number
  /** Decides on clones, jitter and shard. */
  readonly sessionHash: number
  /** Where its head names it: see `namedRequest`. */
  readonly identities: readonly number[]
  /** What it has to do with replies to others; undefined: nothing. */
  readonly plan: PackedPlan | undefined
  /** The recorded reply, where the target's is compared with it. */
  readonly reply: RecordedReply | undefined
  /** Row of its recorded connection, for the count of its last request; -1 where that is not known. */
  readonly row: number
}

/** A batch holds at most so many shots: one message to a sending thread, some 0.1 ms of its time. */
export const MAX_BATCH_SHOTS = 512

/** And at most so many bytes of requests, a single longer one aside. */
export const MAX_BATCH_BYTES: number = 256 * 1024

/** And at most so much of the schedule, so that a slow run's shots do not wait for a batch to fill. */
export const MAX_BATCH_SPAN_NS = 50e6

/** A batch for one of the sending threads. */
export interface ShardBatch {
  readonly shard: number
  readonly batch: ShotBatch
}

/** Columns of one shard that are being filled. */
class OpenBatch {
  readonly #dueNs = new Float64Array(MAX_BATCH_SHOTS)
  readonly #connection = new Uint32Array(MAX_BATCH_SHOTS)
  readonly #session = new Uint32Array(MAX_BATCH_SHOTS)
  readonly #clone = new Uint16Array(MAX_BATCH_SHOTS)
  readonly #generation = new Uint32Array(MAX_BATCH_SHOTS)
  readonly #flags = new Uint8Array(MAX_BATCH_SHOTS)
  readonly #requests: PreparedRequest[] = []
  count = 0
  byteLength = 0
  firstDueNs = Infinity

  add(
    dueNs: number,
    connection: number,
    session: number,
    clone: number,
    generation: number,
    last: boolean,
    request: PreparedRequest,
  ): void {
    const index = this.count++
    if (index === 0) this.firstDueNs = dueNs
    this.#dueNs[index] = dueNs
    // Ordinals beyond 32 bits start over: connections and sessions of so many loops ago are closed.
    this.#connection[index] = connection
    this.#session[index] = session
    this.#clone[index] = clone
    this.#generation[index] = generation
    this.#flags[index] = last ? request.flags | LAST_ON_CONNECTION : request.flags
    this.#requests[index] = request
    this.byteLength += request.bytes.length
  }

  /** What was added, as columns of exactly their size that the caller owns; empty afterwards. */
  take(): ShotBatch {
    const { count } = this
    const route = new Uint16Array(count)
    const recordedStatus = new Uint16Array(count)
    const recording = new Uint16Array(count)
    const exchange = new Uint32Array(count)
    const recordedAtNs = new Float64Array(count)
    const offset = new Uint32Array(count + 1)
    // Not pooled: its memory is transferred to another thread.
    const bytes = Buffer.allocUnsafeSlow(this.byteLength)
    let checks: Uint32Array | undefined
    let end = 0
    for (let index = 0; index < count; index++) {
      const request = this.#requests[index]
      if (request === undefined) continue
      route[index] = request.route
      recordedStatus[index] = request.recordedStatus
      recording[index] = request.recording
      exchange[index] = request.exchange
      recordedAtNs[index] = request.atNs
      bytes.set(request.bytes, end)
      const generation = this.#generation[index] ?? 0
      if (generation > 0 && request.identities.length > 0) renameIdentities(bytes, end, request.identities, generation)
      end += request.bytes.length
      offset[index + 1] = end
      const check = request.reply?.take() ?? 0
      if (check > 0) (checks ??= new Uint32Array(count))[index] = check
    }
    const plans = joinPlans(this.#requests, count)
    this.count = 0
    this.byteLength = 0
    this.firstDueNs = Infinity
    return {
      count,
      dueNs: this.#dueNs.slice(0, count),
      connection: this.#connection.slice(0, count),
      session: this.#session.slice(0, count),
      clone: this.#clone.slice(0, count),
      route,
      recordedStatus,
      recording,
      exchange,
      recordedAtNs,
      flags: this.#flags.slice(0, count),
      offset,
      bytes,
      plans,
      checks,
    }
  }
}

/** Packs shots, which come in order of `dueNs`, into batches of bounded size, for one or many shards. */
export class Batches {
  readonly #shards: OpenBatch[]
  #finished: ShardBatch[] = []
  /** When a batch that is open now may reach its span. */
  #checkNs = -Infinity

  constructor(shards: number) {
    this.#shards = Array.from({ length: shards }, () => new OpenBatch())
  }

  /** Whether a batch is finished. */
  get ready(): boolean {
    return this.#finished.length > 0
  }

  add(
    shard: number,
    dueNs: number,
    connection: number,
    session: number,
    clone: number,
    generation: number,
    last: boolean,
    request: PreparedRequest,
  ): void {
    if (dueNs >= this.#checkNs) this.#finishSpans(dueNs)
    const open = this.#shards[shard]
    if (open === undefined) return
    if (open.count > 0 && open.byteLength + request.bytes.length > MAX_BATCH_BYTES) this.#finish(shard, open)
    open.add(dueNs, connection, session, clone, generation, last, request)
    if (open.count === MAX_BATCH_SHOTS) this.#finish(shard, open)
  }

  /** The finished batches, in order of their first shots a shard. */
  take(): readonly ShardBatch[] {
    const finished = this.#finished
    this.#finished = []
    return finished
  }

  /** Finishes what is open. */
  flush(): void {
    for (const [shard, open] of this.#shards.entries()) if (open.count > 0) this.#finish(shard, open)
  }

  #finish(shard: number, open: OpenBatch): void {
    this.#finished.push({ shard, batch: open.take() })
  }

  #finishSpans(nowNs: number): void {
    let earliestNs = nowNs
    for (const [shard, open] of this.#shards.entries()) {
      if (open.count > 0 && open.firstDueNs <= nowNs - MAX_BATCH_SPAN_NS) this.#finish(shard, open)
      if (open.firstDueNs < earliestNs) earliestNs = open.firstDueNs
    }
    this.#checkNs = earliestNs + MAX_BATCH_SPAN_NS
  }
}
