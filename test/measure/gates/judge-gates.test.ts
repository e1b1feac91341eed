import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { checkGates, sampleWarnings } from '../../../src/measure/gates/check-gates.ts'
import type { GateResult } from '../../../src/measure/gates/gate-result.ts'
import { type GateEvidence, gateValidity, judgeGates } from '../../../src/measure/gates/judge-gates.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import { measure, SECOND } from '../../report/runs.ts'
import { thrownBy } from '../../support/errors.ts'
import { MS, outcome } from '../outcomes.ts'

const ROUTES = ['GET /cart', 'POST /orders', 'GET /never']

/**
 * 10 s at 100/s. Carts take 5 ms; every tenth request is an order of 50 ms, of which every tenth is a 503 where 200 was recorded; three
 * carts time out, two are shed, one is cut off by the end.
 */
const OUTCOMES: readonly Outcome[] = Array.from({ length: 1000 }, (_, index) => {
  const dueNs = index * 10 * MS
  if (index % 10 === 0) {
    return outcome({
      route: 1,
      dueNs,
      serviceNs: 50 * MS,
      status: index % 100 === 0 ? 503 : 200,
      readyNs: dueNs + 2 * MS,
    })
  }
  if (index % 300 === 1 && index < 900) return outcome({ dueNs, error: 'timeout', status: 0, serviceNs: 400 * MS })
  if (index === 501 || index === 502) return outcome({ dueNs, error: 'shed', status: 0 })
  return index === 999 ? outcome({ dueNs, error: 'aborted', status: 0 }) : outcome({ dueNs })
})

function results(...texts: readonly string[]): readonly GateResult[] {
  return judged(texts)
}

function judged(
  texts: readonly string[],
  more: Pick<GateEvidence, 'reference' | 'moreSamples'> = {},
): readonly GateResult[] {
  const { measurement } = measure(OUTCOMES)
  const { due, sentInWindow: sent } = measurement.pace()
  return judgeGates(
    texts.map((text) => parseGate(text, '--gate')),
    {
      tally: measurement.total,
      total: measurement.total.total(),
      spanNs: 10 * SECOND,
      offered: { due, sent },
      routeNames: ROUTES,
      ...more,
    },
  )
}

type Row = readonly [gate: string, outcome: GateResult['outcome'], what: string]

const ROWS: readonly Row[] = [
  ['p50 < 10ms', 'passed', 'p50 is 5.00ms, below 10.0ms'],
  ['p50 < 5ms', 'failed', 'p50 is 5.00ms, not below 5.00ms'],
  ['mean < 10.9ms', 'failed', 'mean is 10.9ms, not below 10.9ms (by 2.71us)'],
  ['max <= 400ms', 'passed', 'max is 400ms, at most 400ms'],
  ['mean > 20ms', 'failed', 'mean is 10.9ms, not above 20.0ms'],
  ['mean{route="POST /orders"} > 20ms', 'passed', 'mean of POST /orders is 52.0ms, above 20.0ms'],
  ['service_mean{route="POST /orders"} < 51ms', 'passed', 'service_mean of POST /orders is 50.0ms, below 51.0ms'],
  ['blocked_max < 1ms', 'failed', 'blocked_max is 2.00ms, not below 1.00ms'],
  ['lag_p50 < 1ms', 'passed', 'lag_p50 is 0s, below 1.00ms'],
  ['p90{route="GET /cart"} < 1s', 'no_data', 'p90 of GET /cart rests on 897 samples and needs 1,000'],
  ['p99 < 1s', 'no_data', 'p99 rests on 997 samples and needs 10,000'],
  ['p50{route="GET /never"} < 1s', 'no_data', 'there was no reply of GET /never in this run'],
  ['errors{route="GET /never"} == 0', 'no_data', 'there was no request of GET /never in this run'],
  ['error_rate < 1%', 'failed', 'error_rate is 1.5 %, not below 1 %'],
  ['error_rate{route="POST /orders"} <= 10%', 'passed', 'error_rate of POST /orders is 10 %, at most 10 %'],
  ['status_5xx < 1%', 'failed', 'status_5xx is 1.01 %, not below 1 %'],
  ['status_404 < 1%', 'passed', 'status_404 is 0 %, below 1 %'],
  ['mismatch_rate < 2%', 'passed', 'mismatch_rate is 1.01 %, below 2 %'],
  ['requests >= 999', 'passed', 'requests is 999, at least 999'],
  ['replies > 994', 'failed', 'replies is 994, not above 994'],
  ['errors == 15', 'passed', 'errors is 15, exactly 15'],
  ['timeouts == 0', 'failed', 'timeouts is 3, not exactly 0'],
  ['shed <= 2', 'passed', 'shed is 2, at most 2'],
  ['mismatches < 10', 'failed', 'mismatches is 10, not below 10'],
  ['rps > 99/s', 'passed', 'rps is 99.4/s, above 99.0/s'],
  ['rps{route="POST /orders"} > 11/s', 'failed', 'rps of POST /orders is 10.0/s, not above 11.0/s'],
  ['achieved_rate > 98% of target', 'passed', 'achieved_rate is 99.7/s, above 97.9/s (98 % of target)'],
  ['achieved_rate > 100/s', 'failed', 'achieved_rate is 99.7/s, not above 100/s'],
  ['p50 < 1.1 * history', 'no_data', 'there are too few earlier runs to compare with'],
]

