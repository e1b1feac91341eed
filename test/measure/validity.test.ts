import { describe, expect, it } from 'vitest'
import type { ShotError } from '../../src/core/outcome.ts'
import {
  anotherLoadReason,
  judge,
  type ReasonCode,
  type RunEvidence,
  type VerdictName,
  withLoadOfAll,
} from '../../src/measure/validity.ts'
import { histogramOf } from './histograms.ts'
import { MS } from './outcomes.ts'

const pace = {
  firstSecond: 0,
  seconds: 10,
  due: 10_000,
  sent: 10_000,
  sentInWindow: 10_000,
  peakDuePerSecond: 1000,
  peakSentPerSecond: 1000,
}

/** 10,000 shots in 10 s, service time 5 ms, nothing wrong. */
function evidence(facts: Partial<RunEvidence> = {}): RunEvidence {
  return {
    loop: 'open',
    pace,
    replies: 10_000,
    errors: new Map(),
    responseTime: constant(5 * MS),
    serviceTime: constant(5 * MS),
    blocked: constant(0),
    lag: constant(0.02 * MS),
    ...facts,
  }
}

function constant(ns: number): ReturnType<typeof histogramOf> {
  return histogramOf(Array.from({ length: 1000 }, () => ns))
}

/** Lag of which the last `late` shots have 50 ms, the others none. */
function lateness(shots: number, late: number): ReturnType<typeof histogramOf> {
  return histogramOf(Array.from({ length: shots }, (_, index) => (index < shots - late ? 0 : 50 * MS)))
}

function errors(error: ShotError, count: number): ReadonlyMap<ShotError, number> {
  return new Map([[error, count]])
}

function thread(facts: { cpuShare?: number; waitShare?: number; loopDelayP99Ns?: number }): RunEvidence {
  const health = { cpuShare: undefined, waitShare: undefined, loopDelayP99Ns: undefined, ...facts }
  return evidence({ health: { threads: [{ name: 'sender 0', ...health }], stealShare: 0 } })
}

const masked = { errors: errors('correlation_lost', 1_000), masked: { logins: 40, strangerShare: 0 } }
const strangers = { refused: 1_000, masked: { logins: 0, strangerShare: 0.1 } }

type Row = readonly [why: string, evidence: RunEvidence, verdict: VerdictName, codes: readonly ReasonCode[]]

