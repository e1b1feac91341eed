import { formatCount, formatDurationNs, formatRate } from '../../core/units.ts'
import type { Measurement } from '../../measure/measurement.ts'
import type { Plan } from '../../replay/plan.ts'
import type { SenderCounters } from '../../replay/senders/sender.ts'
import { noCounts } from '../../replay/senders/sender.ts'
import { durationCell } from '../../report/cells.ts'
import type { Counts } from '../../report/run.ts'

/** One line on how a run is going: the time that has passed, and the second that ended last. */
export function progressLine(
  measurement: Pick<Measurement, 'recent'>,
  counters: ReadonlyMap<number, SenderCounters>,
  plan: Pick<Plan, 'durationNs'>,
  elapsedNs: number,
  warmupNs: number,
): string {
  const total = addCounters([...counters.values()])
  const planned =
    plan.durationNs === undefined || plan.durationNs === Infinity ? '' : ` of ${formatDurationNs(plan.durationNs)}`
  const elapsed = `${formatDurationNs(Math.round(elapsedNs / 1e9) * 1e9)}${planned}`
  const open = `${formatCount((total['offered'] ?? 0) - (total['ended'] ?? 0))} unanswered`
  if (elapsedNs < warmupNs) return `${elapsed}, warming up, ${formatCount(total['sent'] ?? 0)} sent, ${open}`
  const last = measurement.recent.at(-1)
  // The seconds of the warm-up have nothing that counts.
  if (last === undefined || (last.second + 1) * 1e9 <= warmupNs)
    return `${elapsed}, ${formatCount(total['sent'] ?? 0)} sent, ${open}`
  const parts = [
    elapsed,
    formatRate(last.replies),
    `p50 ${durationCell(last.responseTime.p50Ns)} p99 ${durationCell(last.responseTime.p99Ns)}`,
    `lag p99 ${durationCell(last.lag.p99Ns)}`,
    open,
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
