import { formatCount, formatDurationNs, formatRate } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { type LatencyFigures, QUANTILES, type QuantileName, quantileSupport } from '../measure/figures.ts'
import type { Counts, Run } from './run.ts'

/** Short texts of a fixed greatest width, for tables. */

/** At most 9 characters. */
export function countCell(count: number): string {
  return count < 10_000_000 ? formatCount(count) : large(count)
}

/** At most 9 characters; `-` where there was no time. */
export function rateCell(count: number, spanNs: number): string {
  if (spanNs <= 0) return '-'
  const perSecond = (count * 1e9) / spanNs
  return perSecond < 999_999.5 ? formatRate(perSecond) : `${large(perSecond)}/s`
}

function large(value: number): string {
  if (value < 1e9) return `${(value / 1e6).toFixed(1)}M`
  if (value < 1e12) return `${(value / 1e9).toFixed(1)}G`
  return `${(value / 1e12).toFixed(1)}T`
}

/** The shortest bucket of a histogram reaches from nothing to half of this: figures below it are not to be told apart. */
const LEAST_SHOWN_NS = 1e3

/** At most 7 characters; `-` for none, `<1us` for what is too short to be told apart. */
export function durationCell(ns: number | null): string {
  if (ns === null) return '-'
  if (ns < 0.5) return '0'
  if (ns < LEAST_SHOWN_NS) return '<1us'
  if (ns < 3600e9) return formatDurationNs(Math.round(ns))
  return `${Math.floor(ns / 3600e9)}h${Math.floor((ns % 3600e9) / 60e9)}m`
}

/** The rate of all that was recorded; of a search that is not what its multipliers are of, and left out. */
export function recordedRateCell(count: number, { plan, capacity }: Run): string {
  return capacity === undefined ? rateCell(count, plan.recordedSpanNs) : ''
}

/** A quantile: `1.52ms`, `~1.52ms` where few samples carry it, `-` where none does. At most 8 characters. */
export function quantileCell(figures: LatencyFigures, name: QuantileName): string {
  const support = quantileSupport(QUANTILES[name], figures.count)
  if (support === 'none' || figures[name] === null) return '-'
  return `${support === 'indicative' ? '~' : ''}${durationCell(figures[name])}`
}

export function percentCell(share: number): string {
  const points = share * 100
  if (points > 0 && points < 0.5) return '<1%'
  if (points < 100 && points >= 99.5) return '>99%'
  return `${points.toFixed(0)}%`
}

/** `200 98% 404 2%`: the most frequent status codes that fit. Code 0 is `none`. */
export function statusCell(statuses: Counts, width: number): string {
  const rows = Object.entries(statuses).toSorted(([, a], [, b]) => b - a)
  const total = rows.reduce((sum, [, count]) => sum + count, 0)
  if (total === 0) return '-'
  let text = ''
  for (const [index, [status, count]] of rows.entries()) {
    const next = `${text}${text === '' ? '' : ' '}${status === '0' ? 'none' : visible(status)} ${percentCell(count / total)}`
    const room = index === rows.length - 1 ? width : width - 2
    if (next.length > room) return text === '' ? next.slice(0, width) : `${text} …`
    text = next
  }
  return text
}

/** `timeout 8, reset 2`: what is zero is left out. */
export function countsText(counts: Counts): string {
  const rows = Object.entries(counts)
    .filter(([, count]) => count !== 0)
    .toSorted(([, a], [, b]) => b - a)
  return rows.map(([name, count]) => `${name} ${formatCount(count)}`).join(', ')
}

/** Leaves out the middle where a text is too wide: both ends of a path tell more than one. */
export function middleCut(text: string, width: number): string {
  if (text.length <= width) return text
  if (width <= 1) return '…'.slice(0, width)
  const head = Math.ceil((width - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`
}

/** Breaks a text at spaces into lines of at most `width`; a longer word is cut. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? middleCut(word, width) : `${line} ${word}`
  }
  return [...lines, line]
}
