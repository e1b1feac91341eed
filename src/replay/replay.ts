import { monotonicNs } from '../core/clock.ts'
import type { OutcomeRecorder } from '../core/outcome.ts'
import { BatchFeed } from './batch-feed.ts'
import { type BreakerLimits, ErrorBreaker } from './error-breaker.ts'
import { Http1Sender } from './senders/http1.ts'
import type { ReplyWatches } from './senders/flights.ts'
import { noCounts, type Sender, type SenderCounters } from './senders/sender.ts'
import type { Target } from './senders/target.ts'
import type { ShotBatch } from './shot-batch.ts'
import { Tempo } from './tempo.ts'

/**
 * How one thread sends its shots: plain data. Defaults are in `DEFAULT_REPLAY_LIMITS`; with several threads the caller
 * divides what is a total.
 */
export interface ReplayOptions {
  readonly target: Target
  readonly order: 'connection' | 'none'
  /** `open`: a shot leaves when it is due. `closed`: as soon as there is a free connection, due times mean nothing. */
  readonly loop: 'open' | 'closed'
  /** `precise` spins before a shot is due and takes a whole core; `eco` uses timers, and is about a millisecond late. */
  readonly pacing: 'precise' | 'eco'
  readonly maxConnections: number
  readonly maxInFlight: number
  readonly maxHeldBytes: number
  readonly timeoutNs: number
  /** Undefined: no breaker. */
  readonly breaker: BreakerLimits | undefined
  /** No shot is taken after this, from the run's origin, and in a closed loop none is sent; undefined: until there are none. */
  readonly durationNs: number | undefined
  /** When time 0 of the run is, by the monotonic clock, which all threads share. */
  readonly originNs: number
}

export const DEFAULT_REPLAY_LIMITS: Pick<
  ReplayOptions,
  'maxConnections' | 'maxInFlight' | 'maxHeldBytes' | 'timeoutNs'
> = {
  /** What one machine can open to one address with some ports to spare; a recording seldom has as many at a time. */
  maxConnections: 10_000,
  /** Ten seconds of 1,000/s unanswered: the target is beyond its limit, and more would only measure our memory. */
  maxInFlight: 10_000,
  /** Requests that wait or that the target does not read, in one thread. */
  maxHeldBytes: 128 * 1024 * 1024,
  timeoutNs: 30e9,
}

/** `finished`: every shot was sent and ended. `stopped`: by the first signal; `abandoned`: by the second. */
export type ReplayEnding = 'finished' | 'stopped' | 'abandoned' | 'breaker'

/** What one thread did: plain data. `counters.offered` is the number of outcomes. */
export interface ReplaySummary {
  readonly ending: ReplayEnding
  /** Why the breaker tripped. */
  readonly reason: string | undefined
  /** Shots that had been given to the thread when it ended, and were not due yet (in a closed loop: not sent): without an outcome. */
  readonly unsentShots: number
  /** When the last shot had ended, from the run's origin. */
  readonly endNs: number
  readonly counters: SenderCounters
}

/** What else a caller may have to do with a replay that is under way. */
export interface ReplayHooks extends ReplyWatches {
  /** Ends the shots in flight too, at once. */
  readonly abandon?: AbortSignal | undefined
  /** Called when the breaker trips, while the shots in flight still end. */
  readonly onTrip?: ((reason: string) => void) | undefined
  /** Counted up as the run goes; the summary has a copy. Default: counters of its own. */
  readonly counters?: SenderCounters | undefined
  /** Changed while it runs by an operator; a closed loop does not look at it. Default: one that nobody changes. */
  readonly tempo?: Tempo | undefined
}

/** `precise` sleeps until this long before a shot is due: timers are late by up to a millisecond and a bit. */
const SPIN_NS = 2e6
/**
 * Shots sent, and time spent on it, before sockets are read again: who is late must not make the replies look late too. Opening
 * connections takes ten times as long as writing to them, hence both.
 */
