import { describe, expect, it } from 'vitest'
import { progressLine } from '../../../src/cli/replay/replay-progress.ts'
import type { RecentSecond } from '../../../src/measure/measurement.ts'

const NONE = { count: 0, meanNs: null, minNs: null, p50Ns: null, p90Ns: null, p99Ns: null, p999Ns: null, maxNs: null }

function second(index: number, replies: number): RecentSecond {
  const latency = { responseTime: NONE, serviceTime: NONE, lag: NONE, blocked: NONE }
  return { second: index, shots: replies, sent: replies, replies, failures: 0, ...latency, octaves: [] }
}

function lineAfter(recent: readonly RecentSecond[], elapsedNs: number): string {
  return progressLine({ recent }, new Map(), { durationNs: 10e9 }, elapsedNs, 3e9)
}

describe('the line that says how a replay goes', () => {
  it('shows no second of the warm-up as one in which nothing was answered', () => {
    expect(lineAfter([second(2, 0)], 3.9e9)).not.toContain('/s')
    expect(lineAfter([second(2, 0), second(3, 120)], 4.9e9)).toContain('120/s')
  })

  it('shows a second without a reply after the warm-up', () => {
    expect(lineAfter([second(3, 0)], 4.9e9)).toContain('0.00/s')
  })
})
