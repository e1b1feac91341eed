/** What a metric is, as its `# TYPE` line says; `untyped` where there is none. */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'

/** One sample: `name{labels} value`. `key` is name and labels as they stand. */
export interface PrometheusSample {
  readonly key: string
  readonly name: string
  readonly type: MetricType
  readonly value: number
}

/** Samples of one exposition that are taken; what comes after them is counted. */
const MAX_SAMPLES = 20_000
/** A longer line is no sample: labels of that size are somebody's mistake. */
const MAX_LINE_LENGTH = 4096

/** What an exposition had. */
export interface PrometheusText {
  readonly samples: readonly PrometheusSample[]
  /** Lines that are no samples, and samples beyond the bound. */
  readonly leftOut: number
}

const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped'])
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?(?:[ \t]+#.*)?$/

/**
 * Reads the text format that targets serve for Prometheus (exposition format 0.0.4; of OpenMetrics what is the same in it). What cannot be read
 * is counted, never an error: the rest of it is worth as much.
 */
export function parsePrometheusText(text: string): PrometheusText {
  const types = new Map<string, MetricType>()
  const samples: PrometheusSample[] = []
  let leftOut = 0
  for (const line of text.split('\n')) {
    const trimmed = line.trim()
    if (trimmed === '') continue
    if (trimmed.startsWith('#')) {
      readType(trimmed, types)
      continue
    }
    const match = trimmed.length > MAX_LINE_LENGTH ? null : SAMPLE.exec(trimmed)
    const value = match === null ? undefined : numberOf(match[3] ?? '')
    const name = match?.[1]
    if (name === undefined || value === undefined || samples.length >= MAX_SAMPLES) {
      leftOut += 1
      continue
    }
    samples.push({ key: `${name}${match?.[2] ?? ''}`, name, type: typeOf(name, types), value })
  }
  return { samples, leftOut }
}

function readType(line: string, types: Map<string, MetricType>): void {
  const [, name, type] = /^#[ \t]*TYPE[ \t]+(\S+)[ \t]+(\S+)/.exec(line) ?? []
  if (name !== undefined && isType(type)) types.set(name, type)
}

function isType(type: string | undefined): type is MetricType {
  return type !== undefined && TYPES.has(type)
}

/** `lat_bucket`, `lat_sum` and `lat_count` are of the histogram `lat`; OpenMetrics names the counter `x_total` as `x`. */
function typeOf(name: string, types: ReadonlyMap<string, MetricType>): MetricType {
  const own = types.get(name)
  if (own !== undefined) return own
  const family = types.get(name.replace(/_(?:bucket|sum|count|total|created)$/, ''))
  if (family !== undefined) return family
  return name.endsWith('_total') ? 'counter' : 'untyped'
}

function numberOf(text: string): number | undefined {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (text === 'NaN') return Number.NaN
  const value = Number(text)
  return Number.isNaN(value) ? undefined : value
}
