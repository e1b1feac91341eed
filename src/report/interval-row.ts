import { setImmediate } from 'node:timers/promises'
import { figuresOf } from '../measure/figures.ts'
import type { Histogram } from '../measure/histogram.ts'
import type { BlockRow, IntervalRow, SecondRow } from '../measure/measurement.ts'
import { histogramDocument, tallyDocument, totalsDocument } from './documents.ts'

/** Routes whose histograms are written in one go: about 5 ms. In between others get their turn of the loop. */
const ROUTES_PER_TURN = 4

/** One line of `intervals.ndjson`, with its newline. */
export async function intervalLine(row: IntervalRow, routeNames: readonly string[]): Promise<string> {
  const document = row.kind === 'second' ? secondDocument(row) : await blockDocument(row, routeNames)
  return `${JSON.stringify(document)}\n`
}

/** Totals with histograms; per route the counts and figures that a chart shows, and no name: 1,000 routes are 200 kB a second. */
function secondDocument(row: SecondRow): object {
  const routes = [...row.tally.routes].map(([route, tally]) => ({
    route,
    shots: tally.shots,
    replies: tally.replies,
    mismatches: tally.mismatches,
    responseTime: shortFigures(tally.responseTime),
    serviceTime: shortFigures(tally.serviceTime),
  }))
  return { kind: row.kind, second: row.second, ...totalsDocument(row.tally), routes }
}

function shortFigures(histogram: Histogram): object {
  const { count, p50Ns, p90Ns, p99Ns, maxNs } = figuresOf(histogram)
  return { count, p50Ns, p90Ns, p99Ns, maxNs }
}

/** Per route counts and histograms. */
async function blockDocument(row: BlockRow, routeNames: readonly string[]): Promise<object> {
  const routes: object[] = []
  for (const [route, tally] of row.tally.routes) {
    routes.push({ route, name: routeNames[route] ?? '', ...tallyDocument(tally) })
    if (routes.length % ROUTES_PER_TURN === 0) await setImmediate()
  }
  const { blocked, lag, warmup } = row.tally
  return {
    kind: row.kind,
    fromSecond: row.fromSecond,
    toSecond: row.toSecond,
    warmup,
    blocked: histogramDocument(blocked),
    lag: histogramDocument(lag),
    routes,
  }
}
