import { visible } from '../../core/visible.ts'
import { checkSentences, FIELD_HEADS, fieldRows, STATUS_HEADS, statusRows } from '../check-table.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import { table } from './tables.ts'

/** Where replies differ from the recorded ones; undefined where nothing was compared. */
export function checkSection({ check }: Run): Markup | undefined {
  if (check === undefined) return undefined
  const rows = statusRows(check)
  const fields = fieldRows(check)
  return element(
    'section',
    {},
    element('h3', {}, 'Replies against the recorded ones'),
    element('p', {}, visible(checkSentences(check).join(' '))),
    rows.length === 0 ? undefined : table(['route', ...STATUS_HEADS], rows, 1),
    fields.length === 0 ? undefined : table(FIELD_HEADS, fields, FIELD_HEADS.length - 1),
  )
}
