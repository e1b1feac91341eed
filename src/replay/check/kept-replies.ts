import { concatBytes } from '../../core/bytes.ts'

/** A longer reply, head included, is not compared. */
export const MAX_REPLY_BYTES: number = 256 * 1024

/** Bytes of replies that one thread holds, begun or waiting to be handed over; what begins beyond it is not compared. */
const MAX_HELD_BYTES: number = 32 * 1024 * 1024

/** Replies are handed over when there are so many, or so many bytes, else every second. */
const MAX_POSTED = 64
const MAX_POSTED_BYTES: number = 256 * 1024

/** What became of a reply that was to be compared: it is there, there is none, or it is beyond a bound. */
export const REPLY_FATES = ['whole', 'none', 'bounds'] as const
export type ReplyFate = (typeof REPLY_FATES)[number]

/** Replies on their way from a sending thread to where they are compared: columns, whose memory is transferred. */
export interface PostedReplies {
  /** As in `ShotBatch.checks`. */
  readonly ids: Uint32Array<ArrayBuffer>
  /** Index into `REPLY_FATES`. */
  readonly fates: Uint8Array<ArrayBuffer>
  /** Reply i is `bytes[offset[i]..offset[i + 1]]`, as it was received. */
  readonly offset: Uint32Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The memory behind posted replies, for the transfer list of `postMessage`. */
export function repliesBuffers({ ids, fates, offset, bytes }: PostedReplies): ArrayBuffer[] {
  return [ids.buffer, fates.buffer, offset.buffer, bytes.buffer]
}

/** The bytes of a reply that is under way. */
export class KeptReply {
  readonly id: number
  readonly #budget: { heldBytes: number }
  pieces: Uint8Array[] = []
  size = 0
  /** Beyond a bound: nothing of it is held any more. */
  isLost = false

  constructor(id: number, budget: { heldBytes: number }) {
    this.id = id
    this.#budget = budget
  }

  /** Takes the first `length` of `bytes`, borrowed for the call. */
  push(bytes: Uint8Array, length: number): void {
    if (this.isLost) return
    if (this.size + length > MAX_REPLY_BYTES || this.#budget.heldBytes + length > MAX_HELD_BYTES) {
      this.isLost = true
      this.discard()
      return
    }
    this.pieces.push(Buffer.from(bytes.subarray(0, length)))
    this.size += length
    this.#budget.heldBytes += length
  }

  discard(): void {
    this.#budget.heldBytes -= this.size
    this.size = 0
    this.pieces = []
  }
}

/** The replies of one sending thread that are to be compared: kept as they come, and handed over. Nothing is looked at here. */
export class KeptReplies {
  readonly #post: (replies: PostedReplies) => void
  readonly #warmupNs: number
  readonly #budget = { heldBytes: 0 }
  readonly #ids: number[] = []
  readonly #fates: ReplyFate[] = []
  readonly #ended: (KeptReply | undefined)[] = []
  #endedBytes = 0

  /** Replies to requests that were due before `warmupNs` are not handed over. */
  constructor(warmupNs: number, post: (replies: PostedReplies) => void) {
    this.#warmupNs = warmupNs
    this.#post = post
  }

  begin(id: number): KeptReply {
    return new KeptReply(id, this.#budget)
  }

  /** The shot has ended; `dueNs` from the run's origin. */
  end(reply: KeptReply, isWhole: boolean, dueNs: number): void {
    if (isWhole && !reply.isLost && dueNs >= this.#warmupNs) this.#add(reply.id, 'whole', reply)
    else {
      reply.discard()
      this.#add(reply.id, isWhole && dueNs >= this.#warmupNs ? 'bounds' : 'none', undefined)
    }
  }

  /** The shot was never sent. */
  unsent(id: number): void {
    if (id !== 0) this.#add(id, 'none', undefined)
  }

  /** Hands over what has ended. */
  flush(): void {
    const count = this.#ids.length
    if (count === 0) return
    const offset = new Uint32Array(count + 1)
    const bytes = new Uint8Array(this.#endedBytes)
    let end = 0
    for (const [index, reply] of this.#ended.entries()) {
      if (reply !== undefined) {
        bytes.set(concatBytes(reply.pieces), end)
        end += reply.size
        reply.discard()
      }
      offset[index + 1] = end
    }
    const fates = Uint8Array.from(this.#fates, (fate) => REPLY_FATES.indexOf(fate))
    const ids = Uint32Array.from(this.#ids)
    this.#ids.length = 0
    this.#fates.length = 0
    this.#ended.length = 0
    this.#endedBytes = 0
    this.#post({ ids, fates, offset, bytes })
  }

  #add(id: number, fate: ReplyFate, reply: KeptReply | undefined): void {
    this.#ids.push(id)
    this.#fates.push(fate)
    this.#ended.push(reply)
    this.#endedBytes += reply?.size ?? 0
    if (this.#ids.length >= MAX_POSTED || this.#endedBytes >= MAX_POSTED_BYTES) this.flush()
  }
}
