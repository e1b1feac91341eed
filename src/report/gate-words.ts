import { formatGateValue, type GateResult } from '../measure/gates/gate-result.ts'

/** A value of a gate in a table; `-` where there is none. */
export function gateCell(value: number | null, { unit }: GateResult): string {
  return value === null ? '-' : formatGateValue(value, unit)
}

/** What became of a gate, in capitals where it fails the run. */
export function gateOutcome({ outcome, severity }: GateResult): string {
  if (outcome === 'failed') return severity === 'warn' ? 'warning' : 'FAILED'
  if (outcome === 'no_data') return 'NO DATA'
  return outcome === 'aborted' ? 'ABORTED' : 'passed'
}

/** The gate fails the run that it is of. */
export function failsRun({ outcome, severity }: GateResult): boolean {
  return outcome === 'aborted' || (severity === 'fail' && outcome !== 'passed')
}
