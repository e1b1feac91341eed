import { readdirSync, readFileSync } from 'node:fs'

const CLOCK_TICKS_PER_SECOND = 100

/** CPU seconds of a process and its children, so far. Linux only; NaN elsewhere. */
export function cpuSeconds(pid) {
  const own = statOf(pid)
  if (own.length === 0) return Number.NaN
  let ticks = Number(own[11]) + Number(own[12])
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = statOf(entry)
    if (Number(stat[1]) === pid) ticks += Number(stat[11]) + Number(stat[12])
  }
  return ticks / CLOCK_TICKS_PER_SECOND
}

/** CPU microseconds of a process alone, so far. NaN without a process, and where that is not Linux. */
export function processorUs(pid) {
  const own = pid === undefined ? [] : statOf(pid)
  return own.length === 0 ? Number.NaN : ((Number(own[11]) + Number(own[12])) * 1e6) / CLOCK_TICKS_PER_SECOND
}

/** Of the run that is taken off a long one. */
export const BRIEF_SECONDS = 2

/**
 * CPU microseconds of a reply while a run goes on, of a long run and a brief one: what begins and ends both is in neither then. What others
 * do to this machine is in the time, and hardly in these.
 */
export function cpuUsOfReply(run, brief) {
  return ((run.cpuSeconds - brief.cpuSeconds) * 1e6) / (run.answered - brief.answered)
}

/** The fields of `/proc/PID/stat` from the state on; none where the process is gone. */
function statOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
  } catch {
    return []
  }
}
