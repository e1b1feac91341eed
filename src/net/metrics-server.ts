import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { Endpoint } from '../core/segment.ts'
import { listen } from './listener.ts'

/** One number for Prometheus. Those of one name differ in their labels and follow each other. */
export interface Metric {
  /** `mesh_tap_connections_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

/** What a metrics server shows. */
export interface MetricsSubject {
  metrics(): readonly Metric[]
  /** False while starting or draining: `/ready` then answers 503, so that balancers send nothing new. */
  ready(): boolean
}

/** A running metrics server. */
export interface MetricsServer {
  readonly address: Endpoint
  close(): Promise<void>
}

const TEXT = 'text/plain; charset=utf-8'

/** The content type of Prometheus' text format. */
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

/** Serves `/metrics`, `/ready` and `/health` until closed. Throws a `MeshError` where it cannot listen. */
export async function startMetricsServer(endpoint: Endpoint, subject: MetricsSubject): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '')
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'GET or HEAD only\n')
    else if (path === '/metrics') answer(response, 200, formatMetrics(subject.metrics()), PROMETHEUS_TEXT)
    else if (path === '/ready')
      answer(response, subject.ready() ? 200 : 503, subject.ready() ? 'ready\n' : 'not ready\n')
    else if (path === '/health') answer(response, 200, 'ok\n')
    else answer(response, 404, 'expected /metrics, /ready or /health\n')
  })
  const address = await listen(server, endpoint)
  server.on('error', () => undefined)
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }
  return { address, close }
}

function answer(response: ServerResponse, status: number, text: string, type: string = TEXT): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** Prometheus' text format, version 0.0.4. */
export function formatMetrics(metrics: readonly Metric[]): string {
  const lines: string[] = []
  let family = ''
  for (const metric of metrics) {
    if (metric.name !== family) {
      family = metric.name
      lines.push(`# HELP ${family} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
      lines.push(`# TYPE ${family} ${metric.type}`)
    }
    lines.push(`${metric.name}${formatLabels(metric.labels ?? {})} ${formatValue(metric.value)}`)
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    return `${name}="${escaped}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
