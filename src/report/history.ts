import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { MeshError, toMeshError } from '../core/errors.ts'
import { type Comparison, FALSE_DISCOVERY_RATE, type Finding, LEAST_CHANGE } from '../measure/comparison/finding.ts'
import { samplesFor } from '../measure/figures.ts'
import type { Gate } from '../measure/gates/gate.ts'
import { type GateSpan, readMetric } from '../measure/gates/reading.ts'
import { parseGate } from '../measure/gates/parse-gate.ts'
import { adjustedPValues } from '../measure/statistics/false-discovery.ts'
import { type HistoryJudgement, judgeByHistory, LEAST_HISTORY } from '../measure/statistics/history.ts'
import { readRunDirectory } from './read-run.ts'
import type { Run, RunRequest } from './run.ts'
import { spanOfRun } from './run-span.ts'

/** More runs are not read, the newest by their names first: older ones say little of how runs differ now. */
const MOST_RUNS = 100

/** More routes are not judged, the busiest first. */
const MOST_ROUTES = 50

/** What is asked of every route. A route is judged by a quantile where a hundred samples lie beyond it in every run. */
const METRICS = ['p50', 'p95', 'error_rate'] as const

/** A share rests on at least so many requests. */
const LEAST_REQUESTS = 100

/** What earlier runs say of this one. */
export interface HistoryFindings {
  readonly comparison: Comparison
  /** For gates of history. */
  readonly reference: (gate: Gate) => number | undefined
}

/**
 * Looked at before anything is sent.
 *
 * @throws MeshError where the directory of earlier runs cannot be read, or is itself one of them.
 */
export async function listRuns(directory: string): Promise<readonly string[]> {
  const found = await readdir(directory, { withFileTypes: true }).catch((thrown: unknown) => {
    throw toMeshError(thrown, directory)
  })
  if (found.some(({ name }) => name === 'run.json')) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected a folder of runs, found a run',
      where: directory,
      remedy: 'name the folder that it is in, with other runs beside it',
    })
  }
  return found
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(directory, name))
    .toSorted()
}

/** Judges a run by the runs in a directory that are comparable with it: one value a run, route and metric. */
export async function compareWithHistory(
  run: Run,
  directory: string,
  gates: readonly Gate[],
): Promise<HistoryFindings> {
  const ofHistory = gates.filter(({ limit }) => limit.kind === 'history')
  const questions = [...questionsOf(run), ...ofHistory]
  const now = valuesOf(run, questions)
  const history: (readonly (number | undefined)[])[] = []
  const skipped: { name: string; why: string }[] = []
  const directories = (await listRuns(directory)).slice(-MOST_RUNS)
  for (const path of directories) {
    const earlier = await earlierRun(path, run)
    if (typeof earlier === 'string') skipped.push({ name: basename(path), why: earlier })
    else if (earlier !== undefined) history.push(valuesOf(earlier, questions))
  }
  const judgements = questions.map((question, place) =>
    judged(
      question,
      now[place],
      history.map((values) => values[place]),
    ),
  )
  const asked = judgements.slice(0, questions.length - ofHistory.length)
  const comparison: Comparison = {
    with: 'history',
    name: resolve(directory),
    used: history.length,
    needed: LEAST_HISTORY,
    blockNs: null,
    skipped,
    findings: findingsOf(questions, now, asked),
  }
  return { comparison, reference: (gate) => judgements[questions.indexOf(gate)]?.expected }
}

/** The run there; why it is not comparable; or undefined where it is this very run. */
async function earlierRun(path: string, run: Run): Promise<Run | string | undefined> {
  let earlier: Run
  try {
    earlier = await readRunDirectory(path)
  } catch (thrown) {
    if (thrown instanceof MeshError) return `cannot be read: ${thrown.what}`
    throw thrown
  }
  return earlier.runId === run.runId ? undefined : (whyNotComparable(earlier, run) ?? earlier)
}

function whyNotComparable(earlier: Run, run: Run): string | undefined {
  if (earlier.interrupted || earlier.finishedAt === null) return 'interrupted'
  if (earlier.verdict.name === 'INVALID') return 'disturbed by our own side'
  if (earlier.capacity !== undefined) return 'a search for capacity'
  if (earlier.comparison?.with === 'baseline') return 'a comparison with a baseline'
  if (endedEarly(earlier)) return 'stopped before the end'
  if (earlier.asked.target !== run.asked.target) return 'another target'
  if (earlier.fingerprint === run.fingerprint) return undefined
  if (earlier.operator !== undefined || run.operator !== undefined) return "its load was changed by hand, or this one's"
  const recordings = ({ asked }: Run): string =>
    asked.recordings
      .map(({ recordingId, requests }) => `${recordingId} ${requests}`)
      .toSorted()
      .join(' ')
  if (recordings(earlier) !== recordings(run)) return 'other recordings'
  const plan = ({ plan: { loop, amplify, speed, shots, durationNs, stages } }: Run): string =>
    JSON.stringify([loop, amplify, speed, shots, durationNs, stages?.list ?? []])
  if (plan(earlier) !== plan(run)) return 'another plan'
  return whatIsSentOtherwise(earlier.asked.sending, run.asked.sending) ?? 'another kind of machine or another mesh'
}

