import { incompleteBeta, rootOf } from './beta.ts'

/** Beyond it no quantile that is asked for lies: of one degree of freedom, 1e-12 of the values. */
const MOST_T = 1e12

/** The probability that Student's t of so many degrees of freedom (above 0) is at most `t`. */
export function studentCdf(t: number, degrees: number): number {
  if (t === 0) return 0.5
  const tail = incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
  return t > 0 ? 1 - tail : tail
}

/** The t that a share `probability` (0 to 1, neither) of all values does not exceed. */
export function studentQuantile(probability: number, degrees: number): number {
  if (probability === 0.5) return 0
  if (probability < 0.5) return -upperQuantile(probability, degrees)
  return upperQuantile(1 - probability, degrees)
}

/** By the tail, which keeps its digits where the share is near 1. */
function upperQuantile(tail: number, degrees: number): number {
  // On a logarithmic scale: quantiles of one degree of freedom are far out.
  const lnT = rootOf(
    (lnT) => {
      const t = Math.exp(lnT)
      return tail - incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
    },
    Math.log(1e-12),
    Math.log(MOST_T),
  )
  return Math.exp(lnT)
}
