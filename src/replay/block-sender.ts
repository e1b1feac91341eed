import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNs } from '../core/clock.ts'
import type { GeneratorHealth } from '../measure/health.ts'
import type { IntervalSnapshot } from '../measure/interval.ts'
import { SpanTally } from '../measure/tally.ts'
import { type Pace, Timeline } from '../measure/timeline.ts'
import { Amplifier } from './amplify.ts'
import type { FleetOptions, FleetSummary } from './fleet.ts'
import { Fleet } from './fleet.ts'
import type { ScheduleBlock, ScheduleOptions } from './options.ts'
import type { Plan } from './plan.ts'
import { scheduleShards } from './schedule.ts'
import type { SenderCounters } from './senders/sender.ts'
import type { Survey } from './survey.ts'

/** A part of a run that is measured for itself: a schedule that begins at the beginning of the recordings. */
export interface Block {
  readonly plan: Plan
  readonly options: ScheduleOptions
  /** Sent without being measured, at first. Whole seconds, as is `durationNs`, which includes it. */
  readonly warmupNs: number
  readonly durationNs: number
  /** A block in which more than this share of a hundred requests or more has no reply is cut short. */
  readonly maxErrorShare: number
}

/** What was measured in a block. */
export interface BlockResult {
  readonly tally: SpanTally
  readonly pace: Pace
  readonly health: GeneratorHealth
  /** The time in which what was measured was due. */
  readonly windowNs: number
  /** How many more were unanswered at the end of the window than at its beginning, as a share of those that were due in it. */
  readonly backlogShare: number
  /** Why it was cut short; undefined: it was not. */
  readonly broken: string | undefined
}

export interface BlockSenderOptions extends Omit<FleetOptions, 'onInterval' | 'warmupNs'> {
  /** Time 0, by the monotonic clock. Several senders of a run have the same. */
  readonly originNs: number
  /** Everything that was measured, as it comes; those of warm-ups are in no figure of it. */
  readonly onSnapshot?: (snapshot: IntervalSnapshot) => void
}

/** Who looks at the intervals of the threads, if anybody does. */
interface IntervalWatch {
  onInterval: (snapshot: IntervalSnapshot | undefined) => void
}

/** Before a block's first shot is due: the threads have it by then. Blocks begin at whole seconds. */
const LEAD_NS = 400e6

const LEAST_ENDED_TO_BREAK = 100

/** How often it is looked whether a block has ended; threads tell of it once a second. */
const POLL_MS = 50

/**
 * Sends blocks one after the other over the same threads and connections; a block begins when every request of the one before has ended.
 *
 *     send(block): cut (forget the pause) -> schedule -> threads -> all ended -> cut (tally, health)
 */
export class BlockSender {
  readonly #fleet: Fleet
  readonly #survey: Survey
  readonly #originNs: number
  readonly #counters: Map<number, SenderCounters>
  readonly #watch: IntervalWatch
  #generation = 0
  #submitted = 0
  #measuredNs = 0
  /** The threads have ended: the breaker tripped. */
  #isOver = false

  /** Starts the threads. @throws what `Fleet.open` throws. */
  static async open(survey: Survey, options: BlockSenderOptions): Promise<BlockSender> {
    const counters = new Map<number, SenderCounters>()
    const watch: IntervalWatch = { onInterval: () => undefined }
    const fleet = await Fleet.open({
      ...options,
      onInterval: ({ worker, snapshot, counters: sent }) => {
        counters.set(worker, sent)
        if (snapshot !== undefined) options.onSnapshot?.(snapshot)
        watch.onInterval(snapshot)
      },
    })
    fleet.begin(options.originNs)
    return new BlockSender(fleet, survey, options.originNs, counters, watch)
  }

