import { describe, expect, it } from 'vitest'
import { MeshError } from '../../../src/core/errors.ts'
import { exitOfRun, type RunEnd } from '../../../src/cli/replay/run-exit.ts'
import type { Comparison } from '../../../src/measure/comparison/finding.ts'
import type { GateResult } from '../../../src/measure/gates/gate-result.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import type { Verdict } from '../../../src/measure/validity.ts'
import { shopRun } from '../../report/runs.ts'

const RUN = shopRun()
const END: RunEnd = {
  signal: undefined,
  breaker: undefined,
  abortedBy: undefined,
  lost: undefined,
  onInvalid: 'fail',
  exitZero: false,
}
const INVALID: Verdict = {
  name: 'INVALID',
  reasons: [{ code: 'lag', verdict: 'INVALID', what: 'we sent late', remedy: 'a CPU of its own' }],
}
const SATURATED: Verdict = { name: 'SATURATED', reasons: [] }

/** Gates with these outcomes; `warn` before one is a gate that only warns. */
function gates(...outcomes: readonly string[]): readonly GateResult[] {
  return outcomes.map((text) => {
    const [, warn, outcome] = /^(warn )?(passed|failed|no_data|aborted)$/.exec(text) ?? []
    return {
      gate: 'p50 < 1s',
      severity: warn === undefined ? 'fail' : 'warn',
      outcome: outcome as GateResult['outcome'],
      actual: 1,
      limit: 2,
      unit: 'ns',
      samples: 1,
      what: '',
    }
  })
}

type Row = readonly [
  run: { readonly gates?: readonly GateResult[]; readonly verdict?: Verdict; readonly comparison?: Comparison },
  end: Partial<RunEnd>,
  code: number,
  line: string | undefined,
]

/** Pairs enough, and in none of them enough replies. */
const UNJUDGED: Comparison = {
  with: 'baseline',
  name: 'http://stable',
  used: 12,
  needed: 8,
  blockNs: 15e9,
  skipped: [],
  findings: (['p50', 'p95'] as const).map((metric) => {
    const none = { before: null, now: null, change: null, low: null, high: null, pValue: null }
    return { route: null, metric, unit: 'ns', ...none, answer: 'too_few' }
  }),
}
const UNJUDGED_LINE =
  'not judged against the baseline: too few samples in every route, so nothing is known to be no worse'

const LOST = new MeshError('MESH_ERR_DISK_FULL', { what: 'no space left', where: 'run.json' })
const LOST_LINE = `exit 1: it was measured, but not all of its result is there: ${LOST.message}`

const ABORTING = parseGate('p99 > 1s for 10s => abort', '--gate')

const ROWS: readonly Row[] = [
  [{}, {}, 0, undefined],
  [{ verdict: SATURATED }, {}, 0, undefined],
  [{}, { lost: LOST }, 1, LOST_LINE],
  [{ comparison: UNJUDGED }, {}, 0, `exit 0: ${UNJUDGED_LINE}`],
  [{ comparison: UNJUDGED, gates: gates('passed') }, {}, 0, `exit 0: 1 of 1 gate passed; ${UNJUDGED_LINE}`],
  [{ gates: gates('passed') }, { lost: LOST, exitZero: true }, 1, LOST_LINE],
  [{ gates: gates('failed') }, { lost: LOST, exitZero: true }, 3, 'exit 3: 1 of 1 gate failed'],
  [{ verdict: SATURATED, gates: gates('failed') }, {}, 3, 'exit 3: 1 of 1 gate failed'],
  [{ gates: gates('passed', 'passed') }, {}, 0, 'exit 0: 2 of 2 gates passed'],
  [{ gates: gates('passed', 'warn failed', 'warn no_data') }, {}, 0, 'exit 0: 1 of 3 gates passed, 2 warned'],
  [{ gates: gates('passed', 'failed', 'warn failed', 'failed') }, {}, 3, 'exit 3: 2 of 4 gates failed'],
  [{ gates: gates('failed', 'no_data'), verdict: INVALID }, {}, 4, 'exit 4: 1 of 2 gates has no data'],
  [{ gates: gates('failed', 'no_data') }, { onInvalid: 'warn' }, 4, 'exit 4: 1 of 2 gates has no data'],
  [{ gates: gates('failed'), verdict: INVALID }, {}, 4, 'exit 4: the measurement is not valid: we sent late'],
  [{ verdict: INVALID }, {}, 4, 'exit 4: the measurement is not valid: we sent late'],
  [{ verdict: INVALID }, { onInvalid: 'warn' }, 0, undefined],
  [{ gates: gates('failed'), verdict: INVALID }, { onInvalid: 'warn' }, 3, 'exit 3: 1 of 1 gate failed'],
  [{ gates: gates('failed') }, { exitZero: true }, 0, 'exit 0 (3 without --exit-zero): 1 of 1 gate failed'],
  [{ gates: gates('passed') }, { exitZero: true }, 0, 'exit 0: 1 of 1 gate passed'],
  [
    { gates: gates('aborted', 'no_data'), verdict: INVALID },
    { abortedBy: ABORTING },
    5,
    'exit 5: stopped by the gate p99 > 1s for 10s => abort',
  ],
  [
    { gates: gates('no_data') },
    { breaker: 'all of the last 20 shots were errors' },
    5,
    'exit 5: stopped by the breaker: all of the last 20 shots were errors',
  ],
  [{}, { breaker: 'errors', exitZero: true }, 0, 'exit 0 (5 without --exit-zero): stopped by the breaker: errors'],
  [
    { gates: gates('no_data') },
    { signal: 'SIGINT', exitZero: true, abortedBy: ABORTING },
    130,
    'exit 130: interrupted by SIGINT; gates were not judged',
  ],
  [{}, { signal: 'SIGTERM' }, 143, 'exit 143: interrupted by SIGTERM'],
]

describe('the exit code of a run', () => {
  it.each(ROWS.map(([run, end, code, line]) => ({ run, end, code, line })))(
    'is $code: $line',
    ({ run, end, code, line }) => {
      expect(exitOfRun({ ...RUN, ...run }, { ...END, ...end })).toEqual({ code, line })
    },
  )
})