const rows: readonly Row[] = [
  ['nothing is wrong', evidence(), 'VALID', []],
  [
    'lag p99 is beyond 2 ms, and 10 % of a service time of 5 ms is less',
    evidence({ lag: constant(3 * MS) }),
    'INVALID',
    ['lag'],
  ],
  [
    'lag of 3 ms is lost in a service time of 50 ms',
    evidence({ lag: constant(3 * MS), serviceTime: constant(50 * MS) }),
    'VALID',
    [],
  ],
  [
    'lag of 2.07 ms is lost in a response time p99 of 1.23 s',
    evidence({ lag: constant(2.07 * MS), responseTime: constant(1230 * MS) }),
    'VALID',
    [],
  ],
  [
    'lag of 30 ms is more than 2 % of that',
    evidence({ lag: constant(30 * MS), responseTime: constant(1230 * MS) }),
    'INVALID',
    ['lag'],
  ],
  ['one shot of 32 was late', evidence({ lag: lateness(32, 1) }), 'VALID', []],
  ['most of 32 were late', evidence({ lag: lateness(32, 20) }), 'INVALID', ['lag']],
  ['five of 500 were late', evidence({ lag: lateness(500, 5) }), 'VALID', []],
  ['sixty of 500 were late', evidence({ lag: lateness(500, 60) }), 'INVALID', ['lag']],
  ['twenty of 1,000 were late', evidence({ lag: lateness(1000, 20) }), 'INVALID', ['lag']],
  [
    'one shot is out of ports: what else was held back by us?',
    evidence({ errors: errors('no_ports', 1) }),
    'INVALID',
    ['no_ports'],
  ],
  ['descriptors are ours too', evidence({ errors: errors('no_descriptors', 5) }), 'INVALID', ['no_descriptors']],
  [
    'requests that had to be left out for want of a login are named, whoever is to blame',
    evidence({ errors: errors('correlation_lost', 1_000) }),
    'VALID',
    ['unissued'],
  ],
  [
    'where logins were masked, that is named instead, and what little was sent tells nothing of saturation',
    evidence({ ...masked, refused: 500, blocked: constant(99 * MS) }),
    'VALID',
    ['masked', 'blocked'],
  ],
  ['masked credentials of sessions from before are as good a reason', evidence(strangers), 'VALID', ['masked']],
  ['a few of those are none', evidence({ ...strangers, masked: { logins: 0, strangerShare: 0.09 } }), 'VALID', []],
  ['masked logins that work are none', evidence({ masked: masked.masked }), 'VALID', []],
  [
    'a target that fails by itself is not excused by what was masked',
    evidence({ ...masked, refused: 10, overloaded: 11, blocked: constant(99 * MS) }),
    'SATURATED',
    ['blocked', 'unissued'],
  ],
  ['a few of them change no load', evidence({ errors: errors('correlation_lost', 900) }), 'VALID', []],
  ['timeouts are what the target does', evidence({ errors: errors('timeout', 500) }), 'VALID', []],
  ['refused connections as well', evidence({ errors: errors('refused', 9_000), replies: 1_000 }), 'VALID', []],
  [
    'without a reply there is no latency',
    evidence({ errors: errors('refused', 10_000), replies: 0 }),
    'INVALID',
    ['no_replies'],
  ],
  [
    'without a shot there is nothing',
    evidence({ pace: { ...pace, due: 0, sent: 0, sentInWindow: 0 }, replies: 0 }),
    'INVALID',
    ['nothing_sent'],
  ],
  [
    '5 % missed the window, and all of the waiting was lag',
    evidence({ pace: { ...pace, sentInWindow: 9_500 }, lag: constant(1.9 * MS) }),
    'INVALID',
    ['behind'],
  ],
  [
    '5 % missed the window, and all of the waiting was for the target',
    evidence({ pace: { ...pace, sentInWindow: 9_500 }, blocked: constant(900 * MS) }),
    'SATURATED',
    ['blocked', 'slow'],
  ],
  [
    '1 % at the edge of the window is noise',
    evidence({ pace: { ...pace, sentInWindow: 9_900 }, lag: constant(1.9 * MS) }),
    'VALID',
    [],
  ],
  ['blocked p99 beyond 10 ms and the service time', evidence({ blocked: constant(11 * MS) }), 'SATURATED', ['blocked']],
  [
    'requests waited no longer than our own lag lasted, which a short run has too few shots to be judged by',
    evidence({ lag: lateness(600, 12), blocked: lateness(600, 12) }),
    'VALID',
    ['blocked'],
  ],
  [
    'requests waited longer than our own lag lasted',
    evidence({ lag: lateness(600, 12), blocked: constant(60 * MS) }),
    'SATURATED',
    ['blocked'],
  ],
  ['two requests were recorded close together', evidence({ blocked: constant(9 * MS) }), 'VALID', []],
  [
    'a wait below one service time',
    evidence({ blocked: constant(30 * MS), serviceTime: constant(50 * MS) }),
    'VALID',
    [],
  ],
  ['shed because too many were in flight', evidence({ errors: errors('shed', 3) }), 'SATURATED', ['shed']],
  [
    'shed shots did not miss the window by lag',
    evidence({ errors: errors('shed', 5_000), pace: { ...pace, sent: 5_000, sentInWindow: 5_000 } }),
    'SATURATED',
    ['shed'],
  ],
  [
    'our own fault outweighs the result of the target',
    evidence({ errors: errors('shed', 3), lag: constant(3 * MS) }),
    'INVALID',
    ['lag', 'shed'],
  ],
  ['a sender that paces precisely spins', thread({ cpuShare: 1, waitShare: 0.1 }), 'VALID', []],
  ['a sender that waits half of its time reads replies late', thread({ waitShare: 0.5 }), 'INVALID', ['cpu_wait']],
  ['a loop that comes round late does too', thread({ loopDelayP99Ns: 40 * MS }), 'INVALID', ['loop_delay']],
  ['the hypervisor took a fifth', evidence({ health: { threads: [], stealShare: 0.2 } }), 'INVALID', ['cpu_steal']],
  ['the system does not tell', evidence({ health: { threads: [], stealShare: undefined } }), 'VALID', []],
  [
    'a gate on p99 with 9,999 samples fails closed',
    evidence({ gates: [{ gate: 'p99 < 250ms', quantile: 0.99, samples: 9_999 }] }),
    'INVALID',
    ['few_samples'],
  ],
  [
    '10,000 samples carry it',
    evidence({ gates: [{ gate: 'p99 < 250ms', quantile: 0.99, samples: 10_000 }] }),
    'VALID',
    [],
  ],
  ['a short run without gates says what it can', evidence({ replies: 3 }), 'VALID', []],
  [
    'a closed loop has no due times',
    evidence({ loop: 'closed', lag: constant(9 * MS), blocked: constant(99 * MS) }),
    'VALID',
    ['closed_loop'],
  ],
  [
    'a closed loop still needs ports',
    evidence({ loop: 'closed', errors: errors('no_ports', 1) }),
    'INVALID',
    ['no_ports', 'closed_loop'],
  ],
  ['a target that lets nobody in is measured at refusing', evidence({ refused: 9_950 }), 'VALID', ['refused']],
  ['one that refuses some is not', evidence({ refused: 9_000 }), 'VALID', []],
  ['an interrupted run says so', evidence({ interrupted: true }), 'VALID', ['interrupted']],
]

