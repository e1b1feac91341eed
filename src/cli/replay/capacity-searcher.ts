import type { CapacityEnd, CapacityResult, CapacityStep } from '../../measure/capacity/result.ts'
import { kneeOfSteps } from '../../measure/capacity/result.ts'
import type { SearchBounds } from '../../measure/capacity/search.ts'
import { CapacitySearch } from '../../measure/capacity/search.ts'
import type { GeneratorHealth } from '../../measure/health.ts'
import type { MaskedLoad } from '../../measure/another-load.ts'
import { anotherLoadReason, type Verdict, type VerdictReason } from '../../measure/validity.ts'
import type { BlockResult, BlockSender } from '../../replay/block-sender.ts'
import { stepLine } from '../../report/capacity-text.ts'
import type { DecidedStep, StepSettings } from './capacity-steps.ts'
import { blockAt, decideStep, excusedVerdict, measuredNsAt, recordedShots, verdictOfBlock } from './capacity-steps.ts'
import type { PlannedReplay } from './planned-replay.ts'
import { maskedOf } from './run-facts.ts'
import type { Terminal } from '../terminal.ts'

/** The check is made at this part of what was found, for so many times as long as a step. */
const CHECK_SHARE = 0.9
export const CHECK_TIMES = 2

/** A check that fails sends the search further down; after so many it is what was found. */
const MOST_CHECKS = 2

/** Sends and judges the steps of one search. */
export class CapacitySearcher {
  readonly #replay: PlannedReplay
  readonly #settings: StepSettings
  readonly #sender: BlockSender
  readonly #signal: AbortSignal
  readonly #terminal: Terminal
  readonly #masked: MaskedLoad | undefined
  readonly #steps: CapacityStep[] = []
  readonly #decided = new Map<number, DecidedStep>()
  /** Recorded requests of a step, by how long it is measured. */
  readonly #recorded = new Map<number, number>()
  /** Recorded requests a second in the first step: what 1x is in all of them, also in those that replay a longer part. */
  #basePerSecond = 0
  #most = Infinity
  #search: CapacitySearch | undefined
  #check: DecidedStep | undefined
  #isAtBound = false
  #loadOfHeld: VerdictReason | undefined
  #loadOfAny: VerdictReason | undefined
  /** Of the step that our own side disturbed however often it was repeated: the search ended with it. */
  starved: Verdict | undefined
  /** Of the first step that our own side disturbed and that counted all the same (`--on-invalid warn`). */
  excused: Verdict | undefined
  /** Of the last step. */
  health: GeneratorHealth | undefined

  constructor(
    replay: PlannedReplay,
    settings: StepSettings,
    sender: BlockSender,
    signal: AbortSignal,
    terminal: Terminal,
  ) {
    this.#masked = maskedOf(replay.plan, replay.survey).masked
    this.#replay = replay
    this.#settings = settings
    this.#sender = sender
    this.#signal = signal
    this.#terminal = terminal
  }

  /** Why the load was not the recorded one: of the first step that held, or of the first at all where none did. */
  get anotherLoad(): VerdictReason | undefined {
    return this.#steps.some(({ outcome }) => outcome === 'held') ? this.#loadOfHeld : this.#loadOfAny
  }

  /** Ends when there is no more to find out, or when the signal aborts. */
  async search(bounds: SearchBounds): Promise<void> {
    const search = new CapacitySearch(bounds)
    this.#search = search
    this.#most = bounds.most
    for (let checks = 0; ;) {
      const next = search.next()
      const at = next ?? this.#checkAt(search)
      if (at === undefined) return
      const decided = await this.#step(at, next === undefined)
      if (decided === undefined) return
      this.#decided.set(at, decided)
      if (next === undefined) {
        this.#check = decided
        checks += 1
        if (decided.step.outcome !== 'failed' || checks >= MOST_CHECKS) return
      }
      search.record(at, decided.step.outcome)
      this.#isAtBound = search.high === undefined && search.low === bounds.most
    }
  }

