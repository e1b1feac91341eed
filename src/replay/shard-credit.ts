import type { ShotBatch } from './shot-batch.ts'

/** A thread always may have this many batches: one at hand, one to follow, however long they last. */
const ALWAYS = 2
/** Beyond that, no more memory of batches than this ... */
const MAX_AHEAD_BYTES = 32 * 1024 * 1024
/** ... and no batch that comes this long after what is being sent: who stops or changes a run does not wait for the past. */
const MAX_AHEAD_NS = 2e9

/** How far ahead of its sending one shard is: which batches its thread has been given and has not taken up. */
export class ShardCredit {
  readonly #timed: boolean
  readonly #outstanding: { readonly bytes: number; readonly dueNs: number }[] = []
  #bytes = 0

  /** `timed`: due times mean something, as in an open loop. */
  constructor(timed: boolean) {
    this.#timed = timed
  }

  get hasRoom(): boolean {
    const oldest = this.#outstanding[0]
    const newest = this.#outstanding.at(-1)
    if (this.#outstanding.length < ALWAYS || oldest === undefined || newest === undefined) return true
    if (this.#bytes >= MAX_AHEAD_BYTES) return false
    return !this.#timed || newest.dueNs - oldest.dueNs < MAX_AHEAD_NS
  }

  give(batch: ShotBatch): void {
    const bytes = batchBytes(batch)
    this.#outstanding.push({ bytes, dueNs: batch.dueNs[0] ?? 0 })
    this.#bytes += bytes
  }

  taken(batches: number): void {
    for (const { bytes } of this.#outstanding.splice(0, batches)) this.#bytes -= bytes
  }
}

/** What a batch weighs: its requests, and some 41 bytes of columns a shot. */
function batchBytes(batch: ShotBatch): number {
  return batch.bytes.length + 41 * batch.count
}
