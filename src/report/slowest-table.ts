import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { durationCell, middleCut } from './cells.ts'
import type { Run, SlowExchange } from './run.ts'

/** Exchanges that are printed; the others are in `report.html` and `run.json`. */
const MAX_PRINTED = 5

/** A request id is a UUID, or a trace's. */
const MAX_ID_CHARS = 60

/** The figures of one exchange. */
export const SLOWEST_HEADS: readonly string[] = ['at', 'response', 'service', 'blocked', 'status']

/** When it was due in the run, what it took, and how it ended. */
export function slowestCells({
  atNs,
  responseNs,
  serviceNs,
  blockedNs,
  status,
  error,
}: SlowExchange): readonly string[] {
  const times = [responseNs, serviceNs, blockedNs].map(durationCell)
  return [durationCell(atNs), ...times, error === 'none' ? String(status) : error]
}

/** What was asked: as it was recorded, else only its route. */
export function slowestRequest({ recorded, route }: SlowExchange): string {
  return recorded?.request ?? route
}

/** Whose request it was. */
export function slowestSession({ recorded, clone }: SlowExchange): string {
  const copy = clone === 0 ? '' : `, clone ${formatCount(clone)}`
  if (recorded === null) return clone === 0 ? '' : `clone ${formatCount(clone)}`
  const session = recorded.session === '' ? `connection ${formatCount(recorded.connection)}` : recorded.session
  return `${session}${copy}`
}

/** Where to find it: `web-a #17 of 2026-08-21T10:00:00.000Z`, as `mesh inspect --list` has it. */
export function slowestPlace({ recorded }: SlowExchange): string {
  if (recorded === null) return 'the recording could not be read again'
  const { host, exchange, at, requestId } = recorded
  return `${host} #${exchange} of ${at}${requestId === '' ? '' : `, request id ${middleCut(requestId, MAX_ID_CHARS)}`}`
}

const WIDTHS = [9, 10, 9, 9, 9]

/** The slowest exchanges, a line each; empty where there are none. */
export function slowestTable({ slowest = [] }: Run, columns: number): readonly string[] {
  if (slowest.length === 0) return []
  const nameColumns = columns - WIDTHS.reduce((sum, width) => sum + width, 0)
  const line = (name: string, cells: readonly string[]): string =>
    middleCut(visible(name), nameColumns - 1).padEnd(nameColumns) +
    cells.map((cell, index) => cell.padStart(WIDTHS[index] ?? 0)).join('')
  const rows = slowest.slice(0, MAX_PRINTED).map((each) => line(slowestRequest(each), slowestCells(each)))
  return [line('slowest', SLOWEST_HEADS), ...rows]
}
