import type { Outcome } from '../../src/core/outcome.ts'
import { IntervalRecorder } from '../../src/measure/interval.ts'
import { type IntervalRow, Measurement } from '../../src/measure/measurement.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun, type RunFacts } from '../../src/report/describe-run.ts'
import type { Run, RunPlan, SlowExchange } from '../../src/report/run.ts'
import { MS, outcome } from '../measure/outcomes.ts'

export const SECOND = 1000 * MS

const PLAN: RunPlan = {
  loop: 'open',
  amplify: 4,
  speed: 1,
  shots: 40_000,
  durationNs: 10 * SECOND,
  meanPerSecond: 4_000,
  peakPerSecond: 4_000,
  recordedSpanNs: 10 * SECOND,
  heldBack: { POST: 312 },
  notReplayable: { limit: 4 },
  maskedShare: 0,
  warnings: [],
}

export function runFacts(changes: Partial<RunFacts> & { readonly planned?: Partial<RunPlan> } = {}): RunFacts {
  const { planned, ...rest } = changes
  return {
    runId: 'r-0001',
    version: '0.1.0',
    interrupted: false,
    startedAt: new Date('2026-08-21T10:00:00Z'),
    finishedAt: new Date('2026-08-21T10:00:11Z'),
    asked: {
      command: ['replay', 'a.mcap', 'b.mcap', '--to', 'http://127.0.0.1:8080', '--amplify', '4'],
      target: 'http://127.0.0.1:8080',
      recordings: ['a', 'b'].map((host) => ({
        recordingId: `rec-${host}`,
        host: `web-${host}`,
        service: 'shop',
        requests: 5_000,
        spanNs: 10 * SECOND,
      })),
      options: { amplify: 4, order: 'connection' },
    },
    plan: { ...PLAN, ...planned },
    windowNs: 10 * SECOND,
    ...rest,
  }
}

export interface Measured {
  readonly measurement: Measurement
  readonly rows: readonly IntervalRow[]
}

export function measure(outcomes: readonly Outcome[]): Measured {
  const rows: IntervalRow[] = []
  const measurement = new Measurement({ workers: 1, onRow: (row) => rows.push(row) })
  const recorder = new IntervalRecorder({ worker: 0, routeCount: 4 })
  let takenNs = 0
  const take = (): void => {
    takenNs += SECOND
    const snapshot = recorder.take(takenNs)
    if (snapshot !== undefined) measurement.add(snapshot)
  }
  for (const next of outcomes.toSorted((a, b) => a.doneNs - b.doneNs)) {
    while (next.doneNs > takenNs) take()
    recorder.record(next)
  }
  take()
  measurement.finish()
  return { measurement, rows }
}

/** 4,000 shots a second for 10 s over three routes; service time 5 to 9 ms, 2 % of the carts are not found, 8 time out. */
export function shopOutcomes(): Outcome[] {
  return Array.from({ length: 40_000 }, (_, index) => {
    const route = index % 10 === 0 ? 2 : index % 3 === 0 ? 1 : 0
    const dueNs = index * 0.25 * MS
    const facts = { route, dueNs, sentNs: dueNs + 0.02 * MS, serviceNs: 5 * MS + (index % 97) * 0.04 * MS }
    if (index % 5_000 === 1) return outcome({ ...facts, error: 'timeout', status: 0, serviceNs: 500 * MS })
    return outcome({ ...facts, status: route === 1 && index % 50 === 9 ? 404 : 200 })
  })
}

export const ROUTE_NAMES = ['GET /products/:id', 'GET /carts/:id/items', 'POST /search']

export function shopRecorded(): RecordedStats {
  const recorded = new RecordedStats()
  for (let index = 0; index < 10_000; index++) {
    recorded.observe(index % 10 === 0 ? 2 : index % 3 === 0 ? 1 : 0, 200, 3 * MS + (index % 89) * 0.02 * MS)
  }
  return recorded
}

export function shopRun(changes: Parameters<typeof runFacts>[0] = {}): Run {
  return describeRun(runFacts(changes), measure(shopOutcomes()).measurement, shopRecorded(), ROUTE_NAMES)
}

/** Twenty, the slowest of which timed out; the last cannot be read again. */
export const SLOWEST: readonly SlowExchange[] = Array.from({ length: 20 }, (_, index) => ({
  atNs: (index + 1) * SECOND,
  responseNs: (900 - index) * MS,
  serviceNs: (890 - index) * MS,
  blockedNs: 10 * MS,
  lagNs: 0,
  status: index === 0 ? 0 : 200,
  error: index === 0 ? 'timeout' : 'none',
  route: 'GET /products/:id',
  clone: index % 4,
  recorded:
    index === 19
      ? null
      : {
          request: `GET /products/${index}?q=<b>`,
          requestId: index === 0 ? 'req-17' : '',
          host: 'web-a',
          at: '2026-08-21T09:00:00.000Z',
          exchange: 100 + index,
          connection: 7,
          session: index === 0 ? 'sid=mesh-0123456789abcdef' : '',
        },
}))
