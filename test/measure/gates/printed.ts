import fc from 'fast-check'
import type { Gate, GateLimit } from '../../../src/measure/gates/gate.ts'
import type { GateUnit } from '../../../src/measure/gates/gate-result.ts'
import { metricOf } from '../../../src/measure/gates/metric.ts'
import type { GateMetric } from '../../../src/measure/gates/metric.ts'

/** A gate, and a text that says it. */
export interface Printed {
  readonly text: string
  readonly gate: Omit<Gate, 'text'>
}

const LATENCY_NAMES = ['', 'service_', 'lag_', 'blocked_'].flatMap((of) =>
  ['p50', 'p75', 'p90', 'p99', 'p99.9', 'p99.99', 'max', 'mean'].map((figure) => of + figure),
)
const NAMES = [
  ...LATENCY_NAMES,
  ...[
    'error_rate',
    'mismatch_rate',
    'body_mismatch_rate',
    'achieved_rate',
    'rps',
    'status_5xx',
    'status_404',
    'status_200',
  ],
  ...['requests', 'replies', 'errors', 'mismatches', 'timeouts', 'shed'],
]

const anyMetric: fc.Arbitrary<GateMetric> = fc.constantFrom(...NAMES).map((name) => {
  const metric = metricOf(name)
  if (metric === undefined) throw new Error(`no metric ${name}`)
  return metric
})

interface PrintedLimit {
  readonly text: string
  readonly limit: GateLimit
}

const value = (text: string, value: number): PrintedLimit => ({ text, limit: { kind: 'value', value } })

/** Limits that can both be met and be missed, as people write them. */
const VALUES: Readonly<Record<GateUnit, fc.Arbitrary<PrintedLimit>>> = {
  ns: fc
    .record({ amount: fc.integer({ min: 1, max: 5000 }), unit: fc.constantFrom(['us', 1e3], ['ms', 1e6], ['s', 1e9]) })
    .map(({ amount, unit: [name, ns] }) => value(`${amount}${name}`, amount * ns)),
  ratio: fc
    .record({ hundredths: fc.integer({ min: 1, max: 9_999 }), gap: fc.constantFrom('', ' ') })
    .map(({ hundredths, gap }) => value(`${hundredths / 100}${gap}%`, hundredths / 100 / 100)),
  per_second: fc
    .record({ amount: fc.integer({ min: 1, max: 10_000 }), per: fc.constantFrom(['', 1], ['/s', 1], ['/m', 60]) })
    .map(({ amount, per: [name, seconds] }) => value(`${amount}${name}`, (amount * 1e9) / (seconds * 1e9))),
  count: fc.integer({ min: 1, max: 1e9 }).map((count) => value(String(count), count)),
}

const anyHistory: fc.Arbitrary<PrintedLimit> = fc
  .record({ hundredths: fc.integer({ min: 1, max: 500 }), star: fc.constantFrom('*', ' * ', '* ') })
  .map(({ hundredths, star }) => {
    const factor = hundredths / 100
    return { text: `${factor}${star}history`, limit: { kind: 'history', factor } }
  })

const anyTarget: fc.Arbitrary<PrintedLimit> = fc.integer({ min: 1, max: 99 }).map((percent) => {
  return { text: `${percent}% of target`, limit: { kind: 'target', share: percent / 100 } }
})

/** A quoted name: with quotes and backslashes in it too. */
const anyRoute = fc.oneof(fc.constantFrom('GET /cart', 'GET /users/:id', 'other'), fc.string({ maxLength: 30 }))
const quoted = (name: string): string => `"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`

const gap = fc.constantFrom('', ' ', '  ', '\t')

/** Any gate, in any of its spellings. */
export const anyPrinted: fc.Arbitrary<Printed> = anyMetric.chain((metric) => {
  const limits = [VALUES[metric.unit], anyHistory, ...(metric.unit === 'per_second' ? [anyTarget] : [])]
  const parts = {
    severity: fc.constantFrom(undefined, 'fail' as const, 'warn' as const),
    route: metric.scope === 'run' ? fc.constant(undefined) : fc.option(anyRoute, { nil: undefined }),
    comparison: fc.constantFrom(...(['<', '<=', '>', '>='] as const)),
    limit: fc.oneof(...limits),
    abort: fc.option(fc.integer({ min: 1, max: 3600 }), { nil: undefined }),
    gaps: fc.array(gap, { minLength: 8, maxLength: 8 }),
  }
  return fc.record(parts).map(({ severity, route, comparison, limit, abort, gaps }) => {
    const [a = '', b = '', c = '', d = '', e = '', f = '', g = '', h = ''] = gaps
    const atEnd = ['achieved_rate', 'body_mismatch_rate'].includes(metric.name)
    const canAbort = !atEnd && severity !== 'warn' && limit.limit.kind === 'value'
    const seconds = canAbort ? abort : undefined
    const label = route === undefined ? '' : `{${c}route${d}=${e}${quoted(route)}${f}}`
    const stop = seconds === undefined ? '' : ` for ${seconds}s${g}=>${h}abort`
    return {
      text: `${a}${severity === undefined ? '' : `${severity}${b}:`}${b}${metric.name}${label}${g}${comparison}${h}${limit.text}${stop}${a}`,
      gate: {
        severity: severity ?? 'fail',
        metric,
        route,
        comparison,
        limit: limit.limit,
        abortAfterSeconds: seconds,
      },
    }
  })
})
