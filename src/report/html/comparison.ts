import { visible } from '../../core/visible.ts'
import { comparisonHeadline, comparisonNotes, FINDING_HEADS, findingCells } from '../comparison-text.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import { table } from './tables.ts'

/** What the run was compared with, route by route; undefined where with nothing. */
export function comparisonSection({ comparison }: Run): Markup | undefined {
  if (comparison === undefined) return undefined
  const rows = comparison.findings.map((finding) =>
    findingCells(finding).map((cell) => (cell === 'worse' ? element('strong', {}, cell) : visible(cell))),
  )
  const says =
    'Change of the response time, and of the share of errors in points; ~: no significant change, by p-values adjusted for all rows (5 % false ones on average) ' +
    'and at least 5 %, or 0.1 points.'
  return element(
    'section',
    {},
    element('h3', {}, 'Comparison'),
    element('p', {}, element('strong', {}, visible(comparisonHeadline(comparison)))),
    element(
      'ul',
      {},
      comparisonNotes(comparison).map((note) => element('li', {}, visible(note))),
    ),
    rows.length === 0 ? undefined : table(['route', ...FINDING_HEADS], rows, 2),
    rows.length === 0 ? undefined : element('p', {}, says),
  )
}
