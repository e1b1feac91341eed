import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { StatusChanges } from '../../../src/replay/check/status-changes.ts'
import { StatusTotals } from '../../../src/replay/check/status-totals.ts'
import { outcome } from '../../measure/outcomes.ts'

const ROUTES = ['GET /', 'GET /cart']

describe('StatusChanges', () => {
  it('counts by route which status became which, and passes every outcome on', () => {
    const passed: Outcome[] = []
    const changes = new StatusChanges({ record: (one) => passed.push(one) }, 0)
    const outcomes = [
      outcome(),
      outcome({ route: 1, status: 404 }),
      outcome({ route: 1, status: 404 }),
      outcome({ status: 503 }),
      outcome({ status: 200, recordedStatus: 404 }),
    ]
    for (const one of outcomes) changes.record(one)
    expect(passed).toEqual(outcomes)
    const totals = new StatusTotals()
    totals.add(changes.take() ?? new Uint32Array())
    changes.record(outcome({ status: 503 }))
    totals.add(changes.take() ?? new Uint32Array())
    expect(totals.rows(ROUTES)).toEqual([
      { route: 'GET /', recorded: 200, now: 503, count: 2 },
      { route: 'GET /cart', recorded: 200, now: 404, count: 2 },
      { route: 'GET /', recorded: 404, now: 200, count: 1 },
    ])
  })

  it('counts nothing of the warm-up, of what failed, and of what has no recorded status', () => {
    const changes = new StatusChanges({ record: () => undefined }, 1000)
    changes.record(outcome({ dueNs: 999, status: 500 }))
    changes.record(outcome({ dueNs: 1000, status: 0, error: 'timeout' }))
    changes.record(outcome({ dueNs: 1000, recordedStatus: 0 }))
    expect(changes.take()).toBeUndefined()
  })
})
