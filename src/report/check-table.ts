import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import type { ReplyCheck } from '../measure/reply-check.ts'
import { countCell, middleCut, wrap } from './cells.ts'

export const STATUS_HEADS = ['recorded', 'now', 'replies'] as const

const NUMBER_COLUMNS = 10

/** What was compared and what came of it, in a sentence or two; names are not escaped. */
export function checkSentences({ replies, comparable, changed, moreChanged }: ReplyCheck): readonly string[] {
  const sentences = [
    `Compared the status of ${formatCount(comparable)} of ${formatCount(replies)} replies: ${formatCount(changed)} differ from the recorded one.`,
  ]
  if (moreChanged > 0) sentences.push(`${formatCount(moreChanged)} of these are in no row.`)
  return sentences
}

/** A row for each route and change of status: the route, then cells as in `STATUS_HEADS`. */
export function statusRows({ changes }: ReplyCheck): readonly (readonly [route: string, ...cells: string[]])[] {
  return changes.map(({ route, recorded, now, count }) => {
    return [visible(route), String(recorded), String(now), countCell(count)]
  })
}

/** Where replies differ from the recorded ones. Empty where nothing was compared. */
export function checkTable(check: ReplyCheck | undefined, columns: number): string[] {
  if (check === undefined) return []
  const lines = checkSentences(check).flatMap((text) => wrap(visible(text), columns))
  const rows = statusRows(check)
  const nameColumns = columns - STATUS_HEADS.length * NUMBER_COLUMNS
  const line = (name: string, cells: readonly string[]): string =>
    middleCut(name, nameColumns - 1).padEnd(nameColumns) + cells.map((cell) => cell.padStart(NUMBER_COLUMNS)).join('')
  if (rows.length > 0) lines.push(line('status', STATUS_HEADS), ...rows.map(([name, ...cells]) => line(name, cells)))
  return lines
}