describe('judge', () => {
  it.each(rows)('%s', (_why, evidence, verdict, codes) => {
    const found = judge(evidence)
    expect(found.name).toBe(verdict)
    expect(found.reasons.map((reason) => reason.code)).toEqual(codes)
  })

  it('names a remedy for whatever makes a run INVALID or SATURATED', () => {
    const verdicts = rows.map(([, evidence]) => judge(evidence)).filter(({ name }) => name !== 'VALID')
    const lacking = verdicts.filter(({ reasons }) => reasons.every(({ remedy }) => remedy === ''))
    // A late loop where no CPU is known to be free: whoever has none to give is not told to use more.
    expect(lacking.flatMap(({ reasons }) => reasons.map(({ code }) => code))).toEqual(['loop_delay'])
  })

  it.each([
    [5_000, 'p99'],
    [1_000, 'p99'],
    [999, 'p90'],
    [99, 'p50'],
  ] as const)('judges the lag of %d shots by its %s, and says so', (shots, quantile) => {
    const [reason] = judge(evidence({ lag: lateness(shots, shots) })).reasons
    expect(reason?.what).toContain(`lag ${quantile} is 50.0ms, more than 2.00ms`)
  })

  it('gives one remedy only where a thread was starved of CPU: the lag and the late loop follow from that', () => {
    const starved = thread({ waitShare: 0.5, loopDelayP99Ns: 40 * MS, cpuShare: 0.2 })
    const found = judge({ ...starved, cpus: 16, lag: constant(8 * MS), pace: { ...pace, sentInWindow: 9_000 } })
    const remedied = found.reasons.filter(({ remedy }) => remedy !== '').map(({ code }) => code)
    expect(found.reasons.map(({ code }) => code)).toEqual(['lag', 'behind', 'cpu_wait', 'loop_delay'])
    expect(remedied).toEqual(['cpu_wait'])
  })

  it.each([
    [undefined, ''],
    [2, ''],
    [8, 'spread the load over more --workers'],
  ])('recommends more workers against a late loop only where a CPU is free (of %s)', (cpus, remedy) => {
    const late = { ...thread({ cpuShare: 0.9, loopDelayP99Ns: 40 * MS }), ...(cpus === undefined ? {} : { cpus }) }
    expect(judge(late).reasons.map((reason) => reason.remedy)).toEqual([remedy])
  })

  it('recommends precise pacing against lag only where it was not on', () => {
    const lagging = evidence({ lag: constant(8 * MS) })
    expect(judge(lagging).reasons[0]?.remedy).not.toContain('--pacing')
    expect(judge({ ...lagging, pacing: 'eco' }).reasons[0]?.remedy).toContain('--pacing precise')
  })

  it('says first that nothing answered where nothing did, and gives no remedy for lag then', () => {
    const down = evidence({ errors: errors('refused', 10_000), replies: 0, lag: constant(8 * MS) })
    const { name, reasons } = judge(down)
    expect(name).toBe('INVALID')
    expect(reasons[0]?.what).toBe(
      'nothing answered: none of 10,000 requests got a reply, so there was nothing to judge',
    )
    expect(reasons.map(({ code, remedy }) => [code, remedy !== ''])).toEqual([
      ['no_replies', true],
      ['lag', false],
    ])
  })

  it('says first what we lacked where that is why nothing answered', () => {
    const out = evidence({ errors: errors('no_ports', 10_000), replies: 0 })
    expect(judge(out).reasons.map(({ code }) => code)).toEqual(['no_ports', 'no_replies'])
  })

  it('says what starved the sender where it lagged', () => {
    const starved = { ...thread({ waitShare: 0.2 }), lag: constant(8 * MS) }
    const [reason] = judge(starved).reasons
    expect(reason?.what).toBe(
      'we sent late: lag p99 is 8.00ms, more than 2.00ms (sender 0 waited for a CPU 20 % of the time)',
    )
  })

  it('says that a busy closed loop may be our ceiling', () => {
    const busy = { ...thread({ cpuShare: 0.98 }), loop: 'closed' as const }
    expect(judge(busy)).toMatchObject({ name: 'VALID', reasons: [{ what: expect.stringContaining('its ceiling') }] })
  })

  it('says of parts of a run what the load of all of them was, before mere notes, and not what the load of one was', () => {
    const part = judge(evidence({ ...masked, refused: 500, lag: constant(8 * MS), blocked: constant(99 * MS) }))
    expect(part.reasons.map(({ code }) => code)).toEqual(['lag', 'masked', 'blocked'])
    const refused = anotherLoadReason(judge(evidence({ refused: 10_000 })))
    expect(withLoadOfAll(part, refused)).toEqual({
      name: 'INVALID',
      reasons: [part.reasons[0], refused, part.reasons[2]],
    })
    expect(withLoadOfAll(part, undefined).reasons.map(({ code }) => code)).toEqual(['lag', 'blocked'])
    expect(withLoadOfAll({ name: 'VALID', reasons: [] }, refused).reasons).toEqual([refused])
  })
})
