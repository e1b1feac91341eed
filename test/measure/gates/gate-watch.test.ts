import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { GateWatch } from '../../../src/measure/gates/gate-watch.ts'
import type { Gate } from '../../../src/measure/gates/gate.ts'
import { judgeGates } from '../../../src/measure/gates/judge-gates.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import { measure, SECOND } from '../../report/runs.ts'
import { MS, outcome } from '../outcomes.ts'

/** Ten requests in each second, that take so many ms; none where it is undefined. They end in the second in which they are due. */
function seconds(...serviceMs: readonly (number | undefined)[]): readonly Outcome[] {
  return serviceMs.flatMap((ms, second) =>
    ms === undefined
      ? []
      : Array.from({ length: 10 }, (_, index) => {
          return outcome({ dueNs: second * SECOND + index * 10 * MS, serviceNs: ms * MS })
        }),
  )
}

interface Watched {
  readonly watch: GateWatch
  readonly gate: Gate
  /** How many rows had come when the run was to be stopped. */
  readonly atRow: number | undefined
}

function watched(text: string, outcomes: readonly Outcome[]): Watched {
  const gate = parseGate(text, '--gate')
  let [rows, atRow]: [number, number | undefined] = [0, undefined]
  const watch = new GateWatch([gate], ['GET /'], () => (atRow = rows))
  for (const row of measure(outcomes).rows) {
    if (row.kind !== 'second') continue
    rows += 1
    watch.add(row)
  }
  return { watch, gate, atRow }
}

describe('GateWatch', () => {
  it('stops a run in the second in which it has held for so long', () => {
    const { watch, gate, atRow } = watched('p50 > 20ms for 3s => abort', seconds(5, 50, 50, 50, 50, 50))
    expect(atRow).toBe(4)
    expect(watch.abortedBy).toBe(gate)
    expect(watch.seen(gate)).toMatchObject({ aborted: true, longest: 3, samples: 40 })
  })

  it('starts anew where a second was good', () => {
    const { watch, gate, atRow } = watched('p50 > 20ms for 3s => abort', seconds(50, 50, 5, 50, 50, 5))
    expect(atRow).toBeUndefined()
    expect(watch.seen(gate)).toMatchObject({ aborted: false, longest: 2 })
  })

  it('neither counts nor starts anew where a second has no sample', () => {
    const silent = [undefined, undefined, undefined]
    expect(watched('p50 > 20ms for 3s => abort', seconds(50, 50, ...silent, 5)).atRow).toBeUndefined()
    expect(watched('p50 > 20ms for 3s => abort', seconds(50, 50, ...silent, 50)).atRow).toBe(3)
  })

  it('takes the rate of a silent second for 0', () => {
    const silent = [undefined, undefined, undefined]
    expect(watched('rps < 5/s for 3s => abort', seconds(5, 5, ...silent, 5)).atRow).toBe(3)
    expect(watched('rps < 5/s for 4s => abort', seconds(5, 5, ...silent, 5)).atRow).toBeUndefined()
  })

  it('is asked once, by the first of several', () => {
    const gates = ['p50 > 20ms for 2s => abort', 'max > 20ms for 2s => abort', 'p50 < 1s'].map((text) =>
      parseGate(text, ''),
    )
    const stopped: Gate[] = []
    const watch = new GateWatch(gates, ['GET /'], (gate) => stopped.push(gate))
    for (const row of measure(seconds(50, 50, 50, 50)).rows) if (row.kind === 'second') watch.add(row)
    expect(stopped).toEqual([gates[0]])
  })

  it.each([
    [seconds(50, 50, 50), 'aborted', 'p50 was above 20.0ms for 2 seconds in a row, which stops a run', 50 * MS],
    [seconds(50, 5, 50), 'passed', 'p50 was above 20.0ms for at most 1 second in a row', 50 * MS],
    [seconds(5, 5), 'passed', 'p50 was above 20.0ms in no second', 5 * MS],
    [[], 'no_data', 'there was no reply in any second', null],
  ] as const)('makes a result of what it saw (%#)', (outcomes, result, what, actual) => {
    const { watch, gate } = watched('p50 > 20ms for 2s => abort', outcomes)
    const { total } = measure(outcomes).measurement
    const evidence = { tally: total, total: total.total(), spanNs: SECOND, routeNames: ['GET /'], watch }
    const [found] = judgeGates([gate], evidence)
    expect(found).toMatchObject({ outcome: result, what, limit: 20 * MS })
    if (actual === null) expect(found?.actual).toBeNull()
    else expect((found?.actual ?? 0) / actual).toBeCloseTo(1, 2)
  })

  it('fails where the seconds that fulfil it come when the run has ended, and stops nothing', () => {
    const gate = parseGate('p50 > 20ms for 2s => abort', '--gate')
    const outcomes = seconds(5, 50, 50)
    const rows = measure(outcomes).rows.filter((row) => row.kind === 'second')
    const watch = new GateWatch([gate], ['GET /'], () => expect.unreachable())
    for (const row of rows.slice(0, 2)) watch.add(row)
    watch.end()
    for (const row of rows.slice(2)) watch.add(row)
    const { total } = measure(outcomes).measurement
    const evidence = { tally: total, total: total.total(), spanNs: SECOND, routeNames: ['GET /'], watch }
    const what = 'p50 was above 20.0ms for 2 seconds in a row when the run ended'
    expect(judgeGates([gate], evidence)).toMatchObject([{ outcome: 'failed', what }])
    expect(watch.abortedBy).toBeUndefined()
  })

  it('has no data for a route that never came, though its rate was 0', () => {
    const { watch, gate } = watched('rps{route="GET /never"} > 5/s for 2s => abort', seconds(5, 5, 5))
    const { total } = measure(seconds(5)).measurement
    const evidence = { tally: total, total: total.total(), spanNs: SECOND, routeNames: ['GET /'], watch }
    expect(judgeGates([gate], evidence)).toMatchObject([{ outcome: 'no_data' }])
  })
})
