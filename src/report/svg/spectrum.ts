import type { Histogram } from '../../measure/histogram.ts'
import { element, type Markup } from '../markup.ts'
import { chart, type LegendEntry, pixel, plotExtents } from './frame.ts'
import { logScale, quantileScale } from './scale.ts'

/** Points of a line: steps of a quantile's distance from 1. */
const POINTS_PER_DECADE = 40

/** Latency by quantile, on the axis of HdrHistogram's plots, where the last percent has as much room as the first ninety. */
export interface Spectrum {
  readonly description: string
  readonly lines: readonly (LegendEntry & { readonly histogram: Histogram })[]
  readonly label: (ns: number) => string
}

export function spectrum({ description, lines, label }: Spectrum): Markup | undefined {
  const shown = lines.filter(({ histogram }) => histogram.count > 0)
  const samples = Math.max(0, ...shown.map(({ histogram }) => histogram.count))
  if (samples === 0) return undefined
  const height = 260
  const extents = plotExtents(height)
  const most = 1 - 1 / Math.max(10, Math.min(samples, 1e6))
  const x = quantileScale(most, extents.x)
  const least = Math.min(...shown.map(({ histogram }) => Math.max(1e3, histogram.minNs)))
  const y = logScale(least, Math.max(...shown.map(({ histogram }) => histogram.maxNs)), extents.y, label)
  const paths = shown.map(({ histogram, colour, dashed }) => {
    const decades = Math.log10(Math.max(10, histogram.count))
    const points = Array.from({ length: Math.ceil(decades * POINTS_PER_DECADE) + 1 }, (_, index) => {
      const quantile = 1 - 10 ** -Math.min(decades, index / POINTS_PER_DECADE)
      return `${pixel(x.at(quantile))} ${pixel(y.at(histogram.quantileNs(quantile) ?? 0))}`
    })
    return element('path', {
      d: `M${points.join('L')}`,
      fill: 'none',
      stroke: colour,
      'stroke-width': 1.5,
      'stroke-dasharray': dashed === true ? '5 3' : undefined,
    })
  })
  return chart({ description, height, x, y, legend: shown }, paths)
}
