/** A place on an axis, and what is written there. */
export interface Tick {
  readonly value: number
  readonly label: string
}

/** Turns values into pixels. */
export interface Scale {
  at(value: number): number
  readonly ticks: readonly Tick[]
}

/** Pixels that an axis covers; `to` may be less than `from`, as upright axes have it. */
export interface Extent {
  readonly from: number
  readonly to: number
}

type Label = (value: number) => string

/** From 0 to a round number at or above `most`. */
export function linearScale(most: number, { from, to }: Extent, label: Label, tickCount = 5): Scale {
  const step = roundStep((most > 0 ? most : 1) / tickCount)
  const count = Math.max(1, Math.ceil((most > 0 ? most : 1) / step - 1e-9))
  const end = step * count
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({ value: index * step, label: label(index * step) }))
  return { at: (value) => from + ((to - from) * value) / end, ticks }
}

/** From the power of ten at or below `least` to the one at or above `most`; both above 0. Values outside are put at its ends. */
export function logScale(least: number, most: number, { from, to }: Extent, label: Label): Scale {
  const first = Math.floor(Math.log10(least) + 1e-9)
  const last = Math.max(first + 1, Math.ceil(Math.log10(most) - 1e-9))
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => {
    const value = 10 ** (first + index)
    return { value, label: label(value) }
  })
  return {
    at: (value) => {
      const place = (Math.log10(Math.max(value, 1e-300)) - first) / (last - first)
      return from + (to - from) * Math.min(1, Math.max(0, place))
    },
    ticks,
  }
}

/** Steps of time that people count in, in seconds. */
const TIME_STEPS: readonly number[] = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
]

/** From 0 to exactly `seconds`. */
export function timeScale(seconds: number, { from, to }: Extent): Scale {
  const step = TIME_STEPS.find((candidate) => seconds / candidate <= 10) ?? 86_400 * Math.ceil(seconds / 864_000)
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => ({
    value: index * step,
    label: timeLabel(index * step),
  }))
  return { at: (value) => from + ((to - from) * value) / Math.max(1, seconds), ticks }
}

function timeLabel(seconds: number): string {
  if (seconds === 0) return '0'
  if (seconds % 86_400 === 0) return `${seconds / 86_400}d`
  if (seconds % 3_600 === 0) return `${seconds / 3_600}h`
  if (seconds % 60 === 0) return `${seconds / 60}m`
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`
}

/** The quantiles of HdrHistogram's plots: each as far from the last as what is left above it is a tenth. */
export function quantileScale(most: number, { from, to }: Extent): Scale {
  const decades = Math.max(1, Math.ceil(Math.log10(1 / (1 - most)) - 1e-9))
  const marks = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999].filter(
    (quantile) => quantile <= 1 - 10 ** -decades,
  )
  return {
    at: (quantile) => from + ((to - from) * Math.min(decades, Math.log10(1 / Math.max(1 - quantile, 1e-12)))) / decades,
    ticks: marks.map((value) => ({ value, label: `p${Number((value * 100).toFixed(6))}` })),
  }
}

/** 1, 2 or 5 times a power of ten, at or above. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= step * (1 - 1e-9)) ?? 10
  return factor * power
}
