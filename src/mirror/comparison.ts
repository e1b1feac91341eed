import { compareReplies } from '../compare/replies.ts'
import type { Comparison } from '../compare/replies.ts'
import type { Difference } from '../compare/difference.ts'
import { EqualRequests } from '../compare/equal-requests.ts'
import type { Example, FindingGroup } from '../compare/findings.ts'
import { Findings } from '../compare/findings.ts'
import type { IgnoreRule } from '../compare/ignore.ts'
import { Noise } from '../compare/noise.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { headerValue, parseHead } from '../core/head.ts'
import type { Masker } from '../mask/masker.ts'
import type { Copy, Original } from './copy.ts'
import type { Tally } from './counts.ts'
import { NamedCounts } from './counts.ts'
import type { DroppedSessions } from './dropped-sessions.ts'
import type { MovedBase } from './moved-base.ts'

/** What replies of staging were found to be. Plain data. `answered = same + diverging + noisy + afterDrop + baseMoved + not compared + open`. */
export interface ComparisonReport {
  readonly same: number
  /** Differ in a field that is neither noise nor ignored. */
  readonly diverging: number
  /** Differ in noise alone. */
  readonly noisy: number
  /** Differ, and a request of the session had not reached staging before. */
  readonly afterDrop: number
  /** Differ, and what was asked for was written at that time: the base moved. */
  readonly baseMoved: number
  /** By reason. */
  readonly notCompared: Tally
  /** Differ, and wait for writes of the same moment to become known. */
  readonly open: number
  /** The diverging ones by route and field, the most frequent first, at most `MAX_GROUPS`. */
  readonly groups: readonly FindingGroup[]
  /** Groups beyond that. */
  readonly moreGroups: number
  /** Fields that were found to be noise: at most `MAX_GROUPS`. */
  readonly noise: readonly { readonly route: string; readonly field: string }[]
  /** Routes of the groups that nothing is known of: no two equal requests were seen, and clocks and random ids count as diverging. */
  readonly unlearnt: readonly string[]
  /** Dropped sessions that had to be forgotten. */
  readonly forgottenSessions: number
}

export interface ReplyComparisonOptions {
  readonly masker: Masker
  readonly ignored: IgnoreRule
  /** Where the base moves: undefined for one that stands still. */
  readonly moved: MovedBase | undefined
  readonly dropped: DroppedSessions
  /** Noise is learnt from a second staging's replies, not from production's traffic. */
  readonly twin: boolean
}

/** A report is for people: more groups are counted only. */
const MAX_GROUPS = 200

/** Of a route whose noise is known, only every so many-th pair is still looked at. */
const LEARNT_PAIRS = 256
const LEARN_EVERY = 16

/** A write of the same moment is known at most this much later: the recorder has read it by then. */
const SETTLE_NS = 1e9

/** Replies that differ and wait for that; beyond it the oldest is judged by what is known. */
const MAX_OPEN = 1_000

/** A reply that differs. */
interface Open {
  readonly original: Original
  readonly differences: readonly Difference[]
  readonly exampleOf: (field: string) => Example | undefined
  /** When it was whole, by the clock of the exchanges. */
  readonly doneNs: number
}

/** Staging's replies against production's. */
export class ReplyComparison {
  readonly #options: ReplyComparisonOptions
  readonly #noise = new Noise()
  readonly #equals = new EqualRequests()
  readonly #findings = new Findings()
  readonly #notCompared = new NamedCounts()
  readonly #open: Open[] = []
  #same = 0
  #afterDrop = 0
  #baseMoved = 0

  constructor(options: ReplyComparisonOptions) {
    this.#options = options
  }

