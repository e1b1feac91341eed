import { loadEvidenceOf } from '../measure/another-load.ts'
import type { Gate } from '../measure/gates/gate.ts'
import type { GateSpan } from '../measure/gates/reading.ts'
import type { GateWatch } from '../measure/gates/gate-watch.ts'
import { type GateEvidence, gateValidity, judgeGates } from '../measure/gates/judge-gates.ts'
import type { GeneratorHealth } from '../measure/health.ts'
import type { Measurement } from '../measure/measurement.ts'
import type { RecordedStats } from '../measure/recorded.ts'
import type { ReplyCheck } from '../measure/reply-check.ts'
import type { Tally } from '../measure/tally.ts'
import type { Verdict } from '../measure/validity.ts'
import { judge } from '../measure/validity.ts'
import { recordedDocument, tallyDocument, totalsDocument } from './documents.ts'
import { fingerprintOf, thisEnvironment } from './environment.ts'
import type { SourceSummary } from '../observe/target-watch.ts'
import { type OperatorChange, operatorText } from './operator.ts'
import type { Counts, RouteDocument, Run, RunPlan, RunRequest, SlowExchange } from './run.ts'
import { RUN_SCHEMA } from './run.ts'
import type { StageTallies } from './stage-tallies.ts'

/** What comparing replies found, without what the measurement counts. */
export type CheckFindings = Omit<ReplyCheck, 'replies' | 'comparable' | 'changed' | 'moreChanged'>

/** What a measurement does not know of its run. */
export interface RunFacts {
  readonly runId: string
  readonly version: string
  readonly interrupted: boolean
  readonly startedAt: Date
  /** Undefined while it is running. */
  readonly finishedAt?: Date
  readonly asked: RunRequest
  readonly plan: RunPlan
  /** How long shots were due, without the warm-up. Default: whole seconds from the first due shot to the last. */
  readonly windowNs?: number
  readonly warmupNs?: number
  readonly health?: GeneratorHealth
  readonly gates?: readonly Gate[]
  /** What those of them saw that can stop a run. */
  readonly gateWatch?: GateWatch
  /** What stopped the run before its end, other than a signal: `the breaker stopped the run`. */
  readonly stoppedBy?: string
  readonly counters?: Counts
  /** What ended in each stage of the plan. */
  readonly stageTallies?: StageTallies
  /** Of a run that was judged in parts: default by all of it. */
  readonly verdict?: Verdict
  /** What was to be found out, and was. */
  readonly findings?: Pick<Run, 'capacity' | 'comparison'>
  /** For gates that compare: see `GateSpan`. */
  readonly reference?: GateSpan['reference']
  /** For gates that have too few samples. */
  readonly moreSamples?: GateEvidence['moreSamples']
  /** What an operator changed of the load while it ran. */
  readonly operator?: readonly OperatorChange[]
  /** What the target told of itself, and how often it was asked. */
  readonly target?: { readonly sources: readonly SourceSummary[]; readonly intervalNs: number }
  /** The slowest exchanges, slowest first. */
  readonly slowest?: readonly SlowExchange[]
  /** What comparing replies with the recorded ones found. */
  readonly check?: CheckFindings
}

/** Puts a run together: judges it, and writes its histograms out. Takes some milliseconds a route. */
export function describeRun(
  facts: RunFacts,
  measurement: Measurement,
  recorded: RecordedStats,
  routeNames: readonly string[],
): Run {
  const environment = thisEnvironment()
  const pace = measurement.pace()
  const total = measurement.total.total()
  const windowNs = facts.windowNs ?? pace.seconds * 1e9
  const { operator = [] } = facts
  const cutShort = facts.interrupted ? 'the run was interrupted' : facts.stoppedBy
  const gates = judgeGates(facts.gates ?? [], {
    tally: measurement.total,
    total,
    spanNs: windowNs,
    offered: { due: pace.due, sent: facts.plan.loop === 'open' ? pace.sentInWindow : pace.sent },
    routeNames,
    ...(facts.reference === undefined ? {} : { reference: facts.reference }),
    watch: facts.gateWatch,
    bodies: facts.check?.bodies,
    cutShort,
    moreSamples: facts.moreSamples,
  })
  const verdict =
    facts.verdict ??
    judge({
      loop: facts.plan.loop,
      pace,
      ...loadEvidenceOf(total, facts.plan.masked),
      responseTime: total.responseTime,
      serviceTime: total.serviceTime,
      blocked: measurement.total.blocked,
      lag: measurement.total.lag,
      interrupted: facts.interrupted,
      operator: operatorText(operator),
      cpus: environment.cpuCount,
      pacing: facts.asked.options['pacing'] === 'eco' ? 'eco' : 'precise',
      ...(facts.health === undefined ? {} : { health: facts.health }),
      ...gateValidity(facts.gates ?? [], gates, cutShort),
    })
  return {
    schema: RUN_SCHEMA,
    version: facts.version,
    runId: facts.runId,
    interrupted: facts.interrupted,
    startedAt: facts.startedAt.toISOString(),
    finishedAt: facts.finishedAt?.toISOString() ?? null,
    asked: facts.asked,
    plan: facts.plan,
    achieved: { ...pace, windowNs, warmupNs: facts.warmupNs ?? 0 },
    verdict,
    gates,
    ...stagesOf(facts, measurement),
    ...facts.findings,
    ...(operator.length === 0 ? {} : { operator }),
    ...(facts.target === undefined ? {} : { target: facts.target.sources, targetIntervalNs: facts.target.intervalNs }),
    ...checkOf(facts.check, total),
    ...(facts.slowest === undefined ? {} : { slowest: facts.slowest }),
    totals: totalsDocument(measurement.total),
    recorded: recordedDocument(recorded.total()),
    routes: routeDocuments(measurement, recorded, routeNames),
    timeline: { due: measurement.timeline.due, sent: measurement.timeline.sent },
    health: facts.health ?? null,
    counters: facts.counters ?? {},
    environment,
    fingerprint: fingerprintOf(facts.asked, facts.plan, facts.version, environment, operator),
  }
}

function stagesOf({ stageTallies, warmupNs = 0 }: RunFacts, { timeline }: Measurement): Pick<Run, 'stages'> {
  return stageTallies === undefined ? {} : { stages: stageTallies.results(timeline, warmupNs) }
}

function checkOf(check: CheckFindings | undefined, { replies, comparable, mismatches }: Tally): Pick<Run, 'check'> {
  if (check === undefined) return {}
  const inRows = check.changes.reduce((sum, { count }) => sum + count, 0)
  return { check: { ...check, replies, comparable, changed: mismatches, moreChanged: mismatches - inRows } }
}

function routeDocuments(
  measurement: Measurement,
  recorded: RecordedStats,
  routeNames: readonly string[],
): readonly RouteDocument[] {
  const documents: RouteDocument[] = []
  for (const [route, name] of routeNames.entries()) {
    const [before, now] = [recorded.route(route), measurement.total.routes.get(route)]
    if (before === undefined && now === undefined) continue
    documents.push({
      route,
      name,
      recorded: before === undefined ? null : recordedDocument(before),
      replayed: now === undefined ? null : tallyDocument(now),
    })
  }
  return documents
}
