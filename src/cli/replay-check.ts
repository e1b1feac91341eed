import type { CheckMode } from '../measure/reply-check.ts'
import type { FleetCheck } from '../replay/fleet.ts'
import { StatusTotals } from '../replay/check/status-totals.ts'
import type { CheckFindings } from '../report/describe-run.ts'

/** The response check of a run: what the sending threads are to report, and what was found so far. */
export interface RunCheck {
  readonly fleet: FleetCheck
  readonly findings: () => CheckFindings
}

/** Puts the response check together; undefined where none was asked for. */
export function responseCheckOf(mode: CheckMode | undefined, routeNames: readonly string[]): RunCheck | undefined {
  if (mode === undefined) return undefined
  const statuses = new StatusTotals()
  return {
    fleet: { mode, onStatuses: (numbers) => statuses.add(numbers) },
    findings: () => ({ mode, changes: statuses.rows(routeNames) }),
  }
}
