import { cpus } from 'node:os'
import { monotonicNs } from '../../core/clock.ts'
import { formatCount, formatDurationNs } from '../../core/units.ts'
import { figuresOf } from '../../measure/figures.ts'
import { gateValidity, judgeGates } from '../../measure/gates/judge-gates.ts'
import type { RecentSecond } from '../../measure/measurement.ts'
import type { Tally } from '../../measure/tally.ts'
import {
  OWN_REASON_CODES,
  DEFAULT_VALIDITY_LIMITS,
  judge,
  type RunEvidence,
  tightened,
  type VerdictReason,
} from '../../measure/validity.ts'
import type { CheckFindings } from '../../report/describe-run.ts'
import { countsOf } from '../../report/documents.ts'
import { stageText } from '../../replay/parse-stages.ts'
import {
  type DashboardFacts,
  SHOWN_SECONDS,
  type ShownHealth,
  type ShownRoute,
  type ShownSecond,
  type View,
} from '../../tui/facts.ts'
import type { LiveRun } from './live-run.ts'
import { addCounters } from './replay-progress.ts'
import type { PlannedReplay } from './planned-replay.ts'

/** What a frame shows and the run does not know. */
export interface FrameSettings {
  readonly view: View
  readonly columns: number
  readonly rows: number
  readonly notes: readonly string[]
  readonly keys: boolean
}

/** Red from this share of what makes a run invalid. */
const NEAR_SHARE = 0.7

const OWN_REASONS: ReadonlySet<VerdictReason['code']> = new Set(OWN_REASON_CODES)

/** Routes that a frame may show; each is ranked by its p99 all the same. */
const MAX_SHOWN_ROUTES = 200

/** What is worked out once a second, and takes milliseconds with a thousand routes. */
type Judged = Pick<DashboardFacts, 'seconds' | 'total' | 'check' | 'routes' | 'health' | 'gates'>

/** Makes the facts of one frame after the other, out of a run that goes on. */
export class DashboardFactory {
  readonly #replay: PlannedReplay
  readonly #live: LiveRun
  #judged: Judged | undefined
  #judgedSecond = -1

  constructor(replay: PlannedReplay, live: LiveRun) {
    this.#replay = replay
    this.#live = live
  }

  facts(settings: FrameSettings): DashboardFacts {
    const { plan, url } = this.#replay
    const { control, counters } = this.#live
    const second = this.#live.measurement.recent.at(-1)?.second ?? -1
    if (this.#judged === undefined || second !== this.#judgedSecond) this.#judged = this.#judge()
    this.#judgedSecond = second
    const elapsedNs = this.#elapsedNs()
    const sum = addCounters([...counters.values()])
    const endNs = plan.durationNs === Infinity ? undefined : plan.durationNs
    const scheduleNs = control.tempo.scheduleNs(elapsedNs)
    const leftNs = endNs === undefined ? Infinity : control.tempo.runNs(endNs) - elapsedNs
    return {
      ...settings,
      ...this.#judged,
      target: url.replace(/^(https?:\/\/)[^/@]*@/, '$1'),
      elapsedNs,
      leftNs: leftNs === Infinity ? null : Math.max(0, leftNs),
      progress: endNs === undefined || endNs <= 0 ? null : Math.min(1, scheduleNs / endNs),
      stage: this.#stage(elapsedNs),
      speed: control.tempo.speed,
      state: this.#state(elapsedNs),
      loop: plan.speed === 'max' ? 'closed' : 'open',
      unanswered: (sum['offered'] ?? 0) - (sum['ended'] ?? 0),
      connections: (sum['connected'] ?? 0) - (sum['closedByTarget'] ?? 0) - (sum['unsolicited'] ?? 0),
    }
  }

  #elapsedNs(): number {
    const { atNs } = this.#live.begun
    return atNs === 0 ? 0 : Math.max(0, monotonicNs() - atNs)
  }

  #state(elapsedNs: number): DashboardFacts['state'] {
    if (this.#live.stopping()) return 'stopping'
    if (this.#live.begun.atNs === 0) return 'waiting'
    return elapsedNs < this.#replay.flags.warmup ? 'warming up' : 'running'
  }

  #stage(elapsedNs: number): string {
    const { stages } = this.#replay.plan
    if (stages === undefined) return ''
    const place = stages.list.findLastIndex(({ fromNs }) => fromNs <= elapsedNs)
    const stage = stages.list[place]
    if (stage === undefined) return ''
    const leftNs = Math.max(0, stage.fromNs + stage.playedNs - elapsedNs)
    const left = formatDurationNs(Math.round(leftNs / 1e9) * 1e9)
    return `stage ${place + 1} of ${stages.list.length}: ${stageText(stages.kind, stage)}, ${left} left`
  }

