import { visible } from '../core/visible.ts'
import type { GateResult } from '../measure/gates/gate-result.ts'
import { countCell, middleCut, wrap } from './cells.ts'
import { gateCell, gateOutcome } from './gate-words.ts'

const VALUE_COLUMNS = 10
const SAMPLES_COLUMNS = 10
const OUTCOME_COLUMNS = 9
/** Two values, samples, and the outcome after a gap of two. */
const FIGURES_COLUMNS = 2 * VALUE_COLUMNS + SAMPLES_COLUMNS + 2 + OUTCOME_COLUMNS

/** What became of each gate: a line each, and why where it has not passed. Empty where there are none. */
export function gateTable(gates: readonly GateResult[], columns: number): string[] {
  if (gates.length === 0) return []
  const nameColumns = columns - FIGURES_COLUMNS
  const line = (name: string, actual: string, limit: string, samples: string, outcome: string): string =>
    name.padEnd(nameColumns) +
    actual.padStart(VALUE_COLUMNS) +
    limit.padStart(VALUE_COLUMNS) +
    samples.padStart(SAMPLES_COLUMNS) +
    `  ${outcome}`
  const lines = [line('gate', 'actual', 'limit', 'samples', '')]
  for (const result of gates) {
    const [actual, limit] = [gateCell(result.actual, result), gateCell(result.limit, result)]
    const name = middleCut(visible(result.gate), nameColumns - 1)
    lines.push(line(name, actual, limit, countCell(result.samples), gateOutcome(result)))
    if (result.outcome !== 'passed') lines.push(...wrap(visible(result.what), columns - 2).map((text) => `  ${text}`))
  }
  return lines
}