  result(): CapacityResult {
    const search = this.#search
    const at = (multiplier: number | undefined): DecidedStep | undefined =>
      multiplier === undefined ? undefined : this.#decided.get(multiplier)
    const [lowest, highest] = [at(search?.low), at(search?.high)]
    const [low, high] = [lowest?.step.sustained ?? null, highest?.step.multiplier ?? null]
    const { gates, stepNs } = this.#settings
    return {
      gates: gates.map(({ text }) => text),
      basePerSecond: this.#basePerSecond,
      stepNs,
      multiplier: low === null || high === null ? low : Math.sqrt(low * high),
      low,
      high,
      ...this.#limit(highest),
      check: this.#check?.step.outcome ?? null,
      knee: kneeOfSteps(this.#steps),
      steps: this.#steps,
    }
  }

  #limit(highest: DecidedStep | undefined): { readonly limitedBy: CapacityEnd; readonly why: string } {
    const isStarvedInSearch = this.starved !== undefined && this.#check === undefined
    if (isStarvedInSearch) return { limitedBy: 'generator', why: this.starved?.reasons[0]?.what ?? '' }
    if (highest?.limit !== undefined) return { limitedBy: highest.limit, why: highest.step.what }
    if (this.#isAtBound) return { limitedBy: 'bound', why: 'the most that was to be tried holds' }
    if (this.#signal.aborted) return { limitedBy: 'unknown', why: 'the search was stopped before its end' }
    return { limitedBy: 'unknown', why: this.#steps.at(-1)?.what ?? 'no step was sent' }
  }

  /** Where the result is checked; undefined where there is none, or our own side was at its limit. */
  #checkAt({ low, high }: CapacitySearch): number | undefined {
    if (low === undefined || this.starved !== undefined) return undefined
    return CHECK_SHARE * Math.sqrt(low * (high ?? low))
  }

  /** Undefined where the signal ended it. */
  async #step(multiplier: number, isCheck: boolean): Promise<DecidedStep | undefined> {
    const measuredNs = measuredNsAt(this.#settings, multiplier, isCheck ? CHECK_TIMES : 1)
    const perSecond = ((await this.#recordedIn(measuredNs)) * 1e9) / measuredNs
    if (this.#basePerSecond === 0) this.#basePerSecond = perSecond
    const recorded = (this.#basePerSecond * measuredNs) / 1e9
    const evened = perSecond === 0 ? 1 : this.#basePerSecond / perSecond
    const block = blockAt(this.#settings, Math.min(multiplier * evened, this.#most), measuredNs)
    const results: BlockResult[] = []
    const verdicts: Verdict[] = []
    const { flags, options } = this.#replay
    for (;;) {
      const result = await this.#sender.send(block, this.#signal)
      if (result === undefined) return undefined
      this.health = result.health
      results.push(result)
      const verdict = verdictOfBlock(result, flags, this.#masked)
      verdicts.push(verdict)
      this.excused ??= excusedVerdict(verdict)
      const decided = decideStep(
        this.#settings.gates,
        { results, verdicts },
        { routeNames: options.routes.names, multiplier, recorded, isCheck },
      )
      const again = decided.isOpen ? ', once more' : ''
      this.#terminal.say(`${stepLine(decided.step)}${again}`)
      if (decided.isOpen) continue
      this.starved = decided.starved
      this.#noteLoad(decided.step, verdicts)
      this.#steps.push(decided.step)
      return decided
    }
  }

  /** A step that fails may lack logins because the target is overloaded, and what is claimed rests on those that hold. */
  #noteLoad({ outcome }: CapacityStep, verdicts: readonly Verdict[]): void {
    const reason = verdicts.map(anotherLoadReason).find((found) => found !== undefined)
    this.#loadOfAny ??= reason
    if (outcome !== 'held') return
    this.#loadOfHeld ??= reason
  }

  async #recordedIn(measuredNs: number): Promise<number> {
    const known = this.#recorded.get(measuredNs)
    if (known !== undefined) return known
    const counted = await recordedShots(this.#settings, measuredNs, this.#signal)
    this.#recorded.set(measuredNs, counted)
    return counted
  }
}
