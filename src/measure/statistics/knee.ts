/** One measured step: load and what it cost. */
export interface CurvePoint {
  readonly x: number
  readonly y: number
}

/**
 * Where a rising curve that bends upwards (latency over rate) begins to do so: the index of its knee, undefined where it has none. Kneedle
 * (Satopaa et al., ICDCSW 2011), for points in order of `x`, without smoothing: in the unit square, the point that lies furthest below the
 * diagonal, if the curve comes back from there by more than `sensitivity` mean steps of x. Default 1; more takes a clearer knee.
 */
export function kneeOf(points: readonly CurvePoint[], sensitivity = 1): number | undefined {
  const xs = inUnitRange(points.map(({ x }) => x))
  const ys = inUnitRange(points.map(({ y }) => y))
  if (xs === undefined || ys === undefined) return undefined
  // Looked at from the far end, a curve that bends upwards is one that flattens: its knee is a maximum.
  const differences = xs.map((x, index) => x - (ys[index] ?? 0)).toReversed()
  const step = sensitivity / Math.max(1, points.length - 1)
  let candidate: number | undefined
  let threshold = 0
  for (const [index, difference] of differences.entries()) {
    const [before = difference, after] = [differences[index - 1], differences[index + 1]]
    if (after === undefined) return undefined
    if (difference > 0 && difference >= before && difference >= after) {
      candidate = index
      threshold = difference - step
    }
    if (difference <= before && difference <= after) threshold = 0
    if (candidate !== undefined && after < threshold) return points.length - 1 - candidate
  }
  return undefined
}

/** Undefined where all are equal. */
function inUnitRange(values: readonly number[]): readonly number[] | undefined {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (!(most > least)) return undefined
  return values.map((value) => (value - least) / (most - least))
}
