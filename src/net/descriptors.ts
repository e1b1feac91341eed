import { readFileSync } from 'node:fs'

/** What the process needs beside its connections: the listener, files, threads. */
const RESERVED_DESCRIPTORS = 64

/**
 * How many file descriptors this process may have (`ulimit -n`; Node raises the soft limit to the hard one as it starts).
 * Undefined where the system does not say: only Linux does, in `/proc`.
 */
export function descriptorLimit(): number | undefined {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return match?.[1] === undefined ? undefined : Number(match[1])
  } catch {
    return undefined
  }
}

/**
 * How many connections, of two descriptors each, fit into a limit on descriptors. Beyond it the system would drop new
 * connections without telling us, uncounted: below it we can accept them, refuse them, and count.
 */
export function connectionsWithin(descriptors: number): number {
  return Math.max(1, Math.floor((descriptors - RESERVED_DESCRIPTORS) / 2))
}
