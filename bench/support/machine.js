import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** A run on a machine that is busy already measures the others. */
const MAX_LOAD_AT_START = 1

const LOOP_STEPS = 30_000_000
const LOOP_TRIES = 3

/** A machine that is this much slower at the end was not the same machine. */
const MAX_SPEED_CHANGE = 1.2

/**
 * Milliseconds of a fixed loop, the best of three: a shared or throttled CPU shows here where its load average does not, and the
 * figures of two machines, or of two days, may be put beside each other with it.
 */
function loopMilliseconds() {
  let best = Infinity
  for (let attempt = 0; attempt < LOOP_TRIES; attempt++) {
    const start = performance.now()
    let value = attempt
    for (let step = 0; step < LOOP_STEPS; step++) value = (value * 31 + step) | 0
    if (value !== Infinity) best = Math.min(best, performance.now() - start)
  }
  return best
}

/** How busy and how fast the machine is now. */
export function pulse() {
  return { load: loadavg(), loopMs: loopMilliseconds() }
}

export function pulseText({ load, loopMs }) {
  const each = load.map((value) => value.toFixed(2)).join(' ')
  return `load average ${each}, ${LOOP_STEPS / 1e6} million steps of a loop in ${loopMs.toFixed(0)} ms`
}

/** What the figures depend on. No names: it is published. */
export function describeMachine() {
  const processors = cpus()
  return {
    cpuModel: processors[0]?.model.trim() ?? 'unknown CPU',
    cores: processors.length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    kernel: `${type()} ${release()}`,
  }
}

export function machineLine({ cpuModel, cores, memoryBytes, node, kernel }) {
  const memory = `${Math.round(memoryBytes / 1024 ** 3)} GiB`
  return `${cpuModel}, ${cores} cores, ${memory}, ${kernel}, Node ${node}`
}

/** Sentences where the machine was too busy, or too unsteady, for its figures to mean much. */
export function startWarning({ load }) {
  const [lastMinute] = load
  if (lastMinute <= MAX_LOAD_AT_START) return undefined
  return `the load average was ${lastMinute.toFixed(2)} at the start: others use this machine, and the figures are theirs too`
}

export function endWarning(start, end) {
  const change = Math.max(start.loopMs / end.loopMs, end.loopMs / start.loopMs)
  if (change <= MAX_SPEED_CHANGE) return undefined
  return `the CPU's speed changed ${change.toFixed(1)}-fold between start and end: ratios of alternating rounds hold, absolute figures do not`
}
