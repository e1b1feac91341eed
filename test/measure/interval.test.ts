import { describe, expect, it } from 'vitest'
import { SHOT_ERRORS } from '../../src/core/outcome.ts'
import { BUCKET_COUNT, bucketOf } from '../../src/measure/buckets.ts'
import { forEachCount } from '../../src/measure/counter-pages.ts'
import {
  BLOCKED_ROW,
  COUNTS,
  FIRST_ERROR,
  IntervalRecorder,
  type IntervalSnapshot,
  MISMATCHES,
  UNRECORDED,
  RESPONSE_TIME,
  routeOfRow,
  SERVICE_TIME,
  snapshotBuffers,
} from '../../src/measure/interval.ts'
import { MS, outcome } from './outcomes.ts'

const SECOND = 1000 * MS

const KINDS = new Map([
  [RESPONSE_TIME, 'response'],
  [SERVICE_TIME, 'service'],
  [COUNTS, 'counts'],
])

function rowsOf(snapshot: IntervalSnapshot): Map<string, Map<number, number>> {
  const rows = new Map<string, Map<number, number>>()
  forEachCount(snapshot.counts, BUCKET_COUNT, (row, index, count) => {
    const place = routeOfRow(row)
    const all = row === BLOCKED_ROW ? 'blocked' : 'lag'
    const name = place === undefined ? all : `${place.route} ${KINDS.get(place.kind) ?? ''}`
    const cells = rows.get(name) ?? new Map<number, number>()
    rows.set(name, cells.set(index, count))
  })
  return rows
}

function recorded(...outcomes: readonly Parameters<typeof outcome>[0][]): IntervalSnapshot {
  const recorder = new IntervalRecorder({ worker: 1, routeCount: 1 })
  for (const facts of outcomes) recorder.record(outcome(facts))
  const snapshot = recorder.take(SECOND)
  if (snapshot === undefined) throw new Error('nothing was recorded')
  return snapshot
}

describe('IntervalRecorder', () => {
  it('tells the four times of a shot apart', () => {
    const facts = { dueNs: 0, readyNs: 20 * MS, sentNs: 21 * MS, doneNs: 26 * MS }
    const rows = rowsOf(recorded(facts))
    expect(rows.get('0 response')).toEqual(new Map([[bucketOf(26 * MS), 1]]))
    expect(rows.get('0 service')).toEqual(new Map([[bucketOf(5 * MS), 1]]))
    expect(rows.get('blocked')).toEqual(new Map([[bucketOf(20 * MS), 1]]))
    expect(rows.get('lag')).toEqual(new Map([[bucketOf(MS), 1]]))
  })

  it('counts status codes, mismatches with the recording, and bytes by route', () => {
    const snapshot = recorded(
      { route: 3, status: 200 },
      { route: 3, status: 503, bytesSent: 1, bytesReceived: 2 },
      { route: 3, status: 404, recordedStatus: 0 },
    )
    const expected = [
      [200, 1],
      [404, 1],
      [503, 1],
      [MISMATCHES, 1],
      [UNRECORDED, 1],
    ] as const
    expect(rowsOf(snapshot).get('3 counts')).toEqual(new Map(expected))
    const row = [...snapshot.rows].findIndex((row) => routeOfRow(row)?.kind === COUNTS)
    expect(snapshot.sums.slice(row * 3, row * 3 + 3)).toEqual(Float64Array.of(201, Number.POSITIVE_INFINITY, 2002))
  })

  it('keeps sum, minimum and maximum exactly', () => {
    const snapshot = recorded({ serviceNs: 1234 }, { serviceNs: 7_654_321 })
    const row = [...snapshot.rows].findIndex((row) => routeOfRow(row)?.kind === SERVICE_TIME)
    expect(snapshot.sums.slice(row * 3, row * 3 + 3)).toEqual(Float64Array.of(7_655_555, 1234, 7_654_321))
  })

  it.each([
    ['timeout', true, true, 'who gave up waited at least that long'],
    ['refused', false, true, 'a refusal takes no time, but it was tried when it was'],
    ['reset', false, true, 'half a reply is no reply'],
    ['shed', false, false, 'it was never sent'],
    ['aborted', false, false, 'it was never sent'],
  ] as const)('of %s records response time: %s, lag: %s, because %s', (error, response, lag, _reason) => {
    const rows = rowsOf(recorded({ error, status: 0 }))
    expect(rows.has('0 response')).toBe(response)
    expect(rows.has('lag')).toBe(lag)
    expect(rows.get('0 counts')).toEqual(new Map([[FIRST_ERROR + SHOT_ERRORS.indexOf(error), 1]]))
  })

  it('counts what was due and what was sent by the second', () => {
    const snapshot = recorded(
      { dueNs: 0.9 * SECOND, sentNs: 1.1 * SECOND },
      { dueNs: 300.5 * SECOND },
      { dueNs: 1.5 * SECOND, error: 'shed' },
      { dueNs: 7 * SECOND, error: 'aborted' },
    )
    expect([...snapshot.schedule]).toEqual([0, 1, 0, 1, 1, 1, 300, 1, 1])
  })

  it('leaves out what was due during the warm-up, and counts it', () => {
    const recorder = new IntervalRecorder({ worker: 0, routeCount: 1, warmupNs: 10 * SECOND })
    recorder.record(outcome({ dueNs: 9.99 * SECOND }))
    recorder.record(outcome({ dueNs: 10 * SECOND }))
    expect(recorder.take(11 * SECOND)).toMatchObject({ warmup: 1, outcomes: 1 })
  })

  it('gives each outcome to one interval, and nothing where nothing was recorded', () => {
    const recorder = new IntervalRecorder({ worker: 2, routeCount: 1 })
    expect(recorder.take(SECOND)).toBeUndefined()
    recorder.record(outcome())
    expect(recorder.take(2 * SECOND)).toMatchObject({ worker: 2, fromNs: SECOND, toNs: 2 * SECOND, outcomes: 1 })
    recorder.record(outcome({ serviceNs: 9 * MS }))
    const third = recorder.take(3 * SECOND)
    expect(third === undefined ? undefined : rowsOf(third).get('0 service')).toEqual(new Map([[bucketOf(9 * MS), 1]]))
    expect(recorder.take(4 * SECOND)).toBeUndefined()
  })

  it('grows when a route beyond the expected ones comes', () => {
    const rows = rowsOf(recorded({ route: 0 }, { route: 400 }, { route: 0 }))
    expect(rows.get('0 counts')).toEqual(new Map([[200, 2]]))
    expect(rows.get('400 counts')).toEqual(new Map([[200, 1]]))
  })

  it('is small where little was recorded, and crosses to another thread whole', () => {
    const snapshot = recorded({ route: 999 })
    const buffers = snapshotBuffers(snapshot)
    expect(buffers.reduce((bytes, buffer) => bytes + buffer.byteLength, 0)).toBeLessThan(1000)
    const rows = rowsOf(snapshot)
    const clone = structuredClone(snapshot, { transfer: buffers })
    expect(rowsOf(clone)).toEqual(rows)
    expect(snapshot.counts.cells.length).toBe(0)
  })

  it('takes times that make no sense without failing', () => {
    const snapshot = recorded(
      { dueNs: Number.NaN, sentNs: Number.NaN, doneNs: Number.NaN },
      { dueNs: -5, sentNs: -9, doneNs: 1e300 },
      { status: -4, bytesReceived: 0 },
      { status: 4000 },
    )
    expect(snapshot.outcomes).toBe(4)
  })
})