describe('judgeGates', () => {
  const found = results(...ROWS.map(([gate]) => gate))

  it.each(ROWS.map(([gate, outcome, what], index) => ({ gate, outcome, what, index })))(
    '$gate has $outcome: $what',
    ({ gate, outcome, what, index }) => {
      expect(found[index]).toMatchObject({ gate, outcome, what })
    },
  )

  it('gives the numbers in the unit of the metric, and none where there is no data', () => {
    expect(results('warn: error_rate < 1%', 'achieved_rate > 50% of target', 'p99 < 1s')).toEqual([
      {
        gate: 'warn: error_rate < 1%',
        severity: 'warn',
        outcome: 'failed',
        actual: 15 / 999,
        limit: 0.01,
        unit: 'ratio',
        samples: 999,
        what: 'error_rate is 1.5 %, not below 1 %',
      },
      expect.objectContaining({ actual: 99.7, limit: 49.95, unit: 'per_second', samples: 999 }),
      expect.objectContaining({ actual: null, limit: 1e9, unit: 'ns', samples: 997, outcome: 'no_data' }),
    ])
  })

  it('has no data on mismatches where no recorded status is known, and counts only replies that have one', () => {
    const judge = (...recordedStatuses: readonly number[]): readonly GateResult[] => {
      const outcomes = recordedStatuses.map((recordedStatus) => outcome({ recordedStatus, status: 200 }))
      const { total } = measure(outcomes).measurement
      const gates = ['mismatch_rate < 30%', 'mismatches == 0'].map((text) => parseGate(text, '--gate'))
      return judgeGates(gates, { tally: total, total: total.total(), spanNs: SECOND, routeNames: ROUTES })
    }
    const what = 'there was no reply with a recorded one to compare it with in this run'
    expect(judge(0, 0, 0)).toMatchObject([
      { outcome: 'no_data', what },
      { outcome: 'no_data', what },
    ])
    expect(judge(0, 0, 0, 200, 404)).toMatchObject([
      { outcome: 'failed', actual: 0.5, samples: 2 },
      { outcome: 'failed', actual: 1 },
    ])
  })

  it('judges nothing of a run that was cut short', () => {
    const { measurement } = measure(OUTCOMES)
    const gates = ['p50 < 1us', 'errors == 0'].map((text) => parseGate(text, '--gate'))
    const cutShort = 'the run was interrupted'
    const span = { tally: measurement.total, total: measurement.total.total(), spanNs: SECOND, routeNames: ROUTES }
    const found = judgeGates(gates, { ...span, cutShort })
    expect(found.map(({ outcome, what }) => [outcome, what])).toEqual([
      ['no_data', 'not judged: the run was interrupted'],
      ['no_data', 'not judged: the run was interrupted'],
    ])
    expect(gateValidity(gates, found, cutShort)).toEqual({ gates: [], withoutData: [] })
  })
})

