import type { DashboardFacts, ShownSecond } from '../../src/tui/facts.ts'

const MS = 1e6

function second(index: number): ShownSecond {
  return {
    due: 100 + index,
    sent: 100 + index,
    replies: 99,
    failures: index % 7 === 0 ? 1 : 0,
    p50Ns: 2 * MS,
    p90Ns: 4 * MS,
    p99Ns: (8 + (index % 5)) * MS,
    p999Ns: 40 * MS,
    lagP99Ns: 0.2 * MS,
    octaves: [
      [20, 60],
      [21, 30],
      [25, 9],
    ],
  }
}

/** A run of a minute in good health. */
export function dashboardFacts(changes: Partial<DashboardFacts> = {}): DashboardFacts {
  return {
    target: 'http://canary:8080',
    view: 'all',
    columns: 80,
    rows: 24,
    elapsedNs: 60e9,
    leftNs: 240e9,
    progress: 0.2,
    stage: '',
    speed: 1,
    state: 'running',
    loop: 'open',
    unanswered: 12,
    connections: 34,
    seconds: Array.from({ length: 60 }, (_, index) => second(index)),
    total: {
      replies: 5940,
      responseTime: {
        count: 5940,
        meanNs: 3 * MS,
        minNs: MS,
        p50Ns: 2 * MS,
        p90Ns: 4 * MS,
        p99Ns: 9 * MS,
        p999Ns: 40 * MS,
        maxNs: 50 * MS,
      },
      statuses: { 200: 5900, 503: 40 },
      errors: { timeout: 9 },
      mismatches: 40,
    },
    check: '',
    routes: ['GET /report/:id', 'GET /cart/:id', 'GET /'].map((name, index) => ({
      name,
      replies: 2000,
      failures: index,
      p50Ns: 2 * MS,
      p99Ns: (9 - index) * MS,
    })),
    health: { level: 'good', reasons: [], waitShare: 0.01, loopDelayP99Ns: MS },
    gates: [
      {
        gate: 'p99 < 250ms',
        severity: 'fail',
        outcome: 'passed',
        actual: 9 * MS,
        limit: 250 * MS,
        unit: 'ns',
        samples: 5940,
        what: 'p99 is 9.00ms, below 250ms',
      },
    ],
    notes: [],
    keys: true,
    ...changes,
  }
}
