/**
 * The only file that reads a clock. Times in hot loops are plain numbers of nanoseconds from a stated origin (safe
 * integers for 104 days); wall time stands once per recording, as a bigint.
 */

/**
 * Nanoseconds of the machine's monotonic clock, the same in every thread of the process.
 * `performance.now()` counts from each thread's own start and is several times faster than `process.hrtime`, so the
 * difference of the two is taken once per thread.
 */
export function monotonicNs(): number {
  return Math.round(performance.now() * 1e6 + threadOffsetNs)
}

function hrtimeNs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e9 + nanoseconds
}

const threadOffsetNs = hrtimeNs() - performance.now() * 1e6

/** Wall-clock time in nanoseconds since 1970-01-01 UTC, read now. Resolution: microseconds. */
export function unixNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n
}

/** 2262-04-11 00:00 UTC: the last day whose nanoseconds since 1970 fit the 63 bits that many programs have for them. */
const END_OF_TIME_UNIX_NS = 9_223_286_400_000_000_000n

/** A wall-clock time that a recording can tell: from 1970-01-01 up to 2262-04-11. */
export function isRecordableTime(unixNsOf: bigint): boolean {
  return unixNsOf >= 0n && unixNsOf < END_OF_TIME_UNIX_NS
}
