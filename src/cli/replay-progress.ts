import { formatCount, formatDurationNs, formatRate } from '../core/units.ts'
import type { Measurement } from '../measure/measurement.ts'
import type { Plan } from '../replay/plan.ts'
import type { SenderCounters } from '../replay/senders/sender.ts'
import { noCounts } from '../replay/senders/sender.ts'
import type { Counts } from '../report/run.ts'

/** One line on how a run is going, by the second that ended last. */
export function progressLine(
  measurement: Measurement,
  counters: ReadonlyMap<number, SenderCounters>,
  plan: Plan,
): string {
  const last = measurement.recent.at(-1)
  if (last === undefined) return 'starting'
  const total = addCounters([...counters.values()])
  const planned =
    plan.durationNs === undefined || plan.durationNs === Infinity ? '' : ` of ${formatDurationNs(plan.durationNs)}`
  const time = (ns: number | null): string => (ns === null ? '-' : formatDurationNs(ns))
  const parts = [
    `${formatDurationNs((last.second + 1) * 1e9)}${planned}`,
    formatRate(last.replies),
    `response p50 ${time(last.responseTime.p50Ns)} p99 ${time(last.responseTime.p99Ns)}`,
    `lag p99 ${time(last.lag.p99Ns)}`,
    `${formatCount((total['offered'] ?? 0) - (total['ended'] ?? 0))} in flight`,
  ]
  if (last.failures > 0) parts.push(`${formatCount(last.failures)} FAILED`)
  return parts.join(', ')
}

/** Counters of several threads as one; of peaks, whose moments differ, the sum is an upper bound. */
export function addCounters(all: readonly SenderCounters[]): Counts {
  const sum: Record<string, number> = { ...noCounts() }
  for (const counters of all) {
    for (const [name, count] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + Number(count)
  }
  return sum
}
