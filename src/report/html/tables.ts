import { typedWord } from '../../core/shell-word.ts'
import { formatBytes, formatCount, formatDurationNs } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { durationCell, percentCell, quantileCell, rateCell, recordedRateCell, statusCell } from '../cells.ts'
import { factRows } from '../fact-rows.ts'
import { failsRun, gateCell, gateOutcome } from '../gate-words.ts'
import { type Content, element, type Markup } from '../markup.ts'
import type { HistogramDocument, RouteDocument, Run } from '../run.ts'
import type { RunSeries } from '../series.ts'
import { STAGE_HEADS, stageRows } from '../stage-table.ts'
import { TARGET_HEADS, targetNotes, targetRows } from '../target-table.ts'
import { sparkline } from '../svg/sparkline.ts'

/** Routes that are shown, the busiest first; all of them are in `run.json`. */
const MAX_ROUTES = 100

/** Characters of a word that fit into a line of the page, monospaced. */
const MAX_UNBROKEN = 80

/** Characters of statuses in a cell. */
const STATUS_COLUMNS = 40

/** A table that can be read without a style sheet. `numbers`: columns from this one on are figures. */
export function table(heads: readonly string[], rows: readonly (readonly Content[])[], numbers: number): Markup {
  const alignment = (index: number): string => (index >= numbers ? 'right' : 'left')
  return element(
    'table',
    { border: 0, rules: 'rows', frame: 'void', cellpadding: 4, cellspacing: 0 },
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        heads.map((head, index) => element('th', { align: alignment(index), scope: 'col' }, head)),
      ),
    ),
    element(
      'tbody',
      {},
      rows.map((row) =>
        element(
          'tr',
          {},
          row.map((cell, index) => element('td', { align: alignment(index) }, cell)),
        ),
      ),
    ),
  )
}

/** What was asked for and what was done, and how to do it again. */
export function factsSection(run: Run): Markup {
  const rows = factRows(run).map(([label, text]) => [label, visible(text)])
  const command = element('p', {}, element('code', {}, 'mesh', run.asked.command.map(commandWord)))
  return element('section', {}, element('h3', {}, 'What was done'), command, table(['', ''], rows, 2))
}

/** A browser breaks lines at hyphens, and `--find-` is no flag: a word that is no wider than the page stays in one piece. */
function commandWord(word: string): Content {
  const typed = typedWord(word)
  return [' ', typed.length > MAX_UNBROKEN ? typed : element('nobr', {}, typed)]
}

const QUANTILE_HEADS = ['p50', 'p90', 'p99', 'p99.9', 'max']

function quantiles(histogram: HistogramDocument): string[] {
  const cells = (['p50Ns', 'p90Ns', 'p99Ns', 'p999Ns'] as const).map((name) => quantileCell(histogram, name))
  return [...cells, durationCell(histogram.maxNs)]
}

/** All routes together: recorded, response, service, and what was waited for. */
export function latencySection({ totals, recorded, plan }: Run): Markup {
  const rows: [string, HistogramDocument][] = [
    ['recorded', recorded.serviceTime],
    ['response', totals.responseTime],
    ['service', totals.serviceTime],
  ]
  if (plan.loop === 'open') rows.push(['blocked', totals.blocked], ['lag', totals.lag])
  const cells = rows.map(([name, histogram]) => [name, ...quantiles(histogram), formatCount(histogram.count)])
  return element(
    'section',
    {},
    element('h3', {}, 'Latency'),
    table(['', ...QUANTILE_HEADS, 'samples'], cells, 1),
    element(
      'p',
      {},
      'Response: from when a request was due to its reply, what a user feels. Service: from when it was sent, what the target took. ' +
        'Blocked: it waited for the reply before it on its connection. Lag: we were late. ' +
        '~: fewer than 100 samples lie beyond this percentile; -: not one does.',
    ),
  )
}

/** Offered and answered, stage by stage; undefined where the load was the same all along. */
export function stagesSection(run: Run): Markup | undefined {
  const rows = stageRows(run)
  if (rows.length === 0) return undefined
  const says = 'Response times of what ended in each stage. Planned is what the recordings have for it.'
  return element(
    'section',
    {},
    element('h3', {}, 'Stages'),
    table(['stage', ...STAGE_HEADS], rows, 1),
    element('p', {}, says),
  )
}

/** What the target told of itself; undefined where nobody asked. */
export function targetSection(run: Run): Markup | undefined {
  if (run.target === undefined) return undefined
  const notes = targetNotes(run).map((note) => element('p', {}, note))
  const rows = targetRows(run)
  const figures = rows.length === 0 ? undefined : table(['metric', ...TARGET_HEADS], rows, 1)
  return element('section', {}, element('h3', {}, 'The target'), figures, notes)
}