/** The first setting in which they differ; undefined where there is none. */
function whatIsSentOtherwise(earlier: RunRequest['sending'], now: RunRequest['sending']): string | undefined {
  if (earlier === undefined || now === undefined) {
    return earlier === now ? undefined : 'it does not say how it was sent: another mesh made it'
  }
  for (const name of [...new Set([...Object.keys(earlier), ...Object.keys(now)])].toSorted()) {
    const [before, after] = [earlier[name], now[name]]
    if (before === after) continue
    if (before === undefined) return `without --${name}`
    if (after === undefined) return `with --${name}, and this one without`
    return before.includes('#') || after.includes('#') ? `another --${name}` : `--${name} ${before}, and here ${after}`
  }
  return undefined
}

/** A breaker or a gate stopped it: what it has is of its beginning. */
function endedEarly({ plan, achieved: { windowNs, warmupNs }, operator }: Run): boolean {
  if (plan.loop === 'closed' || plan.durationNs === null || operator !== undefined) return false
  return windowNs < plan.durationNs - warmupNs
}

/** What is asked, as gates that nobody set: of all routes, then of the busiest. */
function questionsOf(run: Run): readonly Gate[] {
  const routes = run.routes
    .filter(({ replayed }) => replayed !== null)
    .toSorted((a, b) => (b.replayed?.shots ?? 0) - (a.replayed?.shots ?? 0))
    .slice(0, MOST_ROUTES)
    .map(({ name }) => name)
  // One route alone is all routes.
  const names = [undefined, ...(routes.length > 1 ? routes : [])]
  const metrics = METRICS.map((metric) => parseGate(`${metric} < ${metric === 'error_rate' ? '1%' : '1s'}`, 'history'))
  return names.flatMap((route) => metrics.map((gate) => ({ ...gate, route })))
}

function valuesOf(run: Run, questions: readonly Gate[]): readonly (number | undefined)[] {
  const routeNames = run.routes.map(({ name }) => name)
  const span: GateSpan = spanOfRun(run)
  return questions.map((gate) => {
    const { value, samples } = readMetric(gate, span, routeNames)
    const { quantity, unit } = gate.metric
    const needed = quantity.kind === 'quantile' ? samplesFor(quantity.quantile) : unit === 'ratio' ? LEAST_REQUESTS : 1
    return samples >= needed ? value : undefined
  })
}

function judged(
  { metric: { unit } }: Gate,
  current: number | undefined,
  values: readonly (number | undefined)[],
): HistoryJudgement | undefined {
  // A count may be 0, as a share may, and 0 has no ratio.
  const scale = unit === 'ratio' || unit === 'count' ? 'difference' : 'ratio'
  const isValue = (value: number | undefined): value is number =>
    value !== undefined && (scale === 'difference' || value > 0)
  const history = values.filter(isValue)
  if (!isValue(current) || history.length < LEAST_HISTORY) return undefined
  const minimumEffect = scale === 'ratio' ? LEAST_CHANGE.ns : LEAST_CHANGE.ratio
  const worse = unit === 'per_second' ? 'down' : 'up'
  const judgement = judgeByHistory({ history, current, worse, scale, minimumEffect })
  return judgement.answer === 'too_few' ? undefined : judgement
}

function findingsOf(
  questions: readonly Gate[],
  now: readonly (number | undefined)[],
  judgements: readonly (HistoryJudgement | undefined)[],
): readonly Finding[] {
  const tested = judgements.filter((judgement) => judgement !== undefined)
  const adjusted = adjustedPValues(tested.map(({ pValue }) => pValue ?? 1))
  return judgements.map((judgement, place) => {
    const { route, metric } = questions[place] ?? {}
    const unit = metric?.unit === 'ratio' ? 'ratio' : 'ns'
    const facts = {
      route: route ?? null,
      metric: metric?.name ?? '',
      unit,
      now: now[place] ?? null,
      low: null,
      high: null,
    } as const
    if (judgement === undefined) return { ...facts, before: null, change: null, pValue: null, answer: 'too_few' }
    const { expected = null, effect, answer } = judgement
    const pValue = adjusted[tested.indexOf(judgement)] ?? 1
    const isDoubtful = answer === 'worse' && pValue > FALSE_DISCOVERY_RATE
    const change = effect === undefined ? null : unit === 'ns' ? effect - 1 : effect
    return { ...facts, before: expected, change, pValue, answer: isDoubtful ? 'same' : answer }
  })
}
