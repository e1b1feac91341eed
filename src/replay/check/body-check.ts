import type { Example } from '../../compare/findings.ts'
import { Findings } from '../../compare/findings.ts'
import type { IgnoreRule } from '../../compare/ignore.ts'
import type { JsonValue, SameValue } from '../../compare/json-difference.ts'
import { compareReplies } from '../../compare/replies.ts'
import type { Comparison } from '../../compare/replies.ts'
import { latin1, NO_BYTES } from '../../core/bytes.ts'
import { decodeContent } from '../../core/content-coding.ts'
import type { Exchange, Message } from '../../core/exchange.ts'
import { hasResponse } from '../../core/exchange.ts'
import { headerValue, parseHead } from '../../core/head.ts'
import type { Masker } from '../../mask/masker.ts'
import { holdsPseudonym } from '../../mask/pseudonym.ts'
import type { BodyCheck } from '../../measure/reply-check.ts'
import { MAX_CHECK_ROWS } from '../../measure/reply-check.ts'
import type { IssuingFields } from './issuing-fields.ts'
import type { PostedReplies } from './kept-replies.ts'
import { MAX_REPLY_BYTES, REPLY_FATES } from './kept-replies.ts'
import type { RecordedReply } from './recorded-reply.ts'
import { replyMessage } from './reply-message.ts'
import { ReplyNoise } from './reply-noise.ts'
import { FIRST_OF_ROUTE, SampleBudget } from './sample-budget.ts'

/** Recorded replies that wait for the target's, and their bytes: seconds of what the budget takes. Beyond it none is taken. */
const MAX_HELD = 20_000
const MAX_HELD_BYTES: number = 64 * 1024 * 1024

export interface BodyComparisonOptions {
  /** Examples are masked by it. */
  readonly masker: Masker
  readonly ignored: IgnoreRule
  readonly issuing: IssuingFields
  /** What the target is asked for as; undefined: as was recorded. */
  readonly authority: string | undefined
  /** Requests are sent more than once. */
  readonly hasClones: boolean
  readonly nowNs: () => number
}

interface RouteCounts {
  taken: number
  compared: number
}

/**
 * The target's replies against the recorded ones, on the thread that makes the requests: chosen there, kept by the sending thread,
 * handed back, and compared.
 *
 *     keep (request is made) -> take (shot is made) -> id -> sending thread -> judge -> report
 */
export class BodyComparison {
  readonly #options: BodyComparisonOptions
  readonly #budget: SampleBudget
  readonly #noise = new ReplyNoise()
  readonly #findings = new Findings()
  readonly #held = new Map<number, RecordedReply>()
  readonly #routes = new Map<string, RouteCounts>()
  readonly #notCompared = new Map<string, number>()
  #heldBytes = 0
  #lastId = 0
  #same = 0

  constructor(options: BodyComparisonOptions) {
    this.#options = options
    this.#budget = new SampleBudget(options.nowNs)
  }

