import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Outcome, SHOT_ERRORS } from '../../src/core/outcome.ts'
import type { Histogram } from '../../src/measure/histogram.ts'
import { IntervalRecorder, type IntervalSnapshot } from '../../src/measure/interval.ts'
import { type IntervalRow, Measurement } from '../../src/measure/measurement.ts'
import { SpanTally } from '../../src/measure/tally.ts'
import { bucketsOf } from './histograms.ts'
import { MS, outcome } from './outcomes.ts'

const SECOND = 1000 * MS

const anyOutcome = fc
  .record({
    route: fc.integer({ min: 0, max: 5 }),
    dueNs: fc.integer({ min: 0, max: 30 * SECOND }),
    waitNs: fc.integer({ min: 0, max: SECOND }),
    lagNs: fc.integer({ min: 0, max: 10 * MS }),
    serviceNs: fc.integer({ min: 1000, max: 3 * SECOND }),
    status: fc.constantFrom(200, 201, 404, 503),
    error: fc.oneof({ weight: 4, arbitrary: fc.constant('none' as const) }, fc.constantFrom(...SHOT_ERRORS)),
  })
  .map((facts) => {
    const readyNs = facts.dueNs + facts.waitNs
    return outcome({ ...facts, readyNs, sentNs: readyNs + facts.lagNs })
  })

/** Each worker takes once a second of its own clock; snapshots arrive in order of their end. */
function snapshotsOf(workers: readonly (readonly Outcome[])[]): IntervalSnapshot[] {
  const snapshots: IntervalSnapshot[] = []
  for (const [worker, outcomes] of workers.entries()) {
    const recorder = new IntervalRecorder({ worker, routeCount: 2 })
    const sorted = outcomes.toSorted((a, b) => a.doneNs - b.doneNs)
    let takenNs = 0
    const take = (): void => {
      takenNs += SECOND
      const snapshot = recorder.take(takenNs + worker * 100 * MS)
      if (snapshot !== undefined) snapshots.push(snapshot)
    }
    for (const next of sorted) {
      while (next.doneNs > takenNs) take()
      recorder.record(next)
    }
    take()
  }
  return snapshots.toSorted((a, b) => a.toNs - b.toNs)
}

function measured(snapshots: readonly IntervalSnapshot[], workers: number): { rows: IntervalRow[]; total: SpanTally } {
  const rows: IntervalRow[] = []
  const measurement = new Measurement({ workers, onRow: (row) => rows.push(row) })
  for (const snapshot of snapshots) measurement.add(snapshot)
  measurement.finish()
  return { rows, total: measurement.total }
}

function exact(histogram: Histogram): unknown {
  return [bucketsOf(histogram), histogram.minNs, histogram.maxNs, histogram.sumNs]
}

function byKey([a]: readonly [number | string, number], [b]: readonly [number | string, number]): number {
  return String(a) < String(b) ? -1 : 1
}

/** Everything that a tally knows, comparable. */
function facts(span: SpanTally): unknown {
  const routes = [...span.routes].sort(([a], [b]) => a - b)
  return {
    warmup: span.warmup,
    blocked: exact(span.blocked),
    lag: exact(span.lag),
    routes: routes.map(([route, tally]) => ({
      route,
      responseTime: exact(tally.responseTime),
      serviceTime: exact(tally.serviceTime),
      statuses: [...tally.statuses].sort(byKey),
      errors: [...tally.errors].sort(byKey),
      rest: [tally.mismatches, tally.bytesSent, tally.bytesReceived, tally.shots, tally.sent, tally.replies],
    })),
  }
}

function sumOf(spans: readonly SpanTally[]): SpanTally {
  const sum = new SpanTally()
  for (const span of spans) sum.add(span)
  return sum
}

const runs = fc.array(fc.array(anyOutcome, { maxLength: 60 }), { minLength: 1, maxLength: 3 })

