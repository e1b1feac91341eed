import { visible } from '../core/visible.ts'
import type { Reporter } from './reporter.ts'
import { type MetricValue, runMetrics } from './run-metrics.ts'

/** A run in Prometheus' text format: for a node exporter's textfile collector, a push gateway, or GitLab's metrics reports. */
export const prometheusReporter: Reporter = {
  write(run, out) {
    for (const { name, help, values } of runMetrics(run)) {
      out.write(`# HELP ${name} ${help}\n# TYPE ${name} gauge\n`)
      for (const { labels, value } of values) out.write(`${name}${labelText(labels)} ${value}\n`)
    }
  },
}

function labelText(labels: MetricValue['labels']): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string): string {
  return visible(text)
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
}
