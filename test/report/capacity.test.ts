import { describe, expect, it } from 'vitest'
import type { CapacityResult, CapacityStep } from '../../src/measure/capacity/result.ts'
import { kneeOfSteps } from '../../src/measure/capacity/result.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { capacityHeadline } from '../../src/report/capacity-text.ts'
import { describeRun } from '../../src/report/describe-run.ts'
import { htmlReporter } from '../../src/report/html.ts'
import { REPORTERS } from '../../src/report/index.ts'
import { parseRun } from '../../src/report/read-run.ts'
import type { Run } from '../../src/report/run.ts'
import { RunSeries } from '../../src/report/series.ts'
import { MS, outcome } from '../measure/outcomes.ts'
import { measure, runFacts } from './runs.ts'

function step(multiplier: number, p99Ms: number, changes: Partial<CapacityStep> = {}): CapacityStep {
  return {
    multiplier,
    sustained: multiplier,
    perSecond: 60 * multiplier,
    outcome: p99Ms < 250 ? 'held' : 'failed',
    tries: 1,
    isCheck: false,
    what: `p99 is ${p99Ms}ms, and has to be < 250ms`,
    offered: 900 * multiplier,
    errors: 0,
    responseTime: {
      count: 900,
      meanNs: 5 * MS,
      minNs: MS,
      p50Ns: 5 * MS,
      p90Ns: 8 * MS,
      p99Ns: p99Ms * MS,
      p999Ns: null,
      maxNs: 2 * p99Ms * MS,
    },
    ...changes,
  }
}

const STEPS = [step(1, 10), step(2, 12), step(4, 900), step(2.83, 20), step(3.36, 60), step(3.67, 400)]

const FOUND: CapacityResult = {
  gates: ['p99 < 250ms'],
  basePerSecond: 60,
  stepNs: 15e9,
  multiplier: 3.51,
  low: 3.36,
  high: 3.67,
  limitedBy: 'latency',
  why: 'p99 is 400ms, and has to be < 250ms',
  check: 'held',
  knee: 3.36,
  steps: [...STEPS, step(3.16, 40, { isCheck: true, tries: 2 })],
}

function runOf(capacity: CapacityResult): Run {
  const { measurement } = measure(Array.from({ length: 100 }, (_, index) => outcome({ dueNs: index * 10 * MS })))
  return describeRun(runFacts({ findings: { capacity } }), measurement, new RecordedStats(), ['GET /cart'])
}

function written(run: Run, format: 'text' | 'md' | 'junit'): string {
  let text = ''
  REPORTERS[format].write(run, { write: (part) => (text += part) }, { columns: 80, colour: false })
  return text
}

const HEADLINES: readonly (readonly [changes: Partial<CapacityResult>, headline: string])[] = [
  [{}, 'holds 3.51x (3.36-3.67x) of the recorded 60.0/s: limited by latency'],
  [
    { high: null, multiplier: 3.36, limitedBy: 'generator' },
    'holds at least 3.36x of the recorded 60.0/s: limited by the generator, not by the target',
  ],
  [
    { high: null, multiplier: 64, low: 64, limitedBy: 'bound' },
    'holds at least 64x of the recorded 60.0/s: the most that was tried',
  ],
  [{ multiplier: null, low: null, high: 0.0625 }, 'does not hold 0.0625x of the recorded 60.0/s'],
  [
    { multiplier: null, low: null, high: null, limitedBy: 'generator' },
    'nothing was found: limited by the generator, not by the target',
  ],
  [
    { multiplier: null, low: null, high: null, limitedBy: 'unknown', why: 'p99 rests on 3 samples' },
    'nothing was found: p99 rests on 3 samples',
  ],
]

describe('the capacity that a search found', () => {
  it.each(HEADLINES)('of %j is told as "%s"', (changes, headline) => {
    expect(capacityHeadline({ ...FOUND, ...changes })).toBe(headline)
  })

  it('comes back from run.json as it was', () => {
    expect(parseRun(JSON.stringify(runOf(FOUND)), 'run.json').capacity).toEqual(FOUND)
    const nothing = { ...FOUND, multiplier: null, low: null, high: null, check: null, knee: null }
    expect(parseRun(JSON.stringify(runOf(nothing)), 'run.json').capacity).toEqual(nothing)
  })

  it('has its steps in every report, within 80 columns', () => {
    const text = written(runOf(FOUND), 'text')
    expect(text).toMatch(/^capacity {4}holds 3\.51x/m)
    expect(text).toMatch(/^3\.16x \(check\) +190\/s .* 2 times {2}held$/m)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(written(runOf(FOUND), 'md')).toContain('| 3.67x | 220/s |')
    expect(written(runOf(FOUND), 'junit')).toContain(
      '<testcase classname="mesh" name="capacity: p99 &lt; 250ms"><system-out>',
    )
    const nothing = { ...FOUND, multiplier: null, low: null }
    expect(written(runOf(nothing), 'junit')).toContain('<failure message="does not hold 3.67x')
  })

  it('is drawn by presentation attributes alone, a dot a step and the band of the result', () => {
    let page = ''
    htmlReporter.write(
      runOf(FOUND),
      { write: (part) => (page += part) },
      { columns: 80, colour: false },
      new RunSeries(),
    )
    const svg = /<svg[^>]*><title>Response time over offered load<\/title>.*?<\/svg>/s.exec(page)?.[0] ?? ''
    expect(svg.match(/<circle /g)).toHaveLength(2 * FOUND.steps.length)
    expect(svg).toContain('fill-opacity="0.2"')
    expect(page).not.toContain('style=')
    expect(page).not.toContain('<script')
  })

  it('has its knee where p99 begins to outgrow the load', () => {
    expect(kneeOfSteps(STEPS)).toBe(3.36)
    expect(kneeOfSteps(STEPS.slice(0, 4))).toBeNull()
  })
})