  /** A request is made ready: its recorded reply, where it is chosen. `issued`: see `RecordedReply`. */
  keep(
    exchange: Exchange,
    method: string,
    route: string,
    issued: () => ReadonlySet<string>,
  ): RecordedReply | undefined {
    if (!hasResponse(exchange)) return undefined
    if (method === 'GET' || method === 'HEAD') this.#noise.learn(exchange, route)
    const { head, body, bodySize, cut } = exchange.response
    const size = head.length + body.length
    const counts = this.#countsOf(route)
    if (size > MAX_REPLY_BYTES || !(counts.taken < FIRST_OF_ROUTE || this.#budget.hasRoom)) return undefined
    counts.taken++
    this.#budget.spend(size)
    const message = { head: Buffer.from(head), body: Buffer.from(body), trailers: NO_BYTES, bodySize, cut }
    const authority = headerValue(parseHead(exchange.request.head), 'host') ?? ''
    let shots = 0
    const take = (): number => this.#take(reply, shots++)
    const reply: RecordedReply = { message, authority, route, issued: issued(), size, take }
    return reply
  }

  /** Replies that a sending thread hands over. */
  judge({ ids, fates, offset, bytes }: PostedReplies): void {
    for (const [index, id] of ids.entries()) {
      const recorded = this.#held.get(id)
      if (recorded === undefined) continue
      this.#held.delete(id)
      this.#heldBytes -= recorded.size
      const fate = REPLY_FATES[fates[index] ?? 0]
      if (fate === 'whole') this.#judge(recorded, replyMessage(bytes.subarray(offset[index], offset[index + 1])))
    }
  }

  report(): BodyCheck {
    const found = this.#findings.report(this.#noise)
    const compared = this.#same + found.diverging + found.noisy
    const groups = found.groups.slice(0, MAX_CHECK_ROWS)
    return {
      compared,
      same: this.#same,
      differing: found.diverging,
      noisy: found.noisy,
      notCompared: Object.fromEntries(this.#notCompared),
      fields: groups.map(({ route, field, kind, count, example }) => {
        const shown = example === undefined ? null : { recorded: example.production, now: example.staging }
        return { route, field, kind, count, example: shown }
      }),
      moreFields: found.groups.length - groups.length,
      noise: this.#noise.fields().slice(0, MAX_CHECK_ROWS),
      routes: [...this.#routes].flatMap(([route, counts]) =>
        counts.compared === 0 ? [] : [{ route, compared: counts.compared, differing: found.byRoute.get(route) ?? 0 }],
      ),
    }
  }

  #countsOf(route: string): RouteCounts {
    const known = this.#routes.get(route)
    if (known !== undefined) return known
    const counts = { taken: 0, compared: 0 }
    this.#routes.set(route, counts)
    return counts
  }

  /** The first shot is paid for; the second makes a pair with it that shows noise; more are taken where there is room. */
  #take(reply: RecordedReply, earlier: number): number {
    if (this.#held.size >= MAX_HELD || this.#heldBytes + reply.size > MAX_HELD_BYTES) return 0
    if (earlier > 1 && !this.#budget.hasRoom) return 0
    if (earlier > 0) this.#budget.spend(reply.size)
    this.#lastId = this.#lastId < 0xffff_ffff ? this.#lastId + 1 : 1
    this.#held.set(this.#lastId, reply)
    this.#heldBytes += reply.size
    return this.#lastId
  }

  #judge(recorded: RecordedReply, reply: Message): void {
    const { ignored, issuing, hasClones, masker } = this.#options
    const { route } = recorded
    this.#noise.learnReplayed(recorded, reply, hasClones)
    const found = this.#compare(recorded, recorded.message, reply)
    if ('notComparable' in found) return this.#skip(found.notComparable)
    const differences = found.differences.filter(
      ({ field, kind, production }) =>
        !ignored(route, field) &&
        !isShortId(field, kind, production, recorded.issued) &&
        !issuing.includes(route, field) &&
        !(field.startsWith('header.') && holdsPseudonym(production)),
    )
    const isText = differences.some(({ field, kind }) => field === 'body' && kind === 'changed')
    const reason = isText ? this.#whyNotAsText(recorded) : undefined
    if (reason !== undefined) return this.#skip(reason)
    this.#countsOf(route).compared++
    if (differences.length === 0) {
      this.#same++
      return
    }
    this.#findings.add(route, differences, (field): Example | undefined => {
      const masked = this.#compare(recorded, masker.maskMessage(recorded.message), masker.maskMessage(reply))
      return 'differences' in masked ? masked.differences.find((one) => one.field === field) : undefined
    })
  }

  #compare({ authority, issued }: RecordedReply, recorded: Message, now: Message): Comparison {
    const sentTo = this.#options.authority ?? authority
    return compareReplies({ message: recorded, authority }, { message: now, authority: sentTo }, sameByNature(issued))
  }

  #skip(reason: string): void {
    this.#notCompared.set(reason, (this.#notCompared.get(reason) ?? 0) + 1)
  }

  /** Of a text it cannot be told apart what differs by nature. */
  #whyNotAsText({ message, route, issued }: RecordedReply): string | undefined {
    if (this.#options.issuing.isPage(route)) return 'issued'
    const coding = headerValue(parseHead(message.head), 'content-encoding') ?? ''
    const text = latin1(decodeContent(message.body, coding, 4 * MAX_REPLY_BYTES) ?? message.body)
    if (holdsPseudonym(text)) return 'masked'
    return [...issued].some((value) => holds(text, value)) ? 'issued' : undefined
  }
}

/** Values that differ by nature: a masked one is compared by kind only, and so is one that the request was sent another for. */
function sameByNature(issued: ReadonlySet<string>): SameValue {
  return (recorded: JsonValue, now: JsonValue) => {
    if (typeof recorded === 'string' && holdsPseudonym(recorded)) return typeof now === 'string'
    const isScalar = typeof recorded === 'string' || typeof recorded === 'number'
    return isScalar && isIssued(String(recorded), issued) && typeof now === typeof recorded
  }
}

/** Numbers of so few digits meet by chance: a quantity of 17 in the order 17. */
const SHORT_NUMBER = /^\d{1,3}$/

/** Fields that say that they are ids: `id`, `order_id`, `orderIds[]`. */
const ID_FIELD = /(?:(?:^|[._-])(?:id|key|ref|number)|[a-z\d](?:Id|ID|Key|Ref|Number))s?(?:\[\])*$/

function isIssued(value: string, issued: ReadonlySet<string>): boolean {
  return issued.has(value) && !SHORT_NUMBER.test(value)
}

/** A short number that the request was sent another for differs by nature where the field says that it is an id. */
function isShortId(field: string, kind: string, production: string, issued: ReadonlySet<string>): boolean {
  const value = production.replace(/^"(.*)"$/, '$1')
  return kind === 'changed' && SHORT_NUMBER.test(value) && issued.has(value) && ID_FIELD.test(field)
}

/** A short number counts where no other digit stands beside it. */
function holds(text: string, value: string): boolean {
  return SHORT_NUMBER.test(value) ? new RegExp(`(?<!\\d)${value}(?!\\d)`).test(text) : text.includes(value)
}
