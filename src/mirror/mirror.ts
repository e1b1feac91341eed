import { monotonicNs } from '../core/clock.ts'
import type { Exchange, Message } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import type { RouteTable } from '../measure/routes.ts'
import { judgeRequest } from '../wire/http1/hold-back.ts'
import type { RequestHead } from '../wire/http1/request-head.ts'
import type { ReplyComparison } from './comparison.ts'
import type { ComparisonReport } from './comparison.ts'
import type { Copy, Original } from './copy.ts'
import { CopyQueue } from './copy-queue.ts'
import type { QueueLimits } from './copy-queue.ts'
import type { DropReason, MirrorCounts } from './counts.ts'
import { CountKeeper } from './counts.ts'
import type { DroppedSessions } from './dropped-sessions.ts'
import type { MovedBase } from './moved-base.ts'
import type { RequestCopier } from './request-copier.ts'
import type { CopyEnd } from './staging-client.ts'
import type { StagingPair } from './staging-pair.ts'

/** What a mirror is put together from. */
export interface MirrorParts {
  readonly copier: RequestCopier
  readonly staging: StagingPair
  readonly dropped: DroppedSessions
  /** Where the base moves; undefined for one that stands still, and where nothing is compared. */
  readonly moved: MovedBase | undefined
  /** Undefined: replies are not compared. */
  readonly comparison: ReplyComparison | undefined
  readonly routes: RouteTable
}

export interface MirrorOptions {
  /** Send what would write, too. */
  readonly allowWrites: boolean
  /** Copies under way at a time. */
  readonly maxInFlight: number
  /** A copy that has waited longer is dropped. */
  readonly timeoutNs: number
  readonly queue?: QueueLimits | undefined
  /** Now, in nanoseconds of the exchanges' own clock. */
  readonly nowNs: () => number
  /**
   * What becomes of writes that are held back. `live` production executes them while it is mirrored, so that the base has them a
   * moment later; `recorded` the base may have them before, or not: what they touch is not comparable from then on.
   */
  readonly heldWrites: 'live' | 'recorded'
}

/** What a mirror did. Plain data: it crosses threads. */
export interface MirrorReport {
  readonly counts: MirrorCounts
  readonly comparison: ComparisonReport | undefined
}

/**
 * Copies of production's requests to staging, fire and forget:
 *
 * ```
 * exchange -> may it be sent? -> copy -> queue (bounded) -> pool of connections -> staging
 *             held, unsendable           dropped: full,     unanswered: refused, timeout, ..
 *                                        waited                 | reply -> comparison with production's
 * ```
 *
 * `offer` never waits: what does not fit is dropped and counted.
 */
export class Mirror {
  readonly #parts: MirrorParts
  readonly #options: MirrorOptions
  readonly #queue: CopyQueue
  readonly #counts = new CountKeeper()
  #ordinal = 0
  #closing = false
  #idle: (() => void) | undefined
  #room: (() => void) | undefined

  constructor(parts: MirrorParts, options: MirrorOptions) {
    this.#parts = parts
    this.#options = options
    this.#queue = new CopyQueue(options.queue)
  }