  /** Learns from production's own replies what differs by itself: to be shown every safe exchange, mirrored or not. */
  learn(exchange: Exchange, route: string, path: string): void {
    if (this.#options.twin) return
    const pair = this.#equals.pair(exchange)
    if (pair === undefined || this.#options.moved?.moved(path, pair.sinceNs, exchange.requestFirstNs) === true) return
    const pairs = this.#noise.pairs(route)
    if (pairs > LEARNT_PAIRS && exchange.id % LEARN_EVERY !== 0) return
    const found = compareReplies({ message: pair.earlier, authority: '' }, { message: pair.later, authority: '' })
    if ('differences' in found)
      this.#noise.observe(
        route,
        found.differences.map(({ field }) => field),
      )
  }

  /** The reply to a copy; `twin` is the second staging's, undefined where there is none to be had. `doneNs` by the exchanges' clock. */
  judge(copy: Copy, original: Original, reply: Message, twin: Message | undefined, doneNs: number): void {
    this.settle(doneNs)
    const { exchange, route } = original
    const { response } = exchange
    if (typeof response === 'string') return this.#notCompared.add(`production-${response}`)
    if (this.#options.twin && twin === undefined) return this.#notCompared.add('twin-no-reply')
    const authority = headerValue(parseHead(exchange.request.head), 'host') ?? ''
    const sentTo = fieldOf(copy.request.fields, 'host')
    const compare = (one: Message, other: Message): Comparison =>
      compareReplies({ message: one, authority }, { message: other, authority: sentTo })
    const found = compare(response, reply)
    if ('notComparable' in found) return this.#notCompared.add(found.notComparable)
    const meant = found.differences.filter(({ field }) => !this.#options.ignored(route, field))
    const differences = this.#withoutTwins(meant, route, reply, twin, sentTo)
    if (differences.length === 0) this.#same++
    else if (this.#options.dropped.includes(copy.session, copy.ordinal)) this.#afterDrop++
    else {
      const { masker } = this.#options
      const exampleOf = (field: string): Example | undefined => {
        const masked = compare(masker.maskMessage(response), masker.maskMessage(reply))
        return 'differences' in masked ? masked.differences.find((one) => one.field === field) : undefined
      }
      this.#open.push({ original, differences, exampleOf, doneNs })
      if (this.#open.length > MAX_OPEN || this.#options.moved === undefined) this.#close(this.#open.shift())
    }
  }

  /** A copy was answered, and nothing can be said of its reply. */
  skip(reason: string): void {
    this.#notCompared.add(reason)
  }

  /** Time passes; by the exchanges' clock. At the end: `Infinity`. */
  settle(nowNs: number): void {
    for (;;) {
      const [first] = this.#open
      if (first === undefined || nowNs - first.doneNs < SETTLE_NS) return
      this.#close(this.#open.shift())
    }
  }

  report(): ComparisonReport {
    const { diverging, noisy, groups } = this.#findings.report(this.#noise)
    const routes = new Set(groups.slice(0, MAX_GROUPS).map(({ route }) => route))
    return {
      same: this.#same,
      diverging,
      noisy,
      afterDrop: this.#afterDrop,
      baseMoved: this.#baseMoved,
      notCompared: this.#notCompared.tally(),
      open: this.#open.length,
      groups: groups.slice(0, MAX_GROUPS),
      moreGroups: Math.max(0, groups.length - MAX_GROUPS),
      noise: this.#noise.fields().slice(0, MAX_GROUPS),
      unlearnt: [...routes].filter((route) => this.#noise.pairs(route) === 0),
      forgottenSessions: this.#options.dropped.forgotten,
    }
  }

  #close(open: Open | undefined): void {
    if (open === undefined) return
    const { original, differences, exampleOf, doneNs } = open
    const { moved } = this.#options
    const atMovedBase =
      moved !== undefined && (original.write || moved.moved(original.path, original.exchange.requestFirstNs, doneNs))
    if (atMovedBase) this.#baseMoved++
    else this.#findings.add(original.route, differences, exampleOf)
  }

  /** What the two stagings do not agree on says nothing about production. */
  #withoutTwins(
    differences: readonly Difference[],
    route: string,
    reply: Message,
    twin: Message | undefined,
    authority: string,
  ): readonly Difference[] {
    if (twin === undefined) return differences
    const found = compareReplies({ message: reply, authority }, { message: twin, authority })
    if (!('differences' in found)) return differences
    const fields = new Set(found.differences.map(({ field }) => field))
    this.#noise.observe(route, [...fields])
    return differences.filter(({ field }) => !fields.has(field))
  }
}

function fieldOf(fields: readonly string[], name: string): string {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() === name) return fields[index + 1] ?? ''
  }
  return ''
}
