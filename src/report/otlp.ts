import { visible } from '../core/visible.ts'
import type { Run } from './run.ts'
import { runMetrics } from './run-metrics.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string }
}

function attributes(labels: Readonly<Record<string, string>>): readonly Attribute[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: visible(value) } }))
}

/**
 * A run as an OTLP `ExportMetricsServiceRequest` in its JSON form (opentelemetry-proto 1.x): each metric a gauge of the moment at which
 * the run ended.
 */
export function otlpText(run: Run): string {
  const timeUnixNano = `${BigInt(Date.parse(run.finishedAt ?? run.startedAt)) * 1_000_000n}`
  const metrics = runMetrics(run).map(({ name, help, unit, values }) => ({
    name,
    description: help,
    unit,
    gauge: {
      dataPoints: values.map(({ labels, value }) => {
        return { attributes: attributes(labels), timeUnixNano, asDouble: value }
      }),
    },
  }))
  const of = { 'service.name': 'mesh', 'mesh.run.id': run.runId, 'mesh.target': run.asked.target }
  const resource = { attributes: attributes({ ...of, 'mesh.fingerprint': run.fingerprint }) }
  const scopeMetrics = [{ scope: { name: 'mesh', version: run.version }, metrics }]
  return JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics }] })
}
