import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MetricChoice } from '../../src/observe/metric-choice.ts'
import { parsePrometheusText } from '../../src/observe/prometheus-text.ts'

const PAGE = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{path="/a b",quote="say \\"}\\""} 3
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.4e+07
# TYPE lat histogram
lat_bucket{le="0.05"} 24054
lat_bucket{le="+Inf"} 144320
lat_sum 53423
lat_count 144320
bare_total 4 # {trace_id="x"} 1.0
weird 5
inf +Inf
`

describe('parsePrometheusText', () => {
  it('reads samples with their types, with labels, times and exemplars', () => {
    const { samples, leftOut } = parsePrometheusText(PAGE)
    expect(leftOut).toBe(0)
    expect(samples.map(({ key, type, value }) => [key, type, value])).toEqual([
      ['http_requests_total{method="post",code="200"}', 'counter', 1027],
      [String.raw`http_requests_total{path="/a b",quote="say \"}\""}`, 'counter', 3],
      ['process_resident_memory_bytes', 'gauge', 1.4e7],
      ['lat_bucket{le="0.05"}', 'histogram', 24_054],
      ['lat_bucket{le="+Inf"}', 'histogram', 144_320],
      ['lat_sum', 'histogram', 53_423],
      ['lat_count', 'histogram', 144_320],
      ['bare_total', 'counter', 4],
      ['weird', 'untyped', 5],
      ['inf', 'untyped', Infinity],
    ])
  })

  it('counts what is no sample, and reads the rest', () => {
    const { samples, leftOut } = parsePrometheusText('<html>\nup 1\nup one\nup\n')
    expect(samples.map(({ key }) => key)).toEqual(['up'])
    expect(leftOut).toBe(3)
  })

  it('never throws, and takes a bounded number of samples', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parsePrometheusText(text).samples.length).toBeLessThanOrEqual(20_000)
      }),
    )
    expect(parsePrometheusText('a 1\n'.repeat(20_010))).toMatchObject({ leftOut: 10 })
  })
})

describe('MetricChoice', () => {
  const named = (name: string): Parameters<MetricChoice['includes']>[0] => ({
    key: name,
    name,
    type: 'gauge',
    value: 1,
  })

  it('takes patterns as whole names with stars, and nothing else as a pattern', () => {
    const choice = new MetricChoice(['http_*', '*_bytes', 'a.c'])
    expect(['http_requests', 'heap_bytes', 'a.c'].every((name) => choice.includes(named(name)))).toBe(true)
    expect(['my_http_requests', 'bytes_total', 'abc'].some((name) => choice.includes(named(name)))).toBe(false)
  })

  it('takes what says most of a process where nothing is asked for', () => {
    const choice = new MetricChoice([])
    expect(choice.includes(named('process_cpu_seconds_total'))).toBe(true)
    expect(choice.includes(named('http_requests_total'))).toBe(false)
  })
})
