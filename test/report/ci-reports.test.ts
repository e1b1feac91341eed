import { describe, expect, it } from 'vitest'
import type { GateResult } from '../../src/measure/gates/gate-result.ts'
import type { Run } from '../../src/report/run.ts'
import { reportText } from '../../src/report/write-reports.ts'
import { shopRun } from './runs.ts'

function gate(changes: Partial<GateResult>): GateResult {
  const what = 'p99 is 9.2ms, below 250ms'
  const base = { gate: 'p99 < 250ms', severity: 'fail', outcome: 'passed', unit: 'ns', samples: 40_000, what } as const
  return { ...base, actual: 9.2e6, limit: 250e6, ...changes }
}

function runWith(gates: readonly GateResult[], changes: Partial<Run> = {}): Run {
  return { ...shopRun(), gates, ...changes }
}

const GATES = [
  gate({}),
  gate({
    gate: 'error_rate < 0.01%',
    outcome: 'failed',
    unit: 'ratio',
    actual: 0.0002,
    limit: 0.0001,
    what: 'too many',
  }),
  gate({ gate: 'p99{route="GET /x"} < 1ms', outcome: 'no_data', actual: null, samples: 0, what: 'no such route' }),
  gate({ gate: 'warn: p50 < 1ms', severity: 'warn', outcome: 'failed', what: 'p50 is 7ms' }),
]

describe('the JUnit report', () => {
  it('has a case for the measurement and one for each gate; a warning passes', () => {
    const xml = reportText(runWith(GATES), 'junit')
    expect(xml).toContain(
      '<testsuite name="mesh replay &gt; http://127.0.0.1:8080" tests="5" failures="1" errors="1" time="10.000"',
    )
    expect(xml.match(/<testcase /g)?.length).toBe(5)
    expect(xml).toContain('<failure message="too many" type="failure">')
    expect(xml).toContain('<error message="no such route" type="error">')
    expect(xml).toContain('name="p99{route=&quot;GET /x&quot;} &lt; 1ms"')
    expect(xml).toContain('<system-out>p50 is 7ms</system-out>')
  })

  it('calls a measurement that is not valid an error, and one that was interrupted', () => {
    const reasons = [{ code: 'lag', verdict: 'INVALID', what: 'we sent late', remedy: 'go slower' }] as const
    const invalid = reportText(runWith([], { verdict: { name: 'INVALID', reasons } }), 'junit')
    expect(invalid).toMatch(
      /errors="1"[\s\S]*<error message="INVALID: our side disturbed[^"]*"[^>]*>we sent late; go slower</,
    )
    expect(reportText(runWith([], { interrupted: true }), 'junit')).toContain('stopped before its end')
  })

  it('passes what --on-invalid warn excuses, and still says what it is', () => {
    const reasons = [{ code: 'lag', verdict: 'INVALID', what: 'we sent late', remedy: 'go slower' }] as const
    const { asked } = shopRun()
    const excused = { ...asked, options: { ...asked.options, onInvalid: 'warn' } }
    const xml = reportText(runWith([], { verdict: { name: 'INVALID', reasons }, asked: excused }), 'junit')
    expect(xml).toContain('failures="0" errors="0"')
    expect(xml).toMatch(/<system-out>INVALID: our side disturbed[^<]*\nwe sent late; go slower<\/system-out>/)
    expect(reportText(runWith([], { interrupted: true, asked: excused }), 'junit')).toContain('errors="1"')
  })
})

describe('the Markdown summary', () => {
  it('begins with the verdict, then gates, latency and routes', () => {
    const text = reportText(runWith(GATES), 'md')
    expect(text).toMatch(/^### VALID: mesh replay > http:\/\/127\.0\.0\.1:8080\n/)
    expect(text).toContain('| **FAILED** | error&#95;rate &#60; 0.01% | too many | 0.02 % | 0.01 % |')
    expect(text).toContain('| warning | warn: p50')
    expect(text).toContain('| response | ')
    expect(text).toContain('| GET /products/:id | 200 100% |')
  })

  it('cannot be broken by names out of recordings', () => {
    const run = runWith([])
    const evil = 'GET /a|b\n<img src=x onerror=alert(1)> `x` [y](javascript:z)'
    const text = reportText({ ...run, routes: run.routes.map((route) => ({ ...route, name: evil })) }, 'md')
    expect(text).not.toMatch(/<img|`x`|\]\(javascript/)
    expect(
      text
        .split('\n')
        .filter((line) => line.includes('onerror'))
        .every((line) => line.startsWith('| GET')),
    ).toBe(true)
  })
})
