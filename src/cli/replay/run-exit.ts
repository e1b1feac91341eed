import type { MeshError } from '../../core/errors.ts'
import { formatCount, formatMany } from '../../core/units.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import { comparisonHeadline, isJudged } from '../../report/comparison-text.ts'
import type { Run } from '../../report/run.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'

/** What a run's exit code is made from besides the run. */
export interface RunEnd {
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined
  /** It tripped: why. */
  readonly breaker: string | undefined
  /** The gate that stopped the run. */
  readonly abortedBy: Gate | undefined
  /** `--on-invalid`: does a measurement that our side disturbed fail the run? */
  readonly onInvalid: 'fail' | 'warn'
  /** What of its result could not be kept or judged, though it was measured. */
  readonly lost: MeshError | undefined
  /** `--exit-zero`: a run that ran to its end, or was stopped by us, ends with 0. */
  readonly exitZero: boolean
}

/** An exit code, and the line that says why; no line where there is nothing to say. */
export interface RunExit {
  readonly code: ExitCode
  readonly line: string | undefined
}

/**
 * What a run is worth to whoever called it: the most serious of what happened. A gate without data fails the run as an invalid measurement
 * does, and `--on-invalid warn` does not excuse it.
 */
export function exitOfRun(run: Run, end: RunEnd): RunExit {
  const { code, why } = verdictOf(run, end)
  if (why === undefined) return { code, line: undefined }
  const excused = end.exitZero && end.signal === undefined && end.lost === undefined && code !== EXIT.ok
  return excused
    ? { code: EXIT.ok, line: `exit 0 (${code} without --exit-zero): ${why}` }
    : { code, line: `exit ${code}: ${why}` }
}

function verdictOf(run: Run, end: RunEnd): { readonly code: ExitCode; readonly why: string | undefined } {
  const { gates, verdict } = run
  const many = gates.length
  if (end.signal !== undefined) {
    const code = end.signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
    return { code, why: `interrupted by ${end.signal}${many === 0 ? '' : '; gates were not judged'}` }
  }
  if (end.abortedBy !== undefined) return { code: EXIT.breaker, why: `stopped by the gate ${end.abortedBy.text}` }
  if (end.breaker !== undefined) return { code: EXIT.breaker, why: `stopped by the breaker: ${end.breaker}` }
  const strict = gates.filter(({ severity }) => severity === 'fail')
  const without = strict.filter(({ outcome }) => outcome === 'no_data')
  const failed = strict.filter(({ outcome }) => outcome === 'failed')
  if (without.length > 0) return { code: EXIT.notValid, why: `${ofGates(without.length, many)} no data` }
  if (verdict.name === 'INVALID' && end.onInvalid === 'fail') {
    const worst = verdict.reasons[0]?.what
    return { code: EXIT.notValid, why: `the measurement is not valid${worst === undefined ? '' : `: ${worst}`}` }
  }
  if (failed.length > 0) {
    return { code: EXIT.checkFailed, why: `${formatCount(failed.length)} of ${gatesText(many)} failed` }
  }
  const { findings = [] } = run.comparison ?? {}
  const worse = findings.filter(({ answer }) => answer === 'worse').length
  if (worse > 0 && run.comparison !== undefined) {
    return { code: EXIT.checkFailed, why: comparisonHeadline(run.comparison) }
  }
  if (end.lost !== undefined) return { code: EXIT.couldNotRun, why: lostText(end.lost) }
  const passed = gates.filter(({ outcome }) => outcome === 'passed').length
  const warned = passed === many ? '' : `, ${formatCount(many - passed)} warned`
  const why = [
    ...(many === 0 ? [] : [`${formatCount(passed)} of ${gatesText(many)} passed${warned}`]),
    ...(run.comparison === undefined || isJudged(run.comparison) ? [] : [comparisonHeadline(run.comparison)]),
  ]
  return { code: EXIT.ok, why: why.length === 0 ? undefined : why.join('; ') }
}

/** Why a run that was measured ends with 1. */
export function lostText({ message }: MeshError): string {
  return `it was measured, but not all of its result is there: ${message}`
}

function ofGates(some: number, many: number): string {
  return `${formatCount(some)} of ${gatesText(many)} ${some === 1 ? 'has' : 'have'}`
}

function gatesText(many: number): string {
  return formatMany(many, 'gate')
}
