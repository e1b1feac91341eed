/**
 * Preloaded into a program under measurement (`node --import`): at its end it writes to BENCH_USAGE_FILE what the process used, all
 * threads together. Exact, where polling from outside would miss the last moments.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const file = process.env['BENCH_USAGE_FILE']
if (isMainThread && file !== undefined) {
  process.once('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
    const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6
    writeFileSync(file, JSON.stringify({ cpuSeconds, peakBytes: peakBytes() ?? maxRSS * 1024 }))
  })
}

/** The peak of this program alone; `maxRSS` may be that of the process which started it. Linux only. */
function peakBytes() {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  } catch {
    return undefined
  }
}
