import type { Exchange } from '../../core/exchange.ts'
import { hasResponse } from '../../core/exchange.ts'
import { parseHead, requestLine, statusCode } from '../../core/head.ts'
import type { Ledger } from '../../core/ledger.ts'
import type { RecordingInfo, RecordingReader } from '../../core/recording.ts'
import type { LatencyFigures } from '../../measure/figures.ts'
import { figuresOf } from '../../measure/figures.ts'
import { RecordedStats } from '../../measure/recorded.ts'
import { RouteTable } from '../../measure/routes.ts'

/** What a recording holds of one route. */
export interface InspectedRoute {
  readonly route: string
  readonly count: number
  readonly statuses: ReadonlyMap<number, number>
  readonly latency: LatencyFigures
}

/** What is in a recording, as `mesh inspect` shows it. Latency is from a request's first byte to its response's last, at the tap. */
export interface Inspection {
  readonly info: RecordingInfo
  readonly ending: 'closed' | 'cut'
  readonly exchanges: number
  /** Wall-clock times of the first and the last request, undefined where there is none. */
  readonly span: { readonly fromUnixNs: bigint; readonly toUnixNs: bigint } | undefined
  readonly connections: number
  readonly sessions: number
  readonly notReplayable: number
  readonly withoutResponse: number
  readonly requestBytes: number
  readonly responseBytes: number
  readonly latency: LatencyFigures
  readonly statuses: ReadonlyMap<number, number>
  /** Most requests first. */
  readonly routes: readonly InspectedRoute[]
  /** Of the whole recording, whatever part of it was looked at. */
  readonly ledger: Ledger
}

/** Distinct connections and sessions are counted exactly up to this many, and no further: a bound of memory. */
const MAX_COUNTED = 1_000_000

/** Looks through one recording's exchanges, which the caller has filtered. */
export async function inspectRecording(
  reader: RecordingReader,
  exchanges: AsyncIterable<Exchange>,
  patterns: readonly string[],
): Promise<Inspection> {
  const routes = new RouteTable({ patterns })
  const stats = new RecordedStats()
  const connections = new Set<number>()
  const sessions = new Set<string>()
  /** Connections that carried a session: what came on them before the login belongs to it. */
  const keyed = new Set<number>()
  const sums = { exchanges: 0, notReplayable: 0, withoutResponse: 0, requestBytes: 0, responseBytes: 0 }
  let fromNs = Infinity
  let toNs = -Infinity
  for await (const exchange of exchanges) {
    const { method, target } = requestLine(parseHead(exchange.request.head))
    const route = routes.indexOf(method, target)
    sums.exchanges++
    sums.requestBytes += exchange.request.head.length + exchange.request.bodySize
    if (exchange.request.cut !== undefined) sums.notReplayable++
    fromNs = Math.min(fromNs, exchange.requestFirstNs)
    toNs = Math.max(toNs, exchange.requestFirstNs)
    if (connections.size < MAX_COUNTED) connections.add(exchange.connection)
    if (exchange.session !== '' && sessions.size < MAX_COUNTED) {
      sessions.add(exchange.session)
      keyed.add(exchange.connection)
    }
    if (hasResponse(exchange)) {
      const { response } = exchange
      sums.responseBytes += response.head.length + response.bodySize
      stats.observe(route, statusCode(parseHead(response.head)), response.lastNs - exchange.requestFirstNs)
    } else {
      sums.withoutResponse++
      stats.observe(route, 0, -1)
    }
  }
  const total = stats.total()
  const { originUnixNs } = reader.info
  const at = (ns: number): bigint => originUnixNs + BigInt(Math.round(ns))
  return {
    info: reader.info,
    ending: reader.ending,
    ...sums,
    span: sums.exchanges === 0 ? undefined : { fromUnixNs: at(fromNs), toUnixNs: at(toNs) },
    connections: connections.size,
    sessions: sessions.size + connections.size - keyed.size,
    latency: figuresOf(total.serviceTime),
    statuses: total.statuses,
    routes: routesOf(routes, stats),
    ledger: await reader.ledger(),
  }
}

function routesOf(table: RouteTable, stats: RecordedStats): InspectedRoute[] {
  const routes: InspectedRoute[] = []
  for (const [index, route] of table.names.entries()) {
    const found = stats.route(index)
    if (found === undefined) continue
    routes.push({ route, count: found.count, statuses: found.statuses, latency: figuresOf(found.serviceTime) })
  }
  return routes.toSorted((a, b) => b.count - a.count)
}
