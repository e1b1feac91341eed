import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import type { LatencyFigures } from '../measure/figures.ts'
import { countCell, durationCell, middleCut, quantileCell, rateCell, recordedRateCell, statusCell } from './cells.ts'
import type { RouteDocument, Run } from './run.ts'

/** Routes that are printed; all of them are in `run.json`. */
const MAX_ROUTES = 20

/** From this width on a route's name stands beside its figures, below above them. */
const WIDE_COLUMNS = 104

const INDENT = '  '
const STATUS_COLUMNS = 16
/** label 9, count 9, rate 10, gap 2, status 16, four durations of 8. */
const FIGURES_COLUMNS = 78

/** Recorded against replayed, route by route, the busiest first: three lines each, and a name. */
export function routeTable(run: Run, columns: number): string[] {
  const wide = columns >= WIDE_COLUMNS
  const nameColumns = wide ? columns - FIGURES_COLUMNS : INDENT.length
  const routes = run.routes.toSorted((a, b) => shotsOf(b) - shotsOf(a) || a.route - b.route)
  const heads = figuresLine('', 'count', 'rate', 'status', ['p50', 'p90', 'p99', 'max'])
  const lines = [`${(wide ? 'route' : '').padEnd(nameColumns)}${heads}`]
  for (const route of routes.slice(0, MAX_ROUTES)) {
    const rows = routeRows(route, run)
    const shown = visible(route.name)
    if (!wide) lines.push(middleCut(shown, columns))
    const name = wide ? middleCut(shown, nameColumns - 2) : ''
    lines.push(...rows.map((row, index) => (index === 0 ? name : '').padEnd(nameColumns) + row))
  }
  if (routes.length > MAX_ROUTES) lines.push(`and ${formatCount(routes.length - MAX_ROUTES)} more routes: see --json`)
  return lines
}

function shotsOf({ replayed, recorded }: RouteDocument): number {
  return replayed?.shots ?? (recorded?.count ?? 0) / 1e9
}

function routeRows({ recorded, replayed }: RouteDocument, run: Run): string[] {
  const rows: string[] = []
  if (recorded !== null) {
    const rate = recordedRateCell(recorded.count, run)
    const status = statusCell(recorded.statuses, STATUS_COLUMNS)
    rows.push(figuresLine('recorded', countCell(recorded.count), rate, status, durations(recorded.serviceTime)))
  }
  if (replayed === null) return [...rows, figuresLine('response', '0', '-', 'not sent', [])]
  const rate = rateCell(replayed.sent, run.achieved.windowNs)
  const status = statusCell(replayed.statuses, STATUS_COLUMNS)
  const failures = replayed.shots - replayed.replies
  const failed = failures === 0 ? '' : `${countCell(failures)} failed`
  rows.push(figuresLine('response', countCell(replayed.sent), rate, status, durations(replayed.responseTime)))
  rows.push(figuresLine('service', '', '', failed, durations(replayed.serviceTime)))
  return rows
}

function durations(figures: LatencyFigures): string[] {
  const quantiles = (['p50Ns', 'p90Ns', 'p99Ns'] as const).map((name) => quantileCell(figures, name))
  return [...quantiles, durationCell(figures.maxNs)]
}

function figuresLine(label: string, count: string, rate: string, status: string, times: readonly string[]): string {
  const left = `${label.padEnd(9)}${count.padStart(9)}${rate.padStart(10)}  ${status.padEnd(STATUS_COLUMNS)}`
  return left + times.map((time) => time.padStart(8)).join('')
}
