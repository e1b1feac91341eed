import { visible } from '../core/visible.ts'
import type { GateResult } from '../measure/gates/gate-result.ts'
import { capacityHeadline, capacityNotes } from './capacity-text.ts'
import { findingCells, findingText } from './comparison-text.ts'
import { isExcused } from './excused.ts'
import { verdictText } from './fact-rows.ts'
import { failsRun } from './gate-words.ts'
import { type Content, element, type Markup } from './markup.ts'
import type { Reporter } from './reporter.ts'
import type { Run } from './run.ts'

/**
 * JUnit's XML, as CI systems read it: one suite, a case for the measurement itself and one for each gate. A measurement that is not
 * valid, and a gate without data, are errors; a gate that does not hold is a failure. What only warns (a gate, a measurement that
 * `--on-invalid warn` excuses) passes, with what it says as output.
 */
export const junitReporter: Reporter = {
  write(run, out) {
    const cases = [
      measurementCase(run),
      ...capacityCases(run),
      ...comparisonCases(run),
      ...run.gates.map((gate) => gateCase(gate)),
    ]
    const errors = cases.filter(({ kind }) => kind === 'error').length
    const failures = cases.filter(({ kind }) => kind === 'failure').length
    const seconds = (run.achieved.windowNs / 1e9).toFixed(3)
    const counts = { tests: cases.length, failures, errors, time: seconds }
    const suite = element(
      'testsuite',
      {
        name: `mesh replay > ${visible(run.asked.target)}`,
        ...counts,
        timestamp: run.startedAt.replace(/\.\d+Z$/, ''),
      },
      cases.map(({ markup }) => markup),
    )
    out.write(`<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', counts, suite).text}\n`)
  },
}

interface Case {
  readonly kind: 'passed' | 'failure' | 'error'
  readonly markup: Markup
}

function testCase(name: string, kind: Case['kind'], what: string, details: string): Case {
  const body: Content =
    kind === 'passed'
      ? details === ''
        ? undefined
        : element('system-out', {}, details)
      : element(kind, { message: what, type: kind }, details)
  return { kind, markup: element('testcase', { classname: 'mesh', name }, body) }
}

function measurementCase(run: Run): Case {
  const { verdict, interrupted } = run
  const details = verdict.reasons
    .map(({ what, remedy }) => visible(remedy === '' ? what : `${what}; ${remedy}`))
    .join('\n')
  const isWhole = verdict.name !== 'INVALID' && !interrupted
  const what = `${verdict.name}: ${interrupted ? 'the run was stopped before its end' : verdictText(verdict)}`
  const name = 'the measurement is valid'
  if (isExcused(run) && !interrupted) return testCase(name, 'passed', what, `${what}\n${details}`)
  return testCase(name, isWhole ? 'passed' : 'error', what, details)
}

/** A search passes where it found what the target holds. */
function capacityCases({ capacity }: Run): readonly Case[] {
  if (capacity === undefined) return []
  const name = `capacity: ${capacity.gates.join(', ')}`
  const headline = capacityHeadline(capacity)
  const details = [headline, ...capacityNotes(capacity)].join('\n')
  const isNothing = capacity.low === null && capacity.high === null
  const kind = isNothing ? 'error' : capacity.low === null || capacity.check === 'failed' ? 'failure' : 'passed'
  return [testCase(visible(name), kind, visible(headline), visible(details))]
}

/** A case a route and metric; what could not be judged is no case. */
function comparisonCases({ comparison }: Run): readonly Case[] {
  return (comparison?.findings ?? []).flatMap((finding) => {
    if (finding.answer === 'too_few') return []
    const [route, metric = ''] = findingCells(finding)
    const what = visible(findingText(finding))
    const name = visible(`${metric} of ${route} against ${comparison?.with ?? ''}`)
    return [testCase(name, finding.answer === 'worse' ? 'failure' : 'passed', what, what)]
  })
}

function gateCase(gate: GateResult): Case {
  const what = visible(gate.what)
  if (!failsRun(gate)) return testCase(visible(gate.gate), 'passed', what, what)
  return testCase(visible(gate.gate), gate.outcome === 'no_data' ? 'error' : 'failure', what, what)
}
