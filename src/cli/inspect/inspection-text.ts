import type { Exchange, Response } from '../../core/exchange.ts'
import { parseHead, requestLine, statusCode } from '../../core/head.ts'
import type { RecordingInfo } from '../../core/recording.ts'
import { formatBytes, formatCount, formatDurationNs, formatRate } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { SEALED_VALUES } from '../../mask/keep-originals.ts'
import type { LatencyFigures } from '../../measure/figures.ts'
import { durationCell } from '../../report/cells.ts'
import type { Inspection } from './inspection.ts'
import { alignRight, ledgerTable } from '../ledger-text.ts'

/** Routes shown without `--json`. */
const MAX_ROUTES_SHOWN = 25
const MAX_ROUTE_CHARS = 34

/** An inspection as text for a terminal of 80 columns. */
export function inspectionText(inspection: Inspection): string {
  const { info, span } = inspection
  const spanNs = span === undefined ? 0 : Number(span.toUnixNs - span.fromUnixNs)
  const rate = spanNs > 0 ? `, ${formatRate((inspection.exchanges * 1e9) / spanNs)}` : ''
  const lines = [
    `${info.host} (${info.service}), recording ${info.recordingId.slice(0, 8)}, ${inspection.ending === 'cut' ? 'CUT: its end is missing' : 'closed in order'}`,
    `  captured   ${info.source}`,
    ...(span === undefined ? [] : [`  span       ${isoTime(span.fromUnixNs)} + ${formatDurationNs(spanNs)}${rate}`]),
    `  exchanges  ${formatCount(inspection.exchanges)} on ${formatCount(inspection.connections)} connections, ${formatCount(inspection.sessions)} sessions`,
    `  without    ${formatCount(inspection.withoutResponse)} a response, ${formatCount(inspection.notReplayable)} a whole request`,
    `  bytes      ${formatBytes(inspection.requestBytes)} requests, ${formatBytes(inspection.responseBytes)} responses`,
    `  secrets    ${info.secrets === 'masked' ? `masked (key ${info.maskKeyId})` : 'KEPT'}`,
    ...sealLine(inspection),
    ...filterLines(info),
    `  latency    ${latencyText(inspection.latency)}`,
    `  status     ${statusText(inspection.statuses)}`,
  ]
  return [...lines.map(visible), '', ...routeTable(inspection), '', ledgerTable(inspection.ledger), ''].join('\n')
}

/** Of whom the keys are, age does not tell. */
function sealLine({ info: { seal }, ledger }: Inspection): string[] {
  if (seal === undefined) return []
  const values = ledger.reasons.get(SEALED_VALUES) ?? 0
  const keys = `${seal.recipients} age key${seal.recipients === 1 ? '' : 's'}`
  return [`  sealed     ${formatCount(values)} originals, for ${keys} (age does not tell which)`]
}

function filterLines(info: RecordingInfo): string[] {
  const lines: string[] = []
  if (info.match !== '') lines.push(`  match      ${info.match}`)
  if (info.sessionBy !== '') lines.push(`  session    ${info.sessionBy}`)
  if (info.sample < 1) lines.push(`  sample     ${(info.sample * 100).toFixed(1)} % of sessions`)
  return lines
}

function routeTable(inspection: Inspection): string[] {
  const shown = inspection.routes.slice(0, MAX_ROUTES_SHOWN)
  const rows = shown.map(({ route, count, statuses, latency }) => [
    shorten(visible(route), MAX_ROUTE_CHARS),
    formatCount(count),
    durationCell(latency.p50Ns),
    durationCell(latency.p99Ns),
    durationCell(latency.maxNs),
    statusText(statuses),
  ])
  const more = inspection.routes.length - shown.length
  const table = alignRight([['route', 'count', 'p50', 'p99', 'max', 'status'], ...rows])
  return more > 0 ? [...table, `and ${more} more routes (--json shows all)`] : table
}

/** `200:12 404:1`, the most frequent first; `none` for requests without a response. */
function statusText(statuses: ReadonlyMap<number, number>): string {
  return [...statuses]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([status, count]) => `${status === 0 ? 'none' : status}:${formatCount(count)}`)
    .join(' ')
}

function latencyText(figures: LatencyFigures): string {
  const { p50Ns, p90Ns, p99Ns, maxNs } = figures
  return `p50 ${durationCell(p50Ns)}  p90 ${durationCell(p90Ns)}  p99 ${durationCell(p99Ns)}  max ${durationCell(maxNs)}`
}

/** Cut in the middle: both ends of a route tell what it is. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text
  const tail = Math.floor((most - 1) / 2)
  return `${text.slice(0, most - 1 - tail)}~${text.slice(-tail)}`
}

/** `2026-01-31T14:00:00.123Z` */
export function isoTime(unixNs: bigint): string {
  return new Date(Number(unixNs / 1_000_000n)).toISOString()
}

/** One exchange in one line: when, who, what, and how it was answered. */
export function exchangeLine(exchange: Exchange, info: RecordingInfo): string {
  const { method, target } = requestLine(parseHead(exchange.request.head))
  const at = isoTime(info.originUnixNs + BigInt(Math.round(exchange.requestFirstNs)))
  const cut = exchange.request.cut === undefined ? '' : ` [request cut: ${exchange.request.cut}]`
  const { response } = exchange
  const reply =
    typeof response === 'string' ? `no response (${response})` : replyText(response, exchange.requestFirstNs)
  const place = `${exchange.connection}.${exchange.position}`
  return visible(`${at} ${info.host} #${exchange.id} ${place} ${ascii(`${method} ${target}`)} -> ${reply}${cut}`)
}

/** Heads are bytes, one character each: what is not ASCII is shown as the byte that was sent. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function replyText(response: Response, requestFirstNs: number): string {
  const took = formatDurationNs(response.lastNs - requestFirstNs)
  return `${statusCode(parseHead(response.head))} ${formatBytes(response.bodySize)} ${took}`
}

/** An inspection as plain data for `--json`; times as text, units in names. */
export function inspectionJson(inspection: Inspection): object {
  const { info, span, ledger } = inspection
  return {
    ...inspection,
    info: { ...info, originUnixNs: String(info.originUnixNs) },
    span: span && { fromUnixNs: String(span.fromUnixNs), toUnixNs: String(span.toUnixNs) },
    statuses: Object.fromEntries(inspection.statuses),
    routes: inspection.routes.map((route) => ({ ...route, statuses: Object.fromEntries(route.statuses) })),
    ledger: { ...ledger, reasons: Object.fromEntries(ledger.reasons) },
  }
}
