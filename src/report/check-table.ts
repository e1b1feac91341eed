import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import type { BodyCheck, ReplyCheck } from '../measure/reply-check.ts'
import { countCell, countsText, middleCut, wrap } from './cells.ts'

export const STATUS_HEADS = ['recorded', 'now', 'replies'] as const
export const FIELD_HEADS = ['route', 'field', 'how', 'recorded', 'now', 'replies'] as const

const NUMBER_COLUMNS = 10

/** Fields that are named in a sentence; all of them are in `run.json`. */
const MAX_NOISE_SHOWN = 8

/** Rows of fields in the text report. */
const MAX_FIELDS = 40

/** What was compared and what came of it, a sentence or two each; names are not escaped. */
export function checkSentences(check: ReplyCheck): readonly string[] {
  const { replies, comparable, changed, moreChanged, bodies } = check
  const sentences = [
    `Compared the status of ${formatCount(comparable)} of ${formatCount(replies)} replies: ${formatCount(changed)} differ from the recorded one.`,
  ]
  if (moreChanged > 0) sentences.push(`${formatCount(moreChanged)} of these are in no row.`)
  return bodies === undefined ? sentences : [...sentences, ...bodySentences(check, bodies)]
}

function bodySentences({ replies, comparable }: ReplyCheck, bodies: BodyCheck): readonly string[] {
  const { compared, differing, noisy, notCompared, moreFields, noise } = bodies
  const looked = Object.values(notCompared).reduce((sum, count) => sum + count, 0)
  const left = countsText({
    ...notCompared,
    'without a recorded reply': replies - comparable,
    'beyond the bounds': Math.max(0, comparable - compared - looked),
  })
  const sentences = [
    `Compared ${formatCount(compared)} of ${formatCount(replies)} replies with the recorded ones: ` +
      `${formatCount(differing)} differ, ${formatCount(noisy)} in noise alone${left === '' ? '' : `; not compared: ${left}`}.`,
  ]
  if (moreFields > 0) sentences.push(`${formatCount(moreFields)} more fields differ.`)
  if (noise.length > 0) {
    const shown = noise.slice(0, MAX_NOISE_SHOWN).map(({ route, field }) => `${route} ${field}`)
    const more = noise.length - shown.length
    sentences.push(`Noise is ${shown.join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''}.`)
  }
  return sentences
}

/** A row for each route and change of status: the route, then cells as in `STATUS_HEADS`. */
export function statusRows({ changes }: ReplyCheck): readonly (readonly [route: string, ...cells: string[]])[] {
  return changes.map(({ route, recorded, now, count }) => {
    return [visible(route), String(recorded), String(now), countCell(count)]
  })
}

/** A row for each route and field that differs, as in `FIELD_HEADS`. A status is in rows of its own. */
export function fieldRows({ bodies }: ReplyCheck): readonly (readonly string[])[] {
  const fields = (bodies?.fields ?? []).filter(({ field }) => field !== 'status')
  return fields.map(({ route, field, kind, count, example }) => {
    const values = [example?.recorded ?? '', example?.now ?? ''].map(visible)
    return [visible(route), visible(field), kind, ...values, countCell(count)]
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
  return [...lines, ...fieldLines(fieldRows(check), columns)]
}

/** Two lines a field: where and how often, then an example. */
function fieldLines(rows: readonly (readonly string[])[], columns: number): string[] {
  if (rows.length === 0) return []
  const nameColumns = columns - NUMBER_COLUMNS
  const lines = rows.slice(0, MAX_FIELDS).flatMap(([route, field, how, recorded = '', now = '', count = '']) => {
    const name = middleCut(`${route} ${field} ${how}`, nameColumns - 1).padEnd(nameColumns)
    const example = middleCut(`  ${recorded} -> ${now}`, columns)
    return [name + count.padStart(NUMBER_COLUMNS), ...(recorded === '' && now === '' ? [] : [example])]
  })
  const more = rows.length - MAX_FIELDS
  const rest = more > 0 ? [`${formatCount(more)} more fields are in run.json.`] : []
  return ['field'.padEnd(nameColumns) + 'replies'.padStart(NUMBER_COLUMNS), ...lines, ...rest]
}