describe('gateValidity', () => {
  it('asks for the samples of quantiles, says what else has no data, and leaves warnings alone', () => {
    const texts = ['p99 < 1s', 'warn: p99 < 1s', 'errors{route="GET /never"} == 0', 'p50 < 1us', 'warn: max < 1us']
    const gates = texts.map((text) => parseGate(text, '--gate'))
    expect(gateValidity(gates, results(...texts), undefined)).toEqual({
      gates: [
        { gate: 'p99 < 1s', quantile: 0.99, samples: 997 },
        { gate: 'p50 < 1us', quantile: 0.5, samples: 997 },
      ],
      withoutData: [
        'gate "errors{route="GET /never"} == 0" has no data: there was no request of GET /never in this run',
      ],
    })
  })
})

describe('checkGates', () => {
  const check = (gate: string, loop: 'open' | 'closed' = 'open'): void =>
    checkGates([parseGate(gate, '--gate')], { loop, routeNames: ROUTES })

  it('lets pass what a run can answer', () => {
    expect(() => check('p99{route="GET /cart"} < 1s')).not.toThrow()
    expect(() => check('p99 < 1s', 'closed')).not.toThrow()
  })

  it.each<readonly [gate: string, loop: 'open' | 'closed', message: string]>([
    [
      'p99{route="GET /crat"} < 1s',
      'open',
      'no route "GET /crat" in what is replayed (gate "p99{route="GET /crat"} < 1s"): did you mean GET /cart?',
    ],
    [
      'errors{route="DELETE /everything"} == 0',
      'open',
      'no route "DELETE /everything" in what is replayed (gate "errors{route="DELETE /everything"} == 0"): ' +
        'routes are GET /cart, POST /orders, GET /never',
    ],
    [
      'p95 < 1.1 * history',
      'open',
      'it compares with history, and no earlier runs were given (gate "p95 < 1.1 * history"): give --against DIR, or compare with a value',
    ],
    [
      'rps > 98% of target',
      'closed',
      'in a closed loop nothing is due: there is no target (gate "rps > 98% of target"): leave --speed max out, or the gate',
    ],
    [
      'lag_p99 < 1ms',
      'closed',
      'in a closed loop nothing is due: there is no lag_p99 (gate "lag_p99 < 1ms"): leave --speed max out, or the gate',
    ],
  ])('refuses %s in an %s loop', (gate, loop, message) => {
    expect(thrownBy(() => check(gate, loop))).toMatchObject({ code: 'MESH_ERR_USAGE', message })
  })

  it('say what gives a comparison the samples or the blocks that they lack', () => {
    const moreSamples = (factor: number): string => `--pairs ${Math.ceil(8 * factor)}`
    const gates = ['p99 < 1s', 'p50 < 110% of baseline']
    expect(judged(gates, { moreSamples, reference: () => undefined }).map(({ what }) => what)).toEqual([
      'p99 rests on 997 samples and needs 10,000: give --pairs 81',
      'it needs 8 pairs of blocks or more, with a reply in every block',
    ])
    const [gate] = gates.map((text) => parseGate(text, ''))
    expect(sampleWarnings(gate === undefined ? [] : [gate], 2_500, moreSamples)).toEqual([
      'gate "p99 < 1s" needs 10,000 samples, and 2,500 requests are planned: --pairs 32, or gate a lower quantile',
    ])
  })

  it('tells beforehand which quantiles will rest on too little', () => {
    const gates = ['p99 < 1s', 'p50 < 1s', 'max < 1s', 'p99 > 1s for 5s => abort'].map((text) => parseGate(text, ''))
    expect(sampleWarnings(gates, 3_520)).toEqual([
      'gate "p99 < 1s" needs 10,000 samples, and 3,520 requests are planned: run longer, multiply, or gate a lower quantile',
    ])
    expect(sampleWarnings(gates, Infinity)).toEqual([])
  })
})