const MAX_SHOTS_A_TURN = 64
const MAX_TURN_NS = 1e6

/**
 * Sends shots when they are due and hands each one's outcome to the recorder; the loop of a sending thread. Batches are in
 * order of time. When `signal` aborts no more shots are sent, those in flight end in their own time, and the summary
 * says so; when `hooks.abandon` does, they end as `aborted` at once. Throws what `batches` throws, after abandoning.
 */
export async function runReplay(
  batches: AsyncIterable<ShotBatch>,
  options: ReplayOptions,
  recorder: OutcomeRecorder,
  signal: AbortSignal,
  hooks: ReplayHooks = {},
): Promise<ReplaySummary> {
  const { abandon } = hooks
  const loop = new ReplayLoop(batches, options, recorder, hooks)
  const stop = (): void => loop.stop('stopped')
  const drop = (): void => loop.abandon()
  signal.addEventListener('abort', stop)
  abandon?.addEventListener('abort', drop)
  try {
    if (signal.aborted) stop()
    if (abandon?.aborted === true) drop()
    return await loop.run()
  } finally {
    signal.removeEventListener('abort', stop)
    abandon?.removeEventListener('abort', drop)
  }
}

/**
 * One turn sends what is due, then waits for the next shot: by timer, or by letting the event loop spin, which reads the
 * sockets meanwhile. Every reply is a chance too: what has become due is sent before the next socket is read.
 */
class ReplayLoop {
  readonly #options: ReplayOptions
  readonly #feed: BatchFeed
  readonly #sender: Sender
  readonly #counters: SenderCounters
  readonly #tempo: Tempo
  #endNs: number
  readonly #onTrip: ((reason: string) => void) | undefined
  /** Made once: a spinning loop passes it on some hundred thousand times a second. */
  readonly #onTurn = (): void => this.#turn()
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #sending = false
  #ending: ReplayEnding = 'finished'
  #reason: string | undefined
  #unsentShots = 0
  #allSent: () => void = () => undefined

