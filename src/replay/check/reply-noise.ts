import { EqualRequests } from '../../compare/equal-requests.ts'
import { Noise } from '../../compare/noise.ts'
import type { Comparison } from '../../compare/replies.ts'
import { compareReplies } from '../../compare/replies.ts'
import type { Exchange, Message } from '../../core/exchange.ts'
import type { RecordedReply } from './recorded-reply.ts'

/** Of each route, recorded exchanges that are looked through for equal requests. */
const LEARNT_EXCHANGES = 2_000

/** Replies of the target that wait for that of the next clone: their number, and their bytes. The oldest is forgotten. */
const MAX_WAITING = 2_000
const MAX_WAITING_BYTES: number = 16 * 1024 * 1024

/**
 * What differs by itself, learnt from repeats: replies that were recorded of equal requests, and the target's replies to clones of
 * one. A status is never noise: that a target answers 500 now and then is what a check is for.
 */
export class ReplyNoise {
  readonly #recorded = new Noise()
  readonly #replayed = new Noise()
  readonly #equals = new EqualRequests()
  readonly #looked = new Map<string, number>()
  readonly #waiting = new Map<RecordedReply, Message>()
  #waitingBytes = 0

  /** To be shown recorded exchanges of safe methods, in their order. */
  learn(exchange: Exchange, route: string): void {
    const looked = this.#looked.get(route) ?? 0
    if (looked >= LEARNT_EXCHANGES) return
    this.#looked.set(route, looked + 1)
    const pair = this.#equals.pair(exchange)
    if (pair === undefined) return
    this.#observe(this.#recorded, route, pair.earlier, pair.later)
  }

  /** A reply of the target, whose memory it may keep. `hasClones`: there may be others to the same request. */
  learnReplayed(recorded: RecordedReply, reply: Message, hasClones: boolean): void {
    const earlier = this.#waiting.get(recorded)
    if (earlier !== undefined) {
      this.#forget(recorded, earlier)
      this.#observe(this.#replayed, recorded.route, earlier, reply)
    }
    if (!hasClones) return
    this.#waiting.set(recorded, reply)
    this.#waitingBytes += sizeOf(reply)
    for (const [oldest, message] of this.#waiting) {
      if (this.#waiting.size <= MAX_WAITING && this.#waitingBytes <= MAX_WAITING_BYTES) break
      this.#forget(oldest, message)
    }
  }

  includes(route: string, field: string): boolean {
    return this.#recorded.includes(route, field) || this.#replayed.includes(route, field)
  }

  fields(): readonly { readonly route: string; readonly field: string }[] {
    const all = [...this.#recorded.fields(), ...this.#replayed.fields()]
    return [...new Map(all.map((one) => [`${one.route}\n${one.field}`, one])).values()]
  }

  #observe(noise: Noise, route: string, one: Message, other: Message): void {
    const found: Comparison = compareReplies({ message: one, authority: '' }, { message: other, authority: '' })
    if (!('differences' in found)) return
    const fields = found.differences.map(({ field }) => field)
    if (!fields.includes('status')) noise.observe(route, fields)
  }

  #forget(recorded: RecordedReply, message: Message): void {
    this.#waiting.delete(recorded)
    this.#waitingBytes -= sizeOf(message)
  }
}

function sizeOf({ head, body }: Message): number {
  return head.length + body.length
}
