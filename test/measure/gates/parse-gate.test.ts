import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeshError } from '../../../src/core/errors.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import { thrownBy } from '../../support/errors.ts'
import { anyPrinted } from './printed.ts'

describe('parseGate', () => {
  it('reads the gates of the handbook', () => {
    expect(parseGate('p99 < 250ms', '--gate')).toEqual({
      text: 'p99 < 250ms',
      severity: 'fail',
      metric: {
        name: 'p99',
        unit: 'ns',
        scope: 'route',
        quantity: { kind: 'quantile', latency: 'response', quantile: 0.99 },
      },
      route: undefined,
      comparison: '<',
      limit: { kind: 'value', value: 250e6 },
      abortAfterSeconds: undefined,
    })
    expect(parseGate('error_rate < 1%', '')).toMatchObject({ limit: { value: 0.01 } })
    expect(parseGate('p99{route="GET /cart"} < 400ms', '')).toMatchObject({ route: 'GET /cart' })
    expect(parseGate('p95 < 1.10 * history', '')).toMatchObject({ limit: { kind: 'history', factor: 1.1 } })
    expect(parseGate('achieved_rate > 98% of target', '')).toMatchObject({ limit: { kind: 'target', share: 0.98 } })
    expect(parseGate('p99 > 1s for 10s => abort', '')).toMatchObject({ abortAfterSeconds: 10 })
    expect(parseGate('warn: p50 < 40ms', '')).toMatchObject({ severity: 'warn', text: 'warn: p50 < 40ms' })
    expect(parseGate('status_5xx<=0.1%', '')).toMatchObject({ metric: { quantity: { from: 500, to: 599 } } })
    expect(parseGate('service_p99.99 < 1h30m', '')).toMatchObject({ metric: { quantity: { quantile: 0.9999 } } })
  })

  it('reads any gate back from any of its spellings', () => {
    fc.assert(
      fc.property(anyPrinted, ({ text, gate }) => {
        expect(parseGate(text, '--gate')).toEqual({ ...gate, text: text.trim() })
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses any other text with a message of one line, or reads it', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'p99',
        '<',
        '250ms',
        'warn:',
        '{route="a"}',
        'for',
        '10s',
        '=>',
        'abort',
        '1%',
        '*',
        'history',
        ' ',
      ),
      fc.string({ unit: 'binary', maxLength: 6 }),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.constantFrom('', ' '), (words, gap) => {
        try {
          parseGate(words.join(gap), '--gate')
        } catch (error) {
          expect(error).toBeInstanceOf(MeshError)
          expect(['MESH_ERR_USAGE', 'MESH_ERR_UNIT']).toContain((error as MeshError).code)
          expect((error as MeshError).message).not.toMatch(/\p{Cc}/u)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

const METRICS =
  'metrics are p50 to p99.99, max, mean (also with service_, lag_, blocked_), error_rate, mismatch_rate, body_mismatch_rate, achieved_rate, rps, ' +
  'requests, replies, errors, mismatches, timeouts, shed, status_404, status_5xx'
const SHAPE =
  'write it as p99 < 250ms, p99{route="GET /cart"} < 400ms, achieved_rate > 98% of target, p99 > 1s for 10s => abort, warn: p50 < 40ms'

/** A gate, what is said of it before its place, and what after. */
type Refused = readonly [gate: string, what: string, remedy?: string]

const REFUSED: readonly Refused[] = [
  ['', 'expected a gate, found no metric', SHAPE],
  ['p99', 'expected <, <=, > or >= after p99, found nothing'],
  ['p99 <', 'expected something to compare with, found nothing', SHAPE],
  ['p99 250ms', 'expected <, <=, > or >= after p99, found "250ms"'],
  ['p99 != 250ms', 'expected <, <=, > or >= after p99, found "!="'],
  ['p99 => abort', 'expected <, <=, > or >= after p99, found "=>"'],
  ['p99 < 250', 'expected a duration such as 250ms or 1.5s for p99, found "250"', 'say which unit: 250ms or 250s?'],
  ['p99 < 250 ms', 'expected a duration such as 250ms or 1.5s for p99, found "250 ms"'],
  ['p99 < 1%', 'expected a duration such as 250ms or 1.5s for p99, found "1%"'],
  ['p99 < 250ms or so', 'expected a duration such as 250ms or 1.5s for p99, found "250ms or so"'],
  ['error_rate < 1', 'expected a percentage such as 1% or 0.05% for error_rate, found "1"', 'say which: 1% or 100%?'],
  ['error_rate < 101%', 'expected a percentage such as 1% or 0.05% for error_rate, found "101%"'],
  ['errors < 1.5', 'expected a whole number such as 0 or 100 for errors, found "1.5"'],
  ['rps > fast', 'expected a rate such as 500/s or a share such as 98% of target for rps, found "fast"'],
  [
    'p99 < 98% of target',
    '"of target" is a share of the offered rate, and p99 needs a duration such as 250ms or 1.5s',
    'achieved_rate and rps can be compared with it',
  ],
  ['achieved_rate > 101% of target', 'expected more than 0% and up to 100% of target'],
  ['p95 < 0 * history', 'expected a factor above zero, found "0 * history"'],
  ['p99 == 1s', '== is for counts, and p99 is measured', 'compare with < or >'],
  ['p100 < 1s', 'expected a quantile from p50 to p99.99, found "p100"', 'p95 is one; max is the slowest'],
  ['p49 < 1s', 'expected a quantile from p50 to p99.99, found "p49"', 'p95 is one; max is the slowest'],
  ['p99.999 < 1s', 'expected a quantile from p50 to p99.99, found "p99.999"', 'p95 is one; max is the slowest'],
  ['eror_rate < 1%', 'unknown metric "eror_rate"', 'did you mean error_rate?'],
  ['body_mismatch_rat < 1%', 'unknown metric "body_mismatch_rat"', 'did you mean body_mismatch_rate?'],
  ['servce_p99 < 1s', 'unknown metric "servce_p99"', 'did you mean service_p99?'],
  ['avg < 1s', 'unknown metric "avg"', 'did you mean mean?'],
  ['p(95) < 1s', 'unknown metric "p(95)"', 'did you mean p95?'],
  ['http_req_failed < 1%', 'unknown metric "http_req_failed"', 'did you mean error_rate?'],
  ['status_600 < 1%', 'unknown metric "status_600"', 'did you mean status_5xx?'],
  ['satisfaction < 1%', 'unknown metric "satisfaction"', METRICS],
  ['p99{route=GET} < 1s', 'expected a label such as {route="GET /cart"} after the metric'],
  ['p99{route="GET /cart" < 1s', 'expected a label such as {route="GET /cart"} after the metric'],
  ['p99{} < 1s', 'expected a label such as {route="GET /cart"} after the metric'],
  ['p99{rout="GET /cart"} < 1s', 'unknown label "rout"', 'did you mean route?'],
  ['p99{status="200"} < 1s', 'unknown label "status"', 'the only label is route'],
  ['lag_p99{route="x"} < 1s', 'lag_p99 is known for the whole run, not by route', 'leave the label out'],
  ['error: p99 < 1s', 'expected "warn:" or "fail:" before the metric, found "error:"'],
  ['p99 > 1s => abort', '=> abort needs to know for how long', 'for example: for 10s => abort'],
  [
    'p99 > 1s for 10s',
    '"for" belongs to a gate that stops the run',
    'add => abort, or leave "for" out to judge the whole run',
  ],
  ['p99 > 1s for 10s => stop', 'expected "=> abort", found "=> stop"'],
  ['p99 > 1s for 10 => abort', 'expected whole seconds from 1s to 1h after "for", found "10"'],
  ['p99 > 1s for 1500ms => abort', 'expected whole seconds from 1s to 1h after "for", found "1500ms"'],
  ['p99 > 1s for 2h => abort', 'expected whole seconds from 1s to 1h after "for", found "2h"'],
  ['p99 > 1s for => abort', 'expected whole seconds from 1s to 1h after "for", found ""'],
  ['p99 > 1s for soon => abort', 'expected whole seconds from 1s to 1h after "for", found "soon"'],
  ['warn: p99 > 1s for 10s => abort', 'a warning cannot stop the run', 'leave "warn:" out'],
  [
    'body_mismatch_rate > 1% for 5s => abort',
    'what bodies differ in is known at the end: it cannot stop the run',
    'mismatch_rate can',
  ],
  [
    'achieved_rate < 90% of target for 5s => abort',
    'what was achieved of the target is known at the end: it cannot stop the run',
    'blocked_p99 > 1s for 10s => abort stops a run whose target does not keep up',
  ],
  ['p95 > 2 * history for 5s => abort', 'a comparison with history is made at the end: it cannot stop the run'],
  ['error_rate <= 100%', 'the gate always holds: every error_rate is at most 100 %'],
  ['p99 >= 0ms', 'the gate always holds: every p99 is at least 0s'],
  ['errors < 0', 'the gate can never hold: every errors is at least 0'],
  ['achieved_rate > 100% of target', 'the gate can never hold: achieved_rate is at most what was offered'],
]

describe('a gate that is none', () => {
  const rows = REFUSED.map(([gate, what, remedy]) => ({ gate, what, remedy }))
  it.each(rows)('is refused, and the whole message says why: $gate', ({ gate, what, remedy }) => {
    const { message } = thrownBy(() => parseGate(gate, '--gate'))
    expect(message).toBe(`${what} (--gate "${gate}")${remedy === undefined ? '' : `: ${remedy}`}`)
  })

  it('is refused where it is too long to be one', () => {
    expect(thrownBy(() => parseGate('p'.repeat(501), 'mesh.yaml: gates')).message).toBe(
      'expected a gate of at most 500 characters, found 501 (mesh.yaml: gates)',
    )
  })

  it('cannot move a cursor by what it is refused with', () => {
    expect(thrownBy(() => parseGate('p99\u001b[2J < 1s', '--gate')).message).toContain(String.raw`\x1b[2J`)
  })
})
