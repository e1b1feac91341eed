/** The middle of some numbers; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The median of one field over several runs. */
export function medianOf(runs, field) {
  return median(runs.map((run) => run[field]).filter((value) => Number.isFinite(value)))
}