  #judge(): Judged {
    const { measurement } = this.#live
    const total = measurement.total.total()
    const gates = this.#gates(total)
    return {
      seconds: this.#seconds(),
      total: {
        replies: total.replies,
        responseTime: figuresOf(total.responseTime),
        statuses: countsOf(total).statuses,
        errors: countsOf(total).errors,
        mismatches: total.mismatches,
      },
      check: checkText(this.#live.check?.findings(), total),
      routes: this.#routes(),
      health: this.#health(total),
      gates,
    }
  }

  #seconds(): readonly ShownSecond[] {
    const { measurement } = this.#live
    const { due, sent } = measurement.timeline
    const recent = new Map(measurement.recent.map((second) => [second.second, second]))
    const last = measurement.recent.at(-1)?.second ?? -1
    const first = Math.max(0, last - SHOWN_SECONDS + 1)
    // A second in which nothing ended has no row, and is one all the same.
    return Array.from({ length: last - first + 1 }, (_, place) => {
      const second = first + place
      return shownSecond(recent.get(second), due[second] ?? 0, sent[second] ?? 0)
    })
  }

  #routes(): readonly ShownRoute[] {
    const { names } = this.#replay.options.routes
    const routes = [...this.#live.measurement.total.routes].map(([route, tally]) => ({
      name: names[route] ?? '',
      replies: tally.replies,
      failures: tally.failures,
      p50Ns: tally.responseTime.quantileNs(0.5) ?? null,
      p99Ns: tally.responseTime.quantileNs(0.99) ?? null,
    }))
    return routes.toSorted((a, b) => (b.p99Ns ?? -1) - (a.p99Ns ?? -1)).slice(0, MAX_SHOWN_ROUTES)
  }

  #gates(total: Tally): DashboardFacts['gates'] {
    const { measurement } = this.#live
    const { flags, gates, options, plan } = this.#replay
    const pace = measurement.pace()
    return judgeGates(
      // What stops a run is watched by itself, and said when it does.
      gates.filter(({ abortAfterSeconds }) => abortAfterSeconds === undefined),
      {
        tally: measurement.total,
        total,
        spanNs: Math.max(1e9, this.#elapsedNs() - flags.warmup),
        offered: { due: pace.due, sent: plan.speed === 'max' ? pace.sent : pace.sentInWindow },
        routeNames: options.routes.names,
      },
    )
  }

  #health(total: Tally): ShownHealth {
    const { measurement, health } = this.#live
    const threads = [...health.values()]
    const evidence: RunEvidence = {
      loop: this.#replay.plan.speed === 'max' ? 'closed' : 'open',
      pace: measurement.pace(),
      replies: total.replies,
      errors: total.errors,
      responseTime: total.responseTime,
      serviceTime: total.serviceTime,
      blocked: measurement.total.blocked,
      lag: measurement.total.lag,
      cpus: cpus().length,
      health: { threads, stealShare: undefined },
      ...gateValidity([], [], undefined),
    }
    const bad = ownReasons(evidence, 1)
    const near = bad.length > 0 ? bad : ownReasons(evidence, NEAR_SHARE)
    return {
      level: bad.length > 0 ? 'bad' : near.length > 0 ? 'near' : 'good',
      reasons: near,
      waitShare: most(threads.map(({ waitShare }) => waitShare)),
      loopDelayP99Ns: most(threads.map(({ loopDelayP99Ns }) => loopDelayP99Ns)),
    }
  }
}

/** What would make the run invalid by now, if its limits were `share` of what they are. */
function ownReasons(evidence: RunEvidence, share: number): readonly string[] {
  const limits = share === 1 ? DEFAULT_VALIDITY_LIMITS : tightened(DEFAULT_VALIDITY_LIMITS, share)
  const { reasons } = judge(evidence, limits)
  return reasons.filter(({ verdict, code }) => verdict === 'INVALID' && OWN_REASONS.has(code)).map(({ what }) => what)
}

function shownSecond(second: RecentSecond | undefined, due: number, sent: number): ShownSecond {
  return {
    due,
    sent,
    replies: second?.replies ?? 0,
    failures: second?.failures ?? 0,
    p50Ns: second?.responseTime.p50Ns ?? null,
    p90Ns: second?.responseTime.p90Ns ?? null,
    p99Ns: second?.responseTime.p99Ns ?? null,
    p999Ns: second?.responseTime.p999Ns ?? null,
    lagP99Ns: second?.lag.p99Ns ?? null,
    octaves: second?.octaves ?? [],
  }
}

/** What differs, and the most frequent difference. */
function checkText(found: CheckFindings | undefined, { comparable, mismatches }: Tally): string {
  if (found === undefined) return ''
  const [change] = found.changes
  const status = change === undefined ? '' : `, most ${change.route} ${change.recorded} -> ${change.now}`
  const statuses = `${formatCount(mismatches)} of ${formatCount(comparable)} statuses differ${status}`
  if (found.bodies === undefined) return statuses
  const { compared, differing, fields } = found.bodies
  const field = fields.find((one) => one.field !== 'status')
  const most = field === undefined ? '' : `, most ${field.route} ${field.field}`
  return `${formatCount(differing)} of ${formatCount(compared)} bodies differ${most}; ${statuses}`
}

function most(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}
