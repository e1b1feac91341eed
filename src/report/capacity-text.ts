import { formatDurationNs, formatMany, formatRate } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import type { CapacityEnd, CapacityResult, CapacityStep } from '../measure/capacity/result.ts'
import { countCell, quantileCell, wrap } from './cells.ts'

/** `3.4x`: two figures behind the point are more than a search knows. */
export function multiplierText(multiplier: number): string {
  return `${Number(multiplier.toPrecision(multiplier >= 100 ? 4 : 3))}x`
}

const LIMIT_WORDS: Readonly<Record<CapacityEnd, string>> = {
  latency: 'limited by latency',
  errors: 'limited by errors',
  throughput: 'limited by what the target gets done',
  generator: 'limited by the generator, not by the target',
  bound: 'the most that was tried',
  unknown: 'beyond it nothing could be told',
}

/** `holds 3.4x (3.2-3.6x) of the recorded 60.1/s: limited by latency`. */
export function capacityHeadline(capacity: CapacityResult): string {
  const { multiplier, low, high, basePerSecond, limitedBy } = capacity
  const base = `of the recorded ${formatRate(basePerSecond)}`
  if (multiplier === null || low === null) {
    if (limitedBy === 'generator') return `nothing was found: ${LIMIT_WORDS.generator}`
    return high === null ? `nothing was found: ${capacity.why}` : `does not hold ${multiplierText(high)} ${base}`
  }
  if (high === null) return `holds at least ${multiplierText(low)} ${base}: ${LIMIT_WORDS[limitedBy]}`
  const range = `${multiplierText(low).slice(0, -1)}-${multiplierText(high)}`
  return `holds ${multiplierText(multiplier)} (${range}) ${base}: ${LIMIT_WORDS[limitedBy]}`
}

/** What else is to be said of the result, a sentence each. */
export function capacityNotes({
  multiplier,
  low,
  high,
  basePerSecond,
  why,
  check,
  knee,
  limitedBy,
}: CapacityResult): readonly string[] {
  const notes: string[] = []
  if (multiplier !== null && low !== null) {
    const rate = (value: number): string => formatRate(value * basePerSecond)
    const range = high === null ? '' : ` (${rate(low)} to ${rate(high)})`
    notes.push(`that is ${rate(multiplier)}${range}; 1x is the recorded rate of the part that steps replay`)
  }
  if (limitedBy !== 'bound') notes.push(`${high === null ? '' : `at ${multiplierText(high)} `}${why}`)
  if (check !== null) notes.push(CHECK_WORDS[check])
  if (knee !== null) notes.push(`p99 begins to rise faster than the load at ${multiplierText(knee)}`)
  return notes
}

const CHECK_WORDS: Readonly<Record<CapacityStep['outcome'], string>> = {
  held: 'checked: 0.9 of it held for twice as long',
  failed: 'NOT CONFIRMED: 0.9 of it did not hold for twice as long',
  undecided: 'not confirmed: whether 0.9 of it holds for longer could not be told',
  starved: 'not confirmed: our own side disturbed the check at 0.9 of it',
}

export const STEP_HEADS = ['rate', 'requests', 'p50', 'p99', 'errors', 'sent', ''] as const

/** A row a step: its multiplier, then cells as in `STEP_HEADS`. */
export function stepCells(step: CapacityStep): readonly [name: string, ...cells: string[]] {
  return [
    `${multiplierText(step.multiplier)}${step.isCheck ? ' (check)' : ''}`,
    formatRate(step.perSecond),
    countCell(step.offered),
    quantileCell(step.responseTime, 'p50Ns'),
    quantileCell(step.responseTime, 'p99Ns'),
    countCell(step.errors),
    step.tries === 1 ? 'once' : `${step.tries} times`,
    step.outcome,
  ]
}

/** A step as it went by. */
export function stepLine(step: CapacityStep): string {
  const { multiplier, perSecond, outcome, isCheck, what } = step
  const name = `${isCheck ? 'check' : 'step'} ${multiplierText(multiplier)}, ${formatRate(perSecond)}`
  return `${name}: ${outcome}${outcome === 'held' ? '' : `, ${visible(what)}`}`
}

const NAME_COLUMNS = 16
const CELL_COLUMNS = [9, 10, 9, 9, 8, 9] as const

/** The result, and a line a step; no line is wider than `columns`. */
export function capacityLines(capacity: CapacityResult, columns: number): string[] {
  const line = ([name, ...cells]: readonly string[]): string =>
    (name ?? '').padEnd(NAME_COLUMNS) +
    cells
      .map((cell, index) => (index < CELL_COLUMNS.length ? cell.padStart(CELL_COLUMNS[index] ?? 9) : `  ${cell}`))
      .join('')
  const hanging = (label: string, text: string): string[] =>
    wrap(visible(text), columns - 12).map((part, index) => (index === 0 ? label : '').padEnd(12) + part)
  return [
    ...hanging('capacity', capacityHeadline(capacity)),
    ...capacityNotes(capacity).flatMap((note) => hanging('', note)),
    '',
    line(['step', ...STEP_HEADS]),
    ...capacity.steps.map((step) => line(stepCells(step))),
    `Each of ${formatDurationNs(capacity.stepNs)} or more; ${formatMany(capacity.steps.length, 'step')}.`,
  ]
}
