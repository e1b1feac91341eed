import { studentCdf, studentQuantile } from './student.ts'

/** Fewer earlier runs than this say nothing of how runs differ by themselves. */
export const LEAST_HISTORY = 5

/** Iglewicz and Hoaglin's bound for modified z-scores (1993). */
const MAX_MODIFIED_Z = 3.5

/** A normal distribution's median and mean absolute deviation, in standard deviations. */
const MEDIAN_DEVIATION = 0.6744897501960817
const MEAN_DEVIATION = 0.7978845608028654

/** What is judged against earlier runs. */
export interface HistoryQuestion {
  /** The same metric of earlier comparable runs. */
  readonly history: readonly number[]
  readonly current: number
  /** `up`: more is worse (latency, errors). `down`: less is worse (throughput). */
  readonly worse: 'up' | 'down'
  /**
   * `ratio`: values above 0, whose logarithms are compared (latency, throughput). `difference`: the values themselves (shares, which may be
   * 0).
   */
  readonly scale: 'ratio' | 'difference'
  /** Less than this is no matter, however sure: a part of what was (0.05), or with `difference` the difference itself (0.001). */
  readonly minimumEffect: number
  /** Of the one-sided prediction interval. Default 0.99. */
  readonly confidence?: number
}

/** `worse` and `better` are both significant and large enough; improvements are told, never gated. */
export type HistoryAnswer = 'worse' | 'better' | 'same' | 'too_few'

/** One value against earlier ones. */
export interface HistoryJudgement {
  readonly answer: HistoryAnswer
  /** Earlier values that were used, and how many were left out as outliers. */
  readonly used: number
  readonly dropped: number
  /** Their (geometric) mean, and the value beyond which a new one is worse; undefined where there are too few. */
  readonly expected: number | undefined
  readonly bound: number | undefined
  /** Current over expected, or with `difference` current less expected; undefined where there are too few. */
  readonly effect: number | undefined
  /** How probable a value so far on the worse side is where nothing has changed. */
  readonly pValue: number | undefined
}

/**
 * Judges a value by the prediction interval of one more value from the distribution of the earlier ones (Student's t: their number is small),
 * after outliers were left out. The unit is the run: requests within one are alike in what runs differ by.
 */
export function judgeByHistory(question: HistoryQuestion): HistoryJudgement {
  const { scale, confidence = 0.99 } = question
  const onScale = (value: number): number => (scale === 'ratio' ? Math.log(value) : value)
  const offScale = (value: number): number => (scale === 'ratio' ? Math.exp(value) : value)
  const all = question.history.map(onScale)
  const kept = withoutOutliers(all)
  const [used, dropped] = [kept.length, all.length - kept.length]
  if (used < LEAST_HISTORY) {
    return {
      answer: 'too_few',
      used,
      dropped,
      expected: undefined,
      bound: undefined,
      effect: undefined,
      pValue: undefined,
    }
  }
  // From here on more is worse.
  const sign = question.worse === 'up' ? 1 : -1
  const mean = meanOf(kept)
  const spread = Math.sqrt(squaresOf(kept, mean) / (used - 1)) * Math.sqrt(1 + 1 / used)
  const distance = sign * (onScale(question.current) - mean)
  const reach = spread * studentQuantile(confidence, used - 1)
  const [expected, current] = [offScale(mean), question.current]
  const effect = scale === 'ratio' ? current / expected : current - expected
  const size = Math.abs(scale === 'ratio' ? effect - 1 : effect)
  const matters = size >= question.minimumEffect && Math.abs(distance) > reach
  return {
    answer: !matters ? 'same' : distance > 0 ? 'worse' : 'better',
    used,
    dropped,
    expected,
    bound: offScale(mean + sign * reach),
    effect,
    pValue: spread === 0 ? (distance > 0 ? 0 : 1) : studentCdf(-distance / spread, used - 1),
  }
}

/**
 * Values without those whose modified z-score is above 3.5: the distance from the median in units of the median absolute deviation. Where more
 * than half are equal that is 0, and the mean absolute deviation stands in.
 */
export function withoutOutliers(values: readonly number[]): readonly number[] {
  const centre = medianOf(values)
  const distances = values.map((value) => Math.abs(value - centre))
  const [medianDistance, meanDistance] = [medianOf(distances), meanOf(distances)]
  const deviation = medianDistance > 0 ? medianDistance / MEDIAN_DEVIATION : meanDistance / MEAN_DEVIATION
  return values.filter((_, index) => (distances[index] ?? 0) <= MAX_MODIFIED_Z * deviation)
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

function squaresOf(values: readonly number[], mean: number): number {
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]]
  return low === undefined || high === undefined ? 0 : (low + high) / 2
}
