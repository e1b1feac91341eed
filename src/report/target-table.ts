import { formatBytes, formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { durationCell, middleCut, wrap } from './cells.ts'
import type { Run } from './run.ts'

export const TARGET_HEADS = ['mean', 'most', 'last', 'samples'] as const

const VALUE_COLUMNS = 12
const FIGURES_COLUMNS = VALUE_COLUMNS * TARGET_HEADS.length

/** A value of a metric, for people: its unit is what its name ends with, as Prometheus asks for. */
export function metricCell(name: string, value: number): string {
  const plain = name.replace(/\{.*\}/, '')
  if (plain.endsWith('_bytes')) return formatBytes(value)
  if (/cpu_seconds(?:_total)?\/s$/.test(plain)) return `${Number(value.toPrecision(3))} CPUs`
  if (plain.endsWith('_seconds') && !/timestamp|start_time/.test(plain)) return durationCell(Math.max(0, value * 1e9))
  const figures = Math.abs(value) >= 1000 ? formatCount(value) : String(Number(value.toPrecision(3)))
  return name.endsWith('/s') ? `${figures}/s` : figures
}

/** What became of each source that told of the target: a sentence each. */
export function targetNotes({ target = [] }: Run): readonly string[] {
  return target.flatMap(({ name, reads, failures, lastFailure, note }) => {
    const shown = visible(name)
    const failed = `${shown} could not be read ${formatCount(failures)} of ${formatCount(reads)} times: ${visible(lastFailure)}`
    return [...(failures > 0 ? [failed] : []), ...(note === '' ? [] : [`${shown}: ${visible(note)}`])]
  })
}

/** A row a metric: its name, then cells as in `TARGET_HEADS`; before those of each source a row with its name alone. */
export function targetRows({ target = [] }: Run): readonly (readonly [name: string, ...cells: string[]])[] {
  return target.flatMap(({ name: source, metrics }) => {
    const rows = metrics.map(({ name, mean, most, last, count }): [string, ...string[]] => {
      return [`  ${visible(name)}`, ...[mean, most, last].map((value) => metricCell(name, value)), formatCount(count)]
    })
    return rows.length === 0 ? [] : [[visible(source)] as [string], ...rows]
  })
}

/** What the target told of itself, a line a metric. Empty where nobody asked it. */
export function targetTable(run: Run, columns: number): string[] {
  if (run.target === undefined) return []
  const nameColumns = columns - FIGURES_COLUMNS
  const line = (name: string, cells: readonly string[]): string =>
    middleCut(name, cells.length === 0 ? columns : nameColumns - 1).padEnd(nameColumns) +
    cells.map((cell) => cell.padStart(VALUE_COLUMNS)).join('')
  const rows = targetRows(run)
  return [
    line('target', rows.length === 0 ? [] : TARGET_HEADS),
    ...rows.map(([name, ...cells]) => line(name, cells)),
    ...targetNotes(run).flatMap((note) => wrap(note, columns)),
  ]
}