  /** Takes an exchange of production. `lane`: which connection of production, where several recordings number theirs alike. */
  offer(exchange: Exchange, lane: number = exchange.connection): void {
    this.#counts.taken++
    const ordinal = this.#ordinal++
    const session = exchange.session === '' ? `connection ${lane}` : exchange.session
    const head = this.#parts.copier.readHead(exchange)
    const judgement = judgeRequest(exchange, head, { allowWrites: false, keepReplayed: false })
    const write = judgement.fate === 'held'
    if (head !== undefined && judgement.fate !== 'replayed') this.#note(exchange, head, write)
    if (judgement.fate === 'held' && !this.#options.allowWrites) {
      this.#counts.hold(judgement.method)
      // A base that stands still will never have it.
      if (this.#parts.moved === undefined) this.#parts.dropped.mark(session, ordinal)
    } else if (head === undefined || judgement.fate === 'unplayable' || judgement.fate === 'replayed') {
      this.#counts.refuse(judgement.fate === 'unplayable' ? judgement.reason : judgement.fate)
      this.#parts.dropped.mark(session, ordinal)
    } else {
      const copy = this.#copyOf(exchange, head, write, { ordinal, session, lane })
      if (this.#closing) this.#drop(copy, 'ended')
      else if (this.#queue.offer(copy)) this.#pump()
      else this.#drop(copy, 'queue-full')
    }
  }

  /** Resolves when there is room, or the signal aborts: for sources that can wait. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.#queue.hasRoom) return
    const onAbort = (): void => this.#room?.()
    signal.addEventListener('abort', onAbort)
    while (!this.#queue.hasRoom && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
    }
    signal.removeEventListener('abort', onAbort)
  }

  report(): MirrorReport {
    return { counts: this.#counts.counts(this.#queue), comparison: this.#parts.comparison?.report() }
  }

  /** Sends what waits, for as long as a copy may wait, and resolves when the last copy has ended. Nothing is taken any more. */
  async close(): Promise<void> {
    this.#closing = true
    const giveUp = setTimeout(() => this.#giveUpWaiting(), this.#options.timeoutNs / 1e6)
    while (this.#queue.waiting + this.#queue.flying > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    clearTimeout(giveUp)
    this.#parts.staging.close()
    this.#parts.comparison?.settle(Infinity)
  }

  /** Drops what waits and what flies; a pending `close` then resolves. */
  destroy(): void {
    this.#closing = true
    this.#giveUpWaiting()
    this.#parts.staging.close()
  }

  /** What every exchange tells, mirrored or not: what was written, and what differs by itself. */
  #note(exchange: Exchange, head: RequestHead, write: boolean): void {
    const { moved, comparison, routes } = this.#parts
    if (comparison === undefined) return
    const path = pathOf(head.target)
    if (!write) {
      const route = routes.names[routes.indexOf(head.method, head.target)] ?? ''
      return comparison.learn(exchange, route, path)
    }
    const lastNs = hasResponse(exchange) ? exchange.response.lastNs : exchange.requestLastNs
    const apart = this.#options.allowWrites || this.#options.heldWrites === 'recorded'
    moved?.write(path, exchange.requestFirstNs, apart ? Infinity : lastNs)
  }

  #copyOf(
    exchange: Exchange,
    head: RequestHead,
    write: boolean,
    place: Pick<Copy, 'ordinal' | 'session' | 'lane'>,
  ): Copy {
    const { copier, comparison, routes } = this.#parts
    const request = copier.copy(head, exchange)
    let heldBytes = exchange.request.head.length + request.body.length
    let original: Original | undefined
    if (comparison !== undefined) {
      const route = routes.names[routes.indexOf(head.method, head.target)] ?? ''
      original = { exchange, route, path: pathOf(head.target), write }
      if (hasResponse(exchange)) heldBytes += exchange.response.head.length + exchange.response.body.length
    }
    return { ...place, request, takenNs: monotonicNs(), heldBytes, original }
  }

  #pump(): void {
    while (this.#queue.flying < this.#options.maxInFlight) {
      const copy = this.#queue.next()
      if (copy === undefined) return
      if (monotonicNs() - copy.takenNs > this.#options.timeoutNs) {
        this.#queue.end(copy)
        this.#drop(copy, 'waited')
      } else {
        this.#counts.sent++
        this.#parts.staging.send(copy.request, (end, twin) => this.#ended(copy, end, twin))
      }
    }
  }

  #ended(copy: Copy, end: CopyEnd, twin: CopyEnd | undefined): void {
    this.#queue.end(copy)
    if (end.kind === 'failed') {
      this.#counts.fail(end.reason)
      this.#parts.dropped.mark(copy.session, copy.ordinal)
    } else {
      this.#counts.answered++
      this.#compare(copy, end.reply, twin?.kind === 'answered' ? twin.reply : undefined)
    }
    this.#pump()
    this.#tellWaiting()
  }

  #compare(copy: Copy, reply: Message | undefined, twin: Message | undefined): void {
    const { comparison } = this.#parts
    if (comparison === undefined || copy.original === undefined || reply === undefined) return
    try {
      comparison.judge(copy, copy.original, reply, twin, this.#options.nowNs())
    } catch {
      // A reply that defeats the comparison must not end the mirror.
      comparison.skip('comparison-failed')
    }
  }

  #drop(copy: Copy, reason: DropReason): void {
    this.#counts.drop(reason)
    this.#parts.dropped.mark(copy.session, copy.ordinal)
  }

  #giveUpWaiting(): void {
    for (const copy of this.#queue.clear()) this.#drop(copy, 'ended')
    this.#tellWaiting()
  }

  #tellWaiting(): void {
    this.#idle?.()
    if (this.#queue.hasRoom) this.#room?.()
  }
}

/** Of a target, without its query, scheme and authority. */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path === '' ? '/' : path
}
