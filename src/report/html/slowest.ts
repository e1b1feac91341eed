import { visible } from '../../core/visible.ts'
import { middleCut } from '../cells.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import { SLOWEST_HEADS, slowestCells, slowestPlace, slowestRequest, slowestSession } from '../slowest-table.ts'
import { table } from './tables.ts'

/** Longer ones would push the figures off the page; they are whole in `run.json`. */
const MAX_REQUEST_CHARS = 60
const MAX_SESSION_CHARS = 40

/** The slowest exchanges one by one, and where to find them in the recordings; undefined where there are none. */
export function slowestSection({ slowest = [] }: Run): Markup | undefined {
  if (slowest.length === 0) return undefined
  const rows = slowest.map((each) => [
    element('strong', {}, middleCut(visible(slowestRequest(each)), MAX_REQUEST_CHARS)),
    middleCut(visible(slowestSession(each)), MAX_SESSION_CHARS),
    visible(slowestPlace(each)),
    ...slowestCells(each),
  ])
  const says =
    'By response time, of replies and timeouts. At: when it was due in the run. Requests, sessions and request ids are those of the recording, ' +
    'secrets masked; a clone has ids of its own, with the recorded one in x-mesh-original headers.'
  return element(
    'section',
    {},
    element('h3', {}, `The slowest ${slowest.length}`),
    table(['request', 'session', 'recorded', ...SLOWEST_HEADS], rows, 3),
    element('p', {}, says),
  )
}
