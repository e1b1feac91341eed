import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { judgeStep, type StepJudgement, stepSamplesFor } from '../../../src/measure/capacity/judge-step.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import { measure, SECOND } from '../../report/runs.ts'
import { MS, outcome } from '../outcomes.ts'

/** Ten seconds at so many a second; each takes what `serviceMs` says of its place. */
function step(perSecond: number, serviceMs: (index: number) => number, failing = 0): readonly Outcome[] {
  return Array.from({ length: perSecond * 10 }, (_, index) => {
    const dueNs = (index * SECOND) / perSecond
    return outcome({ dueNs, serviceNs: serviceMs(index) * MS, status: index < failing ? 503 : 200 })
  })
}

function judged(
  gates: readonly string[],
  outcomes: readonly Outcome[],
  more: { readonly backlogShare?: number; readonly broken?: string } = {},
): StepJudgement {
  const { measurement } = measure(outcomes)
  const { due, sentInWindow: sent } = measurement.pace()
  const span = {
    tally: measurement.total,
    total: measurement.total.total(),
    spanNs: 10 * SECOND,
    offered: { due, sent },
  }
  return judgeStep(
    gates.map((text) => parseGate(text, '--gate')),
    { span, backlogShare: more.backlogShare ?? 0, broken: more.broken, routeNames: ['GET /'] },
  )
}

describe('judgeStep', () => {
  it('holds where the bound of the quantile is below the limit, not only the quantile', () => {
    // 0.9 % take 300 ms: p99 is 5 ms, and so few samples cannot exclude that it is 300 ms.
    const seldom = (index: number): number => (index % 111 === 7 ? 300 : 5)
    expect(judged(['p99 < 250ms'], step(200, seldom))).toMatchObject({ outcome: 'undecided', limit: 'latency' })
    expect(
      judged(
        ['p99 < 250ms'],
        step(200, () => 5),
      ),
    ).toMatchObject({ outcome: 'held' })
  })

  it('fails where the bound is above it', () => {
    const slow = judged(
      ['p99 < 250ms'],
      step(200, (index) => (index % 20 === 0 ? 300 : 5)),
    )
    expect(slow).toMatchObject({ outcome: 'failed', limit: 'latency' })
    expect(slow.what).toContain('has to be < 250ms')
  })

  it('bounds the share of errors in the same way', () => {
    const gates = ['error_rate < 1%']
    expect(
      judged(
        gates,
        step(200, () => 5),
      ),
    ).toMatchObject({ outcome: 'held' })
    expect(
      judged(
        gates,
        step(200, () => 5, 15),
      ),
    ).toMatchObject({ outcome: 'undecided', limit: 'errors' })
    expect(
      judged(
        gates,
        step(200, () => 5, 60),
      ),
    ).toMatchObject({ outcome: 'failed', limit: 'errors' })
    expect(
      judged(
        gates,
        step(20, () => 5),
      ),
    ).toMatchObject({ outcome: 'undecided' })
  })

  it('cannot tell by fewer samples than ten beyond the quantile', () => {
    expect(
      judged(
        ['p99 < 250ms'],
        step(90, () => 5),
      ),
    ).toMatchObject({ outcome: 'undecided' })
  })

  it('fails where requests pile up, however short those are that were answered', () => {
    const piled = judged(
      ['p99 < 250ms'],
      step(200, () => 5),
      { backlogShare: 0.05 },
    )
    expect(piled).toMatchObject({ outcome: 'failed', limit: 'throughput' })
    expect(piled.what).toContain('5 % of what was due piled up')
  })

  it('fails where it had to be cut short, and where nothing was answered', () => {
    const broken = judged(
      ['p99 < 250ms'],
      step(200, () => 5),
      { broken: '80 % of the requests had no reply' },
    )
    expect(broken).toEqual({ outcome: 'failed', limit: 'errors', what: '80 % of the requests had no reply' })
    expect(judged(['p99 < 250ms'], [])).toMatchObject({ outcome: 'undecided' })
  })

  it('knows how many samples a gate needs to hold at all', () => {
    const needed = (text: string): number => stepSamplesFor(parseGate(text, '--gate'))
    expect(['p50 < 1s', 'p99 < 1s', 'p99.9 < 1s', 'error_rate < 1%', 'mean < 1s'].map(needed)).toEqual([
      20, 1000, 10_000, 537, 0,
    ])
    expect(judged(['error_rate < 1%'], step(200, () => 5).slice(0, 537))).toMatchObject({ outcome: 'held' })
    expect(judged(['error_rate < 1%'], step(200, () => 5).slice(0, 534))).toMatchObject({ outcome: 'undecided' })
  })
})