/** Recorded against replayed, route by route. */
export function routesSection(run: Run, series: RunSeries): Markup {
  const routes = run.routes.toSorted((a, b) => shotsOf(b) - shotsOf(a) || a.route - b.route)
  const heads = ['route', '', 'p99 over time', 'status', 'count', 'rate', ...QUANTILE_HEADS]
  const rows = routes.slice(0, MAX_ROUTES).flatMap((route) => routeRows(route, run, series))
  const left = routes.length - MAX_ROUTES
  return element(
    'section',
    {},
    element('h3', {}, 'Routes'),
    table(heads, rows, 4),
    left > 0 ? element('p', {}, `${formatCount(left)} more routes are in run.json.`) : undefined,
  )
}

function shotsOf({ replayed, recorded }: RouteDocument): number {
  return replayed?.shots ?? (recorded?.count ?? 0) / 1e9
}

/** A status and its share stay on one line. */
function statusWords(statuses: Parameters<typeof statusCell>[0]): string {
  return statusCell(statuses, STATUS_COLUMNS).replaceAll(/ (?=\S+%)/g, '\u00a0')
}

function routeRows({ route, name, recorded, replayed }: RouteDocument, run: Run, series: RunSeries): Content[][] {
  const title = element('strong', {}, visible(name))
  const rows: Content[][] = []
  if (recorded !== null) {
    const rate = recordedRateCell(recorded.count, run)
    const status = statusWords(recorded.statuses)
    rows.push([title, 'recorded', '', status, formatCount(recorded.count), rate, ...quantiles(recorded.serviceTime)])
  }
  const named = rows.length === 0 ? title : ''
  if (replayed === null) return [...rows, [named, 'not sent', '', '', '0', '-', '-', '-', '-', '-', '-']]
  const over = series.routeP99Ns.get(route)
  const line = over === undefined ? '' : sparkline(over, `p99 of response time over time, ${visible(name)}`)
  const rate = rateCell(replayed.sent, run.achieved.windowNs)
  const status = statusWords(replayed.statuses)
  const failures = replayed.shots - replayed.replies
  const failed = failures === 0 ? '' : `${formatCount(failures)} failed`
  return [
    ...rows,
    [named, 'response', line, status, formatCount(replayed.sent), rate, ...quantiles(replayed.responseTime)],
    ['', 'service', '', failed, '', '', ...quantiles(replayed.serviceTime)],
  ]
}

/** What the run was judged by. */
export function gatesSection({ gates }: Run): Markup | undefined {
  if (gates.length === 0) return undefined
  const rows = gates.map((result) => [
    element(failsRun(result) ? 'strong' : 'span', {}, gateOutcome(result)),
    element('code', {}, visible(result.gate)),
    visible(result.what),
    gateCell(result.actual, result),
    gateCell(result.limit, result),
    formatCount(result.samples),
  ])
  const heads = ['', 'gate', '', 'actual', 'limit', 'samples']
  return element('section', {}, element('h3', {}, 'Gates'), table(heads, rows, 3))
}

/** How the generator fared: what would make its numbers wrong. */
export function healthSection({ health }: Run): Markup | undefined {
  if (health === null) return undefined
  const share = (value: number | undefined): string => (value === undefined ? '-' : percentCell(value))
  const rows = health.threads.map(({ name, cpuShare, waitShare, loopDelayP99Ns }) => [
    visible(name),
    share(cpuShare),
    share(waitShare),
    loopDelayP99Ns === undefined ? '-' : durationCell(loopDelayP99Ns),
  ])
  const steal = `The hypervisor gave ${share(health.stealShare)} of this machine's CPU time to others.`
  return element(
    'section',
    {},
    element('h3', {}, 'The generator'),
    table(['thread', 'on a CPU', 'waited for one', 'loop late, p99'], rows, 1),
    element('p', {}, health.stealShare === undefined ? '' : steal),
  )
}

/** Where and by what it was measured. */
export function environmentSection({
  environment,
  fingerprint,
  version,
  runId,
  startedAt,
  finishedAt,
  achieved,
}: Run): Markup {
  const rows = [
    ['machine', `${environment.cpuCount} x ${visible(environment.cpuModel)}, ${formatBytes(environment.memoryBytes)}`],
    ['system', `${environment.platform} ${visible(environment.kernel)} ${environment.arch}, Node ${environment.node}`],
    ['mesh', `${version}, run ${runId}, comparable with runs of fingerprint ${fingerprint}`],
    ['time', `${startedAt} to ${finishedAt ?? 'its death'}, measured over ${formatDurationNs(achieved.windowNs)}`],
    [
      'method',
      'Requests leave when they are due, whether or not earlier ones were answered (open loop). Percentiles are of histograms, added, never ' +
        'averaged; each value is known to 0.4 %.',
    ],
  ]
  return element('section', {}, element('h3', {}, 'Where and how'), table(['', ''], rows, 2))
}
