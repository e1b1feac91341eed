import { describe, expect, it } from 'vitest'
import { IntervalRecorder } from '../../src/measure/interval.ts'
import { type IntervalRow, Measurement } from '../../src/measure/measurement.ts'
import { RecordedStats } from '../../src/measure/recorded.ts'
import { describeRun } from '../../src/report/describe-run.ts'
import { REPORTERS } from '../../src/report/index.ts'
import { parseRun } from '../../src/report/read-run.ts'
import type { Run, RunStage } from '../../src/report/run.ts'
import { RunSeries } from '../../src/report/series.ts'
import { StageTallies } from '../../src/report/stage-tallies.ts'
import { htmlReporter } from '../../src/report/html.ts'
import { MS, outcome } from '../measure/outcomes.ts'
import { measure, runFacts, SECOND } from './runs.ts'

function stage(fromS: number, from: number, to: number, shots: number, playedS = 4): RunStage {
  const playedNs = playedS * SECOND
  const name = from === to ? `4.00s:${from}x` : `${from}x..${to}x@4.00s`
  return {
    name,
    fromNs: fromS * SECOND,
    durationNs: 4 * SECOND,
    playedNs,
    from,
    to,
    shots,
    meanPerSecond: 0,
    peakPerSecond: 0,
  }
}

/** 1x, then 3x of which one in ten fails, then a stage that the recordings did not come to. */
const STAGES = [stage(0, 1, 1, 400), stage(4, 3, 3, 1200), stage(8, 3, 1, 0, 0)]

function stagedRun(warmupNs = 0): Run {
  const shots = Array.from({ length: 1600 }, (_, index) => {
    const dueNs = (index < 400 ? index * 10 : 4000 + ((index - 400) * 10) / 3) * MS
    const status = index >= 400 && index % 10 === 0 ? 503 : 200
    return outcome({ route: 0, dueNs, sentNs: dueNs, serviceNs: (index < 400 ? 2 : 8) * MS, status })
  })
  const stageTallies = new StageTallies(STAGES)
  const onRow = (row: IntervalRow): void => {
    if (row.kind === 'second') stageTallies.add(row)
  }
  const measurement = new Measurement({ workers: 1, onRow })
  const recorder = new IntervalRecorder({ worker: 0, routeCount: 1 })
  for (let second = 0; second < 9; second++) {
    for (const shot of shots) if (Math.floor(shot.doneNs / SECOND) === second) recorder.record(shot)
    const snapshot = recorder.take((second + 1) * SECOND)
    if (snapshot !== undefined) measurement.add(snapshot)
  }
  measurement.finish()
  const planned = { stages: { kind: 'multiplier' as const, basePerSecond: 100, list: STAGES } }
  return describeRun(runFacts({ planned, stageTallies, warmupNs }), measurement, new RecordedStats(), ['GET /'])
}

describe('a run in stages', () => {
  it('is told stage by stage, and adds up to the run', () => {
    const { stages = [], totals } = stagedRun()
    expect(stages.map(({ offered }) => offered)).toEqual([400, 1200, 0])
    expect(stages.map(({ errors }) => errors)).toEqual([0, 120, 0])
    expect(stages.reduce((sum, { replies }) => sum + replies, 0)).toBe(totals.replies)
    expect(stages[0]?.responseTime.p50Ns).toBeCloseTo(2 * MS, -5)
    expect(stages[1]?.responseTime.p50Ns).toBeCloseTo(8 * MS, -5)
    expect(stages[2]?.responseTime.p99Ns).toBeNull()
  })

  it('divides rates by the time without the warm-up', () => {
    expect(stagedRun(SECOND).stages?.map(({ windowNs }) => windowNs)).toEqual([3 * SECOND, 4 * SECOND, 0])
  })

  it('has a line for each in the text report', () => {
    let text = ''
    REPORTERS.text.write(stagedRun(), { write: (piece) => (text += piece) }, { columns: 80, colour: false })
    const lines = text.split('\n')
    const first = lines.findIndex((line) => line.startsWith('stage '))
    expect(lines.slice(first, first + 4).join('\n')).toMatchInlineSnapshot(`
      "stage                planned   offered      rate  sent      p50      p99  errors
      4.00s:1x                 400       400     100/s  100%   2.00ms  ~2.00ms       0
      4.00s:3x               1,200     1,200     300/s  100%   8.00ms  ~8.00ms     120
      3x..1x@4.00s               0         0         -     -        -        -       0"
    `)
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('comes back from its file as it was', () => {
    const run = stagedRun()
    expect(parseRun(JSON.stringify(run), 'run.json')).toEqual(run)
  })

  it('has the stages and the multiplier over time in the page', () => {
    const series = new RunSeries()
    for (const row of measure([outcome({ dueNs: 0 }), outcome({ dueNs: 9 * SECOND, sentNs: 9 * SECOND })]).rows) {
      if (row.kind !== 'second') continue
      const { responseTime, serviceTime } = row.tally.total()
      const rest = {
        sent: 1,
        replies: 1,
        statuses: {},
        errors: {},
        responseTime,
        serviceTime,
        lagP99Ns: null,
        routes: [],
      }
      series.add({ second: row.second, shots: 1, ...rest })
    }
    let page = ''
    htmlReporter.write(stagedRun(), { write: (text: string) => (page += text) }, { columns: 80, colour: false }, series)
    expect(page).toContain('<h3>Stages</h3>')
    expect(page).toContain('The multiplier over time')
    expect(page).toContain('3x..1x@4.00s')
  })
})
