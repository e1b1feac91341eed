import { formatCount, formatDurationNs } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { formatGateValue } from '../measure/gates/gate-result.ts'
import type { Comparison, Finding } from '../measure/comparison/finding.ts'
import { durationCell, middleCut, wrap } from './cells.ts'

/** Anything of it could be judged. */
export function isJudged({ findings }: Comparison): boolean {
  return findings.some(({ answer }) => answer !== 'too_few')
}

/** One sentence on what came of it. */
export function comparisonHeadline({ with: kind, findings, used, needed }: Comparison): string {
  const than = kind === 'baseline' ? 'the baseline' : 'earlier runs'
  const judged = findings.filter(({ answer }) => answer !== 'too_few')
  if (judged.length === 0) {
    const have = kind === 'baseline' ? 'pairs of blocks' : 'comparable earlier runs'
    return used < needed
      ? `not judged against ${than}: ${formatCount(used)} ${have}, and ${formatCount(needed)} are needed`
      : `not judged against ${than}: too few samples in every route, so nothing is known to be no worse`
  }
  const worse = judged.filter(({ answer }) => answer === 'worse')
  const [first] = worse
  if (first === undefined) return `no worse than ${than}, by ${formatCount(judged.length)} figures`
  const more = worse.length === 1 ? '' : ` (and ${formatCount(worse.length - 1)} more)`
  return `worse than ${than}: ${findingText(first)}${more}`
}

/** `p95 of GET /cart is 15.2 % more`. */
export function findingText(finding: Finding): string {
  const { metric, route, change } = finding
  const name = `${metric} of ${route ?? 'all routes'}`
  if (change === null) return `${name} could not be judged`
  const size = changeText(finding, Math.abs(change))
  const how = finding.answer === 'same' ? 'no significant change' : `${size} ${change > 0 ? 'more' : 'less'}`
  return `${name}: ${how}`
}

/** What else is to be said, a sentence each. */
export function comparisonNotes({ with: kind, name, used, blockNs, skipped }: Comparison): readonly string[] {
  const how =
    kind === 'baseline'
      ? `${formatCount(used)} pairs of blocks of ${formatDurationNs(blockNs ?? 0)}, the same requests at ${name} and at the target`
      : `${formatCount(used)} comparable runs in ${name}`
  const left = new Map<string, number>()
  for (const { why } of skipped) left.set(why, (left.get(why) ?? 0) + 1)
  const reasons = [...left].map(([why, count]) => `${formatCount(count)} left out: ${why}`)
  return [how, ...reasons]
}

export const FINDING_HEADS = ['', 'before', 'now', 'change', '95 % interval', ''] as const

/** A row: its route, then cells as in `FINDING_HEADS`. `~`: no significant change. */
export function findingCells(finding: Finding): readonly [route: string, ...cells: string[]] {
  const { route, metric, unit, before, now, change, low, high, answer } = finding
  const value = (amount: number | null): string =>
    amount === null ? '-' : unit === 'ns' ? durationCell(amount) : formatGateValue(Math.max(0, amount), 'ratio')
  const shown = answer === 'same' ? '~' : change === null ? '-' : signed(finding, change)
  const interval = low === null || high === null ? '' : `${signed(finding, low)} ${signed(finding, high)}`
  const word = answer === 'worse' || answer === 'better' ? answer : answer === 'too_few' ? 'too few' : ''
  return [route ?? 'all routes', metric, value(before), value(now), shown, interval, word]
}

function signed(finding: Finding, change: number): string {
  return `${change < 0 ? '-' : '+'}${changeText(finding, Math.abs(change))}`
}

/** A share changes by points of a hundred. */
function changeText({ unit }: Finding, size: number): string {
  const percent = size * 100
  return `${percent.toFixed(unit === 'ratio' ? 2 : 1)}${unit === 'ratio' ? ' pt' : '%'}`
}

const CELL_COLUMNS = [11, 8, 8, 10, 18] as const
const FIGURES_COLUMNS = CELL_COLUMNS.reduce((sum, columns) => sum + columns, 0) + 8

/** The result, and a line a route and metric; no line is wider than `columns`. */
export function comparisonLines(comparison: Comparison, columns: number): string[] {
  const nameColumns = columns - FIGURES_COLUMNS
  let last = ''
  const line = ([name = '', metric = '', ...cells]: readonly string[]): string => {
    const shown = name === last ? '' : name
    last = name
    const figures = cells.map((cell, index) => {
      const width = CELL_COLUMNS[index + 1]
      return width === undefined ? ` ${cell}` : cell.padStart(width)
    })
    return `${middleCut(visible(shown), nameColumns - 1).padEnd(nameColumns)}${metric.padEnd(CELL_COLUMNS[0])}${figures.join('')}`
  }
  const hanging = (label: string, text: string): string[] =>
    wrap(visible(text), columns - 12).map((part, index) => (index === 0 ? label : '').padEnd(12) + part)
  return [
    ...hanging('compared', comparisonHeadline(comparison)),
    ...comparisonNotes(comparison).flatMap((note) => hanging('', note)),
    ...(comparison.findings.length === 0
      ? []
      : ['', line(['route', ...FINDING_HEADS]), ...comparison.findings.map((finding) => line(findingCells(finding)))]),
  ]
}
