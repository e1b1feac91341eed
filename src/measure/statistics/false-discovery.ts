/**
 * Benjamini and Hochberg's adjusted p-values (JRSS B 57, 1995), in the order given: taking those of at most q for findings makes at most the share
 * q of the findings false, on average, however many questions were asked. For routes and metrics that are judged side by side.
 */
export function adjustedPValues(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, index) => index).toSorted((a, b) => (pValues[b] ?? 0) - (pValues[a] ?? 0))
  const adjusted = pValues.map(() => 1)
  let least = 1
  for (const [position, index] of order.entries()) {
    const rank = pValues.length - position
    least = Math.min(least, (pValues[index] ?? 1) * (pValues.length / rank))
    adjusted[index] = least
  }
  return adjusted
}