  private constructor(
    fleet: Fleet,
    survey: Survey,
    originNs: number,
    counters: Map<number, SenderCounters>,
    watch: IntervalWatch,
  ) {
    this.#fleet = fleet
    this.#survey = survey
    this.#originNs = originNs
    this.#counters = counters
    this.#watch = watch
    void fleet.finished.then(() => (this.#isOver = true)).catch(() => undefined)
  }

  /** Counters of each thread so far. */
  get counters(): readonly SenderCounters[] {
    return [...this.#counters.values()]
  }

  /** The time of all blocks so far in which what was measured was due; of one that was cut short, until then. */
  get measuredNs(): number {
    return this.#measuredNs
  }

  /**
   * Sends a block and waits for all of its replies. Undefined where the signal or the breaker ended it: then the sender is of no more use but
   * to be closed.
   */
  async send(block: Block, signal: AbortSignal): Promise<BlockResult | undefined> {
    const startNs = Math.ceil((monotonicNs() - this.#originNs + LEAD_NS) / 1e9) * 1e9
    const measureFromNs = startNs + block.warmupNs
    const endNs = startNs + block.durationNs
    await this.#fleet.cut(measureFromNs)
    const seen = new BlockWatch(measureFromNs, endNs, this.#standing, block.maxErrorShare)
    this.#watch.onInterval = (snapshot) => seen.take(snapshot, monotonicNs() - this.#originNs, this.#standing)
    const stop = (): void => this.#fleet.stop()
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted) return undefined
      await Promise.race([this.#feed(block, startNs, AbortSignal.any([signal, seen.broken])), this.#fleet.finished])
      const isOver = (): boolean => seen.broken.aborted || monotonicNs() - this.#originNs >= endNs
      while (this.#standing.ended < this.#submitted || !isOver()) {
        if (signal.aborted || this.#isOver) return undefined
        await Promise.race([pause(POLL_MS), this.#fleet.finished])
      }
      const health = await this.#fleet.cut(Number.MAX_SAFE_INTEGER)
      return seen.result(health)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#watch.onInterval = () => undefined
      const untilNs = Math.min(endNs, monotonicNs() - this.#originNs)
      this.#measuredNs += Math.max(0, untilNs - measureFromNs)
    }
  }

  /** Ends the threads in order; what is in flight is awaited, or ended where `now` aborts. */
  async close(now: AbortSignal): Promise<FleetSummary> {
    const drop = (): void => this.#fleet.abandon()
    now.addEventListener('abort', drop)
    try {
      if (now.aborted) drop()
      this.#fleet.end()
      return await this.#fleet.finished
    } finally {
      now.removeEventListener('abort', drop)
      await this.#fleet.close()
    }
  }

  async #feed({ plan, options }: Block, startNs: number, signal: AbortSignal): Promise<void> {
    const block: ScheduleBlock = { startNs, firstGeneration: this.#generation }
    const shortestNs = Math.min(...plan.recordings.map(({ periodNs }) => periodNs))
    const { mostCopies } = new Amplifier(plan.amplify, plan.seed, plan.jitterNs)
    const speed = plan.speed === 'max' ? 1 : plan.speed
    this.#generation += (Math.ceil(((plan.durationNs ?? 0) * speed) / shortestNs) + 1) * mostCopies
    try {
      for await (const { shard, batch } of scheduleShards(this.#survey, plan, { ...options, block }, signal)) {
        // Its memory goes to the thread.
        const { count } = batch
        if (!(await this.#fleet.submit(shard, batch, signal))) return
        this.#submitted += count
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  get #standing(): Standing {
    let [ended, answered, open] = [0, 0, 0]
    for (const counters of this.#counters.values()) {
      ended += counters.ended
      answered += counters.answered
      open += counters.offered - counters.ended
    }
    return { ended, answered, open }
  }
}

/** Shots of the run so far: with an outcome, those of them with a reply, and given without an outcome. */
interface Standing {
  readonly ended: number
  readonly answered: number
  readonly open: number
}

/** Adds up what comes of a block, and looks at how it goes. Times are of the run. */
class BlockWatch {
  readonly #tally = new SpanTally()
  readonly #timeline = new Timeline()
  readonly #fromNs: number
  readonly #endNs: number
  readonly #before: Standing
  readonly #maxErrorShare: number
  readonly #breaking = new AbortController()
  #openAtStart: number | undefined
  #openAtEnd: number | undefined
  #why: string | undefined

  constructor(fromNs: number, endNs: number, before: Standing, maxErrorShare: number) {
    this.#fromNs = fromNs
    this.#endNs = endNs
    this.#before = before
    this.#maxErrorShare = maxErrorShare
  }

  /** Aborts when the block is to be cut short. */
  get broken(): AbortSignal {
    return this.#breaking.signal
  }

  /** An interval of one thread, at its end. */
  take(snapshot: IntervalSnapshot | undefined, nowNs: number, { ended, answered, open }: Standing): void {
    if (snapshot !== undefined) {
      this.#tally.addSnapshot(snapshot)
      this.#timeline.add(snapshot.schedule)
    }
    if (nowNs >= this.#fromNs) this.#openAtStart ??= open
    if (nowNs >= this.#endNs) this.#openAtEnd ??= open
    const all = ended - this.#before.ended
    const failed = all - (answered - this.#before.answered)
    if (all < LEAST_ENDED_TO_BREAK || failed / all <= this.#maxErrorShare || this.#why !== undefined) return
    this.#why = `${Math.round((failed / all) * 100)} % of the requests had no reply`
    this.#breaking.abort()
  }

  result(health: GeneratorHealth): BlockResult {
    const pace = this.#timeline.pace()
    const grown = (this.#openAtEnd ?? 0) - (this.#openAtStart ?? 0)
    return {
      tally: this.#tally,
      pace,
      health,
      windowNs: this.#endNs - this.#fromNs,
      backlogShare: pace.due === 0 ? 0 : grown / pace.due,
      broken: this.#why,
    }
  }
}
