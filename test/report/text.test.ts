import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseGate } from '../../src/measure/gates/parse-gate.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun } from '../../src/report/describe-run.ts'
import { REPORTERS } from '../../src/report/index.ts'
import type { Run } from '../../src/report/run.ts'
import { MS, outcome } from '../measure/outcomes.ts'
import { measure, ROUTE_NAMES, runFacts, SECOND, shopRun } from './runs.ts'

function textOf(run: Run, columns = 80, colour = false): string {
  let text = ''
  REPORTERS.text.write(run, { write: (piece) => (text += piece) }, { columns, colour })
  return text
}

const run = shopRun()

describe('textReporter', () => {
  it('fits a run into 80 columns', () => {
    expect(textOf(run)).toMatchInlineSnapshot(`
      "mesh replay > http://127.0.0.1:8080

      VALID  nothing on our side disturbed these numbers

      recorded    2 recordings (web-a, web-b), 10,000 requests in 10.0s, 1,000/s
      replayed    4x onto one target, open loop, 10.0s
      offered     40,000 requests, 4,000/s, peak 4,000/s
      achieved    40,000 sent (100% in the window), 4,000/s, peak 4,000/s
      replies     39,992: 200 99% 404 1%; 267 differ from the recorded status; 3.81
                  MiB sent, 38.1 MiB received
      errors      timeout 8
      left out    held back POST 312; not replayable limit 4
      run         2026-08-21T10:00:00.000Z, mesh 0.1.0, r-0001

                          p50        p90        p99      p99.9        max    samples
      recorded         3.87ms     4.60ms     4.76ms    ~4.76ms     4.76ms     10,000
      response         6.93ms     8.49ms     8.88ms    ~8.88ms      500ms     40,000
      service          6.93ms     8.49ms     8.81ms    ~8.81ms      500ms     40,000
      blocked               0          0          0         ~0          0     40,000
      lag              20.0us     20.0us     20.0us    ~20.0us     20.0us     40,000

                     count      rate  status               p50     p90     p99     max
      GET /products/:id
        recorded     6,000     600/s  200 100%          3.87ms  4.57ms ~4.76ms  4.76ms
        response    24,000   2,400/s  200 100%          6.93ms  8.49ms  8.88ms   500ms
        service                       5 failed          6.93ms  8.49ms  8.81ms   500ms
      GET /carts/:id/items
        recorded     3,000     300/s  200 100%          3.87ms  4.60ms ~4.76ms  4.76ms
        response    12,000   1,200/s  200 98% 404 2%    6.93ms  8.49ms  8.88ms   500ms
        service                       3 failed          6.93ms  8.49ms  8.81ms   500ms
      POST /search
        recorded     1,000     100/s  200 100%          3.87ms  4.60ms ~4.76ms  4.76ms
        response     4,000     400/s  200 100%          6.93ms  8.49ms ~8.86ms  8.86ms
        service                                         6.93ms  8.49ms ~8.81ms  8.84ms

      response: from when a request was due to its reply, what a user feels. service:
      from when it was sent, what the target took. blocked: it waited for the reply
      before it on its connection. lag: we were late. ~: fewer than 100 samples lie
      beyond this quantile; -: not one does.
      "
    `)
  })

  it('puts the name of a route beside its figures where there is room', () => {
    const lines = textOf(run, 120).split('\n')
    expect(lines.filter((line) => line.startsWith('GET /products/:id'))).toMatchInlineSnapshot(`
      [
        "GET /products/:id                         recorded     6,000     600/s  200 100%          3.87ms  4.57ms ~4.76ms  4.76ms",
      ]
    `)
  })

  it('says what is wrong and what to try where a run is INVALID', () => {
    const shots = Array.from({ length: 300 }, (_, index) => outcome({ dueNs: index * MS, sentNs: index * MS + 9 * MS }))
    const late = describeRun(runFacts(), measure(shots).measurement, new RecordedStats(), ['GET /'])
    expect(textOf(late).split('\n\n')[1]).toMatchInlineSnapshot(`
      "INVALID  our side disturbed these numbers: they say nothing about the target
        - we sent late: lag p90 is 9.00ms, more than 2.00ms
          try: give the generator a CPU of its own, or a lower rate"
    `)
  })

  it('does not blame our side where nothing answered, and prints no empty remedy', () => {
    const shots = Array.from({ length: 300 }, (_, index) =>
      outcome({ dueNs: index * MS, sentNs: index * MS + 9 * MS, status: 0, error: 'refused' }),
    )
    const down = describeRun(runFacts(), measure(shots).measurement, new RecordedStats(), ['GET /'])
    expect(textOf(down).split('\n\n')[1]).toMatchInlineSnapshot(`
      "INVALID  there was nothing to judge: nothing answered
        - nothing answered: none of 300 requests got a reply, so there was nothing to
          judge
          try: see the errors; is the target up, and is it the right address?
        - we sent late: lag p90 is 9.00ms, more than 2.00ms"
    `)
  })

  it('prints what a saturated target did', () => {
    const shots = Array.from({ length: 3000 }, (_, index) => {
      const [dueNs, readyNs] = [index * MS, index * 2 * MS]
      return outcome({ dueNs, readyNs, serviceNs: 2 * MS, ...(index % 10 === 0 ? { error: 'shed', status: 0 } : {}) })
    })
    const saturated = describeRun(runFacts(), measure(shots).measurement, new RecordedStats(), ['GET /'])
    expect(textOf(saturated).split('\n\n')[1]).toMatchInlineSnapshot(`
      "SATURATED  the target did not keep up: these numbers are its limit, not our fault
        - 300 requests were shed: too many were in flight, because the target was slow
          try: a lower multiplier; or --max-in-flight, if the cap is too low
        - requests waited for the reply before them: blocked p99 is 2.96s
          try: a lower multiplier shows what it can take
        - the target took 55 % of the offered load in the time that it was offered
          try: a lower multiplier shows what it can take"
    `)
  })

  it('prints a line for each gate, and why where it has not passed', () => {
    const texts = [
      'p99 < 250ms',
      'warn: p50 < 4ms',
      `p99{route="${ROUTE_NAMES[0]}"} < 8ms`,
      'error_rate < 1%',
      'p99.99 < 1s',
      'rps > 98% of target',
    ]
    const judged = shopRun({ gates: texts.map((text) => parseGate(text, '--gate')) })
    expect(textOf(judged).split('\n\n').slice(1, 3).join('\n\n')).toMatchInlineSnapshot(`
      "INVALID  too few samples for what was to be judged
        - gate "p99.99 < 1s" rests on 40,000 samples and needs 1,000,000
          try: run longer, or gate a lower quantile

      gate                                       actual     limit   samples
      p99 < 250ms                                8.88ms     250ms    40,000  passed
      warn: p50 < 4ms                            6.93ms    4.00ms    40,000  warning
        p50 is 6.93ms, not below 4.00ms
      p99{route="GET /products/:id"} < 8ms       8.88ms    8.00ms    24,000  FAILED
        p99 of GET /products/:id is 8.88ms, not below 8.00ms
      error_rate < 1%                            0.02 %       1 %    40,000  passed
      p99.99 < 1s                                     -     1.00s    40,000  NO DATA
        p99.99 rests on 40,000 samples and needs 1,000,000
      rps > 98% of target                       3,999/s   3,920/s    40,000  passed"
    `)
    for (const line of textOf(judged).split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('prints a run in which nothing was sent', () => {
    const empty = describeRun(runFacts(), measure([]).measurement, new RecordedStats(), [])
    expect(textOf(empty)).toContain('no request was sent')
    expect(textOf(empty)).not.toMatch(/NaN|Infinity|undefined|null/)
  })

  it('colours the verdict only where it may', () => {
    expect(textOf(run, 80, true)).toContain('\u001B[1;32mVALID\u001B[0m')
    expect(textOf(run, 80, false)).not.toContain('\u001B')
  })

  it('calls what the sending threads counted by words', () => {
    const counted = { ...run, counters: { sent: 9, peakConnections: 3, closedByTarget: 2, heldBack: 1 } }
    expect(textOf(counted)).toContain(
      'senders     sent 9, most connections at a time 3, closed by the target 2, not\n            tried while it refused 1\n',
    )
  })

  it('lets nothing in a name of others move the cursor', () => {
    const hostile = { ...run, runId: 'r\u001B[2J\u009B1;1H', plan: { ...run.plan, warnings: ['a\rb'] } }
    expect(textOf(hostile)).toContain(String.raw`note        a\x0db`)
    expect(textOf(hostile).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })

  it('is never wider than it may be', () => {
    const shot = fc.record({
      route: fc.integer({ min: 0, max: 30 }),
      dueNs: fc.integer({ min: 0, max: 4000 * SECOND }),
      serviceNs: fc.integer({ min: 0, max: 9000 * SECOND }),
      status: fc.integer({ min: 100, max: 599 }),
    })
    const names = fc.array(fc.string({ minLength: 1, maxLength: 200 }), { minLength: 31, maxLength: 31 })
    const words = fc.string({ maxLength: 200 })
    fc.assert(
      fc.property(
        fc.array(shot, { maxLength: 40 }),
        names,
        words,
        fc.constantFrom(80, 104, 200),
        (shots, names, word, columns) => {
          const { measurement } = measure(shots.map((facts) => outcome(facts)))
          const facts = runFacts({ planned: { warnings: [word] }, runId: word.replaceAll(/\s/g, '') })
          const text = textOf(describeRun(facts, measurement, new RecordedStats(), names), columns)
          expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns)
        },
      ),
      { numRuns: 15 },
    )
  })
})