describe('Measurement', () => {
  it('equals the sum of its rows, by the second and by the block', () => {
    fc.assert(
      fc.property(runs, (workers) => {
        const { rows, total } = measured(snapshotsOf(workers), workers.length)
        for (const kind of ['second', 'block']) {
          const spans = rows.filter((row) => row.kind === kind).map((row) => row.tally)
          expect(facts(sumOf(spans))).toEqual(facts(total))
        }
      }),
      { numRuns: 25 },
    )
  })

  it('equals what one recorder would have counted, whatever the order of the snapshots', () => {
    fc.assert(
      fc.property(runs, fc.boolean(), (workers, reversed) => {
        const snapshots = snapshotsOf(workers)
        const { total } = measured(reversed ? snapshots.toReversed() : snapshots, workers.length)
        const together = measured(snapshotsOf([workers.flat()]), 1).total
        expect(facts(total)).toEqual(facts(together))
      }),
      { numRuns: 25 },
    )
  })

  it('writes rows in order of time, each second once', () => {
    fc.assert(
      fc.property(runs, (workers) => {
        const { rows } = measured(snapshotsOf(workers), workers.length)
        const seconds = rows.flatMap((row) => (row.kind === 'second' ? [row.second] : []))
        expect(seconds).toEqual([...new Set(seconds)].toSorted((a, b) => a - b))
      }),
      { numRuns: 30 },
    )
  })

  it('writes a second as soon as every worker is past it, or has been silent for three', () => {
    const rows: IntervalRow[] = []
    const measurement = new Measurement({ workers: 2, onRow: (row) => rows.push(row) })
    const busy = new IntervalRecorder({ worker: 0, routeCount: 1 })
    const add = (second: number): number => {
      busy.record(outcome({ dueNs: second * SECOND }))
      const snapshot = busy.take((second + 1) * SECOND)
      if (snapshot !== undefined) measurement.add(snapshot)
      return rows.length
    }
    expect([add(0), add(1), add(2), add(3), add(4)]).toEqual([0, 0, 0, 0, 1])
  })

  it('keeps only the last seconds', () => {
    const measurement = new Measurement({ workers: 1, recentSeconds: 5 })
    const recorder = new IntervalRecorder({ worker: 0, routeCount: 1 })
    for (let second = 0; second < 50; second++) {
      recorder.record(outcome({ dueNs: second * SECOND }))
      const snapshot = recorder.take((second + 1) * SECOND)
      if (snapshot !== undefined) measurement.add(snapshot)
    }
    expect(measurement.recent.map((row) => row.second)).toEqual([45, 46, 47, 48, 49])
    expect(measurement.recent.at(-1)).toMatchObject({ shots: 1, replies: 1, failures: 0 })
  })

  it('shows a target that stops for 2 s in response time and blocked time, once in service time, and not in lag', () => {
    const measurement = new Measurement({ workers: 1 })
    const recorder = new IntervalRecorder({ worker: 0, routeCount: 1 })
    for (const shot of throughStall()) recorder.record(shot)
    const snapshot = recorder.take(20 * SECOND)
    if (snapshot !== undefined) measurement.add(snapshot)
    const { responseTime, serviceTime } = measurement.total.total()
    const { blocked, lag } = measurement.total
    expect(serviceTime.maxNs).toBe(2.005 * SECOND)
    expect(serviceTime.quantileNs(0.99)).toBeLessThan(6 * MS)
    expect(responseTime.quantileNs(0.8)).toBeGreaterThan(900 * MS)
    expect(blocked.quantileNs(0.8)).toBeGreaterThan(900 * MS)
    expect(lag.maxNs).toBe(20_000)
  })
})

/**
 * One connection, 100 shots a second for 10 s, 5 ms each; the target stops for 2 s at second 4. Requests queue behind the one
 * that is stuck and are worked off at 5 ms each: the backlog of 200 lasts until second 8.
 */
function throughStall(): Outcome[] {
  const outcomes: Outcome[] = []
  let freeNs = 0
  for (let shot = 0; shot < 1000; shot++) {
    const dueNs = shot * 10 * MS
    const readyNs = Math.max(dueNs, freeNs)
    const sentNs = readyNs + 20_000
    const stalled = dueNs === 4 * SECOND
    freeNs = sentNs + (stalled ? 2.005 * SECOND : 5 * MS)
    outcomes.push(outcome({ dueNs, readyNs, sentNs, doneNs: freeNs }))
  }
  return outcomes
}
