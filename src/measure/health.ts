import { readFileSync } from 'node:fs'
import { monotonicNs } from '../core/clock.ts'

/** How one thread of the generator fared during a run. Shares are of the run's time, 0 to 1. */
export interface ThreadHealth {
  /** `sender 0`, `schedule`. */
  readonly name: string
  /** Time on a CPU. A sender that paces precisely spins, so that 1 is normal there. Undefined: the system does not tell. */
  readonly cpuShare: number | undefined
  /** Time in which it could have run and something else had its CPU: what starvation is. */
  readonly waitShare: number | undefined
  /** How late its event loop came round, at the 99th percentile, without the sampling interval itself. */
  readonly loopDelayP99Ns: number | undefined
}

/** How the generator fared: evidence for `judge`, measured by whoever runs the threads. */
export interface GeneratorHealth {
  readonly threads: readonly ThreadHealth[]
  /** Share of the machine's CPU time that a hypervisor gave to others; undefined where the system does not tell. */
  readonly stealShare: number | undefined
}

/** CPU time and waiting time of the calling thread since it was made: one for each thread, made and read on it. Linux tells, others do not. */
export class ThreadWatch {
  readonly #name: string
  readonly #fromNs: number = monotonicNs()
  readonly #from: ThreadTimes | undefined = readThreadTimes()

  constructor(name: string) {
    this.#name = name
  }

  /** Takes some tens of microseconds (one read of procfs). */
  read(loopDelayP99Ns?: number): ThreadHealth {
    const now = readThreadTimes()
    const spanNs = Math.max(1, monotonicNs() - this.#fromNs)
    const known = now !== undefined && this.#from !== undefined
    return {
      name: this.#name,
      cpuShare: known ? (now.runNs - this.#from.runNs) / spanNs : undefined,
      waitShare: known ? (now.waitNs - this.#from.waitNs) / spanNs : undefined,
      loopDelayP99Ns,
    }
  }
}

/** Share of all CPU time that a hypervisor took since it was made. Any thread may read it. */
export class StealWatch {
  readonly #from: CpuTicks | undefined = readCpuTicks()

  read(): number | undefined {
    const now = readCpuTicks()
    if (now === undefined || this.#from === undefined) return undefined
    const all = now.all - this.#from.all
    return all <= 0 ? undefined : (now.steal - this.#from.steal) / all
  }
}

interface ThreadTimes {
  readonly runNs: number
  readonly waitNs: number
}

interface CpuTicks {
  readonly all: number
  readonly steal: number
}

/** The first two numbers of `schedstat`: nanoseconds on a CPU, nanoseconds waiting for one (proc(5), sched-stats). */
export function parseSchedstat(text: string): ThreadTimes | undefined {
  const match = /^(\d+) (\d+) \d+/.exec(text)
  return match === null ? undefined : { runNs: Number(match[1]), waitNs: Number(match[2]) }
}

/** The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guest time is in user. */
export function parseCpuTicks(text: string): CpuTicks | undefined {
  const match = /^cpu +((?:\d+ ){7}\d+)/.exec(text)
  const ticks = match?.[1]?.split(' ').map(Number)
  const steal = ticks?.[7]
  if (ticks === undefined || steal === undefined) return undefined
  return { all: ticks.reduce((sum, count) => sum + count, 0), steal }
}

function readThreadTimes(): ThreadTimes | undefined {
  const text = readOrNothing('/proc/thread-self/schedstat')
  return text === undefined ? undefined : parseSchedstat(text)
}

function readCpuTicks(): CpuTicks | undefined {
  const text = readOrNothing('/proc/stat')
  return text === undefined ? undefined : parseCpuTicks(text)
}

/** Not being told is an answer here: other systems have no procfs. */
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