  constructor(
    batches: AsyncIterable<ShotBatch>,
    options: ReplayOptions,
    recorder: OutcomeRecorder,
    hooks: ReplayHooks,
  ) {
    this.#options = options
    this.#onTrip = hooks.onTrip
    this.#counters = hooks.counters ?? noCounts()
    this.#tempo = options.loop === 'closed' ? new Tempo() : (hooks.tempo ?? new Tempo())
    this.#endNs = this.#endOf(options)
    this.#tempo.onChange = (): void => {
      this.#endNs = this.#endOf(options)
      this.#turn()
    }
    this.#feed = new BatchFeed(batches, () => this.#turn())
    const { breaker, loop } = options
    const watched =
      breaker === undefined ? recorder : new ErrorBreaker(recorder, breaker, (reason) => this.#trip(reason))
    const closedLoop = loop === 'closed'
    const onRoom = (nowNs: number): void => {
      if (closedLoop && nowNs >= this.#endNs) this.#endInTime()
      else if (this.#isDue(nowNs) && this.#send(nowNs)) this.#immediate ??= setImmediate(this.#onTurn)
    }
    this.#sender = new Http1Sender({ ...options, closedLoop }, watched, this.#counters, onRoom, hooks)
  }

  async run(): Promise<ReplaySummary> {
    const allSent = new Promise<void>((resolve) => {
      this.#allSent = resolve
    })
    if (this.#ending === 'finished') this.#feed.start()
    this.#turn()
    await allSent
    if (this.#feed.failure !== undefined) this.abandon()
    await this.#sender.close()
    if (this.#feed.failure !== undefined) throw this.#feed.failure
    return {
      ending: this.#ending,
      reason: this.#reason,
      unsentShots: this.#unsentShots,
      endNs: monotonicNs() - this.#options.originNs,
      counters: { ...this.#counters },
    }
  }

  #endOf({ originNs, durationNs = Number.MAX_SAFE_INTEGER }: ReplayOptions): number {
    return originNs + this.#tempo.runNs(durationNs)
  }

  /** No more shots are sent; those in flight go on. */
  stop(ending: ReplayEnding): void {
    if (this.#ending === 'finished') this.#ending = ending
    this.#unsentShots += this.#feed.stop()
    if (this.#options.loop === 'closed') this.#unsentShots += this.#sender.dropWaiting()
    else this.#sender.abortWaiting()
    this.#turn()
  }

  abandon(): void {
    this.stop('abandoned')
    this.#ending = 'abandoned'
    this.#sender.destroy()
  }

  #trip(reason: string): void {
    if (this.#ending === 'finished') this.#ending = 'breaker'
    this.#reason = reason
    this.#onTrip?.(reason)
    // Out of the sender's own call: stopping ends shots, which the sender may be about to touch.
    setImmediate(() => this.stop('breaker'))
  }

  #turn(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
    this.#send(monotonicNs())
    if (this.#feed.ended) this.#allSent()
    else if (this.#feed.batch !== undefined) this.#wait(monotonicNs())
  }

  /** Is there a shot to send, as far as time goes? */
  #isDue(nowNs: number): boolean {
    const { batch, index } = this.#feed
    if (batch === undefined) return false
    const { loop, originNs } = this.#options
    return nowNs >= (loop === 'closed' ? originNs : originNs + this.#tempo.runNs(batch.dueNs[index] ?? 0))
  }

  /** Sends what can be sent. True where it broke off to let sockets be read. */
  #send(startNs: number): boolean {
    if (this.#sending) return false
    this.#sending = true
    const feed = this.#feed
    const sender = this.#sender
    const closed = this.#options.loop === 'closed'
    let left = MAX_SHOTS_A_TURN
    for (let nowNs = startNs; left > 0; nowNs = monotonicNs(), left--) {
      if (nowNs >= this.#endNs) {
        this.#endInTime()
        break
      }
      if (!this.#isDue(nowNs) || feed.batch === undefined) break
      if (closed && !sender.hasRoom(nowNs)) break
      // The batch is ours: what an operator made of the schedule is what the shot was due at.
      feed.batch.dueNs[feed.index] = this.#tempo.runNs(feed.batch.dueNs[feed.index] ?? 0)
      sender.send(feed.batch, feed.index, nowNs)
      feed.advance()
      if (nowNs - startNs > MAX_TURN_NS) left = 1
    }
    this.#sending = false
    if (feed.ended) this.#allSent()
    return left === 0
  }

  /** The run's time is over: what was due and waits for its connection still leaves, but in a closed loop nothing was due. */
  #endInTime(): void {
    this.#unsentShots += this.#feed.stop()
    if (this.#options.loop === 'closed') this.#unsentShots += this.#sender.dropWaiting()
    this.#allSent()
  }

  /** A closed loop is driven by replies; it waits for the run's origin only. */
  #wait(nowNs: number): void {
    const { loop, pacing, originNs } = this.#options
    const closed = loop === 'closed'
    if (closed && nowNs >= originNs && !this.#sender.hasRoom(nowNs)) return
    const dueNs = closed ? originNs : originNs + this.#tempo.runNs(this.#feed.batch?.dueNs[this.#feed.index] ?? 0)
    const waitNs = Math.min(dueNs, this.#endNs) - nowNs
    if (waitNs <= 0 || (pacing === 'precise' && waitNs <= SPIN_NS + 1e6)) {
      this.#immediate = setImmediate(this.#onTurn)
    } else {
      const ms = pacing === 'precise' ? Math.floor((waitNs - SPIN_NS) / 1e6) : Math.max(1, Math.round(waitNs / 1e6))
      this.#timer = setTimeout(this.#onTurn, Math.min(ms, 2 ** 30))
    }
  }
}
