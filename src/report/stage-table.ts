import { visible } from '../core/visible.ts'
import { countCell, middleCut, percentCell, quantileCell, rateCell } from './cells.ts'
import type { Run } from './run.ts'

export const STAGE_HEADS = ['planned', 'offered', 'rate', 'sent', 'p50', 'p99', 'errors'] as const

/** Characters of a column with the gap before it, in the order of the heads. */
const COLUMNS = [10, 10, 10, 6, 9, 9, 8] as const
const FIGURES_COLUMNS = COLUMNS.reduce((sum, columns) => sum + columns, 0)

/** A row a stage: its name, then cells as in `STAGE_HEADS`. Empty where the load was the same all along. */
export function stageRows({ plan, stages = [] }: Run): readonly (readonly [name: string, ...cells: string[]])[] {
  return (plan.stages?.list ?? []).flatMap((stage, index): [string, ...string[]][] => {
    const result = stages[index]
    if (result === undefined) return []
    const { offered, sent, errors, responseTime, windowNs } = result
    return [
      [
        visible(stage.name),
        countCell(stage.shots),
        countCell(offered),
        rateCell(offered, windowNs),
        offered === 0 ? '-' : percentCell(sent / offered),
        quantileCell(responseTime, 'p50Ns'),
        quantileCell(responseTime, 'p99Ns'),
        countCell(errors),
      ],
    ]
  })
}

/** The stages of a run, a line each: response times of what ended in each. */
export function stageTable(run: Run, columns: number): string[] {
  const rows = stageRows(run)
  if (rows.length === 0) return []
  const nameColumns = columns - FIGURES_COLUMNS
  const line = (name: string, cells: readonly string[]): string =>
    middleCut(name, nameColumns).padEnd(nameColumns) +
    cells.map((cell, index) => cell.padStart(COLUMNS[index] ?? 10)).join('')
  return [line('stage', STAGE_HEADS), ...rows.map(([name, ...cells]) => line(name, cells))]
}
