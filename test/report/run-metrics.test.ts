import { describe, expect, it } from 'vitest'
import { parsePrometheusText } from '../../src/observe/prometheus-text.ts'
import { otlpText } from '../../src/report/otlp.ts'
import { runMetrics } from '../../src/report/run-metrics.ts'
import { reportText } from '../../src/report/write-reports.ts'
import { shopRun } from './runs.ts'

const GATE = {
  gate: 'p99{route="GET /\\x"} < 1ms',
  severity: 'fail',
  outcome: 'no_data',
  unit: 'ns',
  samples: 0,
} as const
const RUN = { ...shopRun(), gates: [{ ...GATE, actual: null, limit: 1e6, what: 'nothing was measured' }] }

interface Point {
  readonly scale: number
  readonly positive: { readonly offset: number; readonly bucketCounts: readonly string[] }
}

describe('a run as metrics', () => {
  it('is read by a parser of the format, sample by sample', () => {
    const { samples, leftOut } = parsePrometheusText(reportText(RUN, 'prom'))
    expect(leftOut).toBe(0)
    expect(samples).toHaveLength(runMetrics(RUN).reduce((count, { values }) => count + values.length, 0))
    const value = (key: string): number | undefined => samples.find((sample) => sample.key === key)?.value
    expect(value('mesh_requests')).toBe(RUN.achieved.due)
    expect(value('mesh_replies{status="200"}')).toBe(RUN.totals.statuses['200'])
    expect(value('mesh_response_time_seconds{quantile="0.99"}')).toBe((RUN.totals.responseTime.p99Ns ?? 0) / 1e9)
    expect(value(`mesh_run_verdict{verdict="${RUN.verdict.name}"}`)).toBe(1)
  })

  it('never tells a gate without data as passed', () => {
    const text = reportText(RUN, 'prom')
    expect(text).toContain(
      String.raw`mesh_gate_passed{gate="p99{route=\"GET /\\x\"} < 1ms",severity="fail",outcome="no_data"} 0`,
    )
  })

  it('leaves out quantiles that not one sample carries', () => {
    const responseTime = { ...RUN.totals.responseTime, count: 50 }
    const few = { ...RUN, totals: { ...RUN.totals, responseTime } }
    const found = runMetrics(few).find(({ name }) => name === 'mesh_response_time_seconds')
    expect(found?.values.map(({ labels }) => labels['quantile'])).toEqual(['0.5', '0.9'])
  })

  it('is an OTLP request in JSON, with times as texts of nanoseconds', () => {
    const { resourceMetrics } = JSON.parse(otlpText(RUN)) as {
      resourceMetrics: {
        scopeMetrics: { metrics: { name: string; gauge: { dataPoints: Record<string, unknown>[] } }[] }[]
      }[]
    }
    const metrics = resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? []
    expect(metrics.map(({ name }) => name)).toEqual([
      ...runMetrics(RUN).map(({ name }) => name),
      'mesh_response_time_distribution',
      'mesh_service_time_distribution',
      'mesh_route_response_time_distribution',
    ])
    expect(metrics.find(({ name }) => name === 'mesh_requests')?.gauge.dataPoints).toEqual([
      { attributes: [], timeUnixNano: '1787306411000000000', asDouble: RUN.achieved.due },
    ])
  })

  it('has its times as exponential histograms, of as many values as were measured', () => {
    const { resourceMetrics } = JSON.parse(otlpText(RUN)) as {
      resourceMetrics: {
        scopeMetrics: { metrics: { name: string; exponentialHistogram?: { dataPoints: Point[] } }[] }[]
      }[]
    }
    const metrics = resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? []
    const found = metrics.find(({ name }) => name === 'mesh_response_time_distribution')
    expect(found).toMatchObject({ unit: 's', exponentialHistogram: { aggregationTemporality: 2 } })
    const [point] = found?.exponentialHistogram?.dataPoints ?? []
    const { count, sumNs, maxNs, p50Ns } = RUN.totals.responseTime
    expect(point).toMatchObject({ startTimeUnixNano: '1787306400000000000', timeUnixNano: '1787306411000000000' })
    expect(point).toMatchObject({ count: String(count), sum: sumNs / 1e9, max: (maxNs ?? 0) / 1e9, zeroCount: '0' })
    const { scale, positive } = point ?? { scale: 0, positive: { offset: 0, bucketCounts: [] } }
    expect(positive.bucketCounts.reduce((sum, one) => sum + Number(one), 0)).toBe(count)
    expect(positive.bucketCounts.length).toBeLessThanOrEqual(160)
    // Half of them are below the median.
    let [seen, place] = [0, -1]
    while (seen < count / 2) seen += Number(positive.bucketCounts[++place])
    const upper = 2 ** ((positive.offset + place + 1) / 2 ** scale)
    const lower = 2 ** ((positive.offset + place) / 2 ** scale)
    expect((p50Ns ?? 0) / 1e9).toBeGreaterThan(lower * 0.99)
    expect((p50Ns ?? 0) / 1e9).toBeLessThan(upper * 1.01)
    const byRoute = metrics.find(({ name }) => name === 'mesh_route_response_time_distribution')
    expect(byRoute?.exponentialHistogram?.dataPoints).toHaveLength(3)
  })
})
