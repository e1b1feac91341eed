import { visible } from '../core/visible.ts'
import type { HistogramDocument, Run } from './run.ts'
import { exponentialHistogram } from './exponential-histogram.ts'
import { runMetrics, timeDistributions } from './run-metrics.ts'
import { histogramOf } from './run-span.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string }
}

function attributes(labels: Readonly<Record<string, string>>): readonly Attribute[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: visible(value) } }))
}

/** AGGREGATION_TEMPORALITY_CUMULATIVE: all that was seen since the start, which more backends take than a delta. */
const CUMULATIVE = 2

/**
 * A run as an OTLP `ExportMetricsServiceRequest` in its JSON form (opentelemetry-proto 1.x): figures as gauges of the moment at which
 * the run ended, times as exponential histograms of the run too. In this form 64-bit integers are texts.
 */
export function otlpText(run: Run): string {
  const startTimeUnixNano = nanoseconds(run.startedAt)
  const timeUnixNano = nanoseconds(run.finishedAt ?? run.startedAt)
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
  const distributions = timeDistributions(run).map(({ name, help, values }) => ({
    name,
    description: help,
    unit: 's',
    exponentialHistogram: {
      aggregationTemporality: CUMULATIVE,
      dataPoints: values.map(({ labels, document }) => {
        return { attributes: attributes(labels), startTimeUnixNano, timeUnixNano, ...pointOf(document) }
      }),
    },
  }))
  const of = { 'service.name': 'mesh', 'mesh.run.id': run.runId, 'mesh.target': run.asked.target }
  const resource = { attributes: attributes({ ...of, 'mesh.fingerprint': run.fingerprint }) }
  const scopeMetrics = [{ scope: { name: 'mesh', version: run.version }, metrics: [...metrics, ...distributions] }]
  return JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics }] })
}

function nanoseconds(time: string): string {
  return `${BigInt(Date.parse(time)) * 1_000_000n}`
}

/** Fields of an `ExponentialHistogramDataPoint`, in seconds. */
function pointOf(document: HistogramDocument): object {
  const { count, sumNs, minNs, maxNs } = document
  const { scale, zeroCount, zeroThreshold, offset, counts } = exponentialHistogram(histogramOf(document))
  return {
    count: String(count),
    sum: sumNs / 1e9,
    min: (minNs ?? 0) / 1e9,
    max: (maxNs ?? 0) / 1e9,
    scale,
    zeroCount: String(zeroCount),
    zeroThreshold,
    positive: { offset, bucketCounts: counts.map(String) },
  }
}
