import { element, type Markup } from '../markup.ts'
import { chart, type LegendEntry, pixel, plotExtents } from './frame.ts'
import { linearScale, logScale } from './scale.ts'

/** A line of a curve, and its points. */
export interface CurveLine extends LegendEntry {
  readonly points: readonly { readonly x: number; readonly y: number; readonly mark: string }[]
}

/** Latencies over load: lines on a logarithmic height, with a dot a step and a band that holds the result. */
export interface Curve {
  readonly description: string
  readonly lines: readonly CurveLine[]
  /** Shaded from `from` to `to` of x. */
  readonly band: { readonly from: number; readonly to: number; readonly colour: string } | undefined
  readonly xLabel: (value: number) => string
  readonly yLabel: (value: number) => string
}

const HEIGHT = 260
const DOT_RADIUS = 4

/** Undefined where there is nothing to draw. */
export function curveChart({ description, lines, band, xLabel, yLabel }: Curve): Markup | undefined {
  const points = lines.flatMap((line) => line.points)
  if (points.length === 0) return undefined
  const extents = plotExtents(HEIGHT)
  const x = linearScale(Math.max(...points.map((point) => point.x)), extents.x, xLabel, 8)
  const ys = points.map((point) => point.y)
  const y = logScale(Math.max(1, Math.min(...ys)), Math.max(...ys), extents.y, yLabel)
  const shade =
    band === undefined
      ? undefined
      : element('rect', {
          x: pixel(x.at(band.from)),
          y: extents.y.to,
          width: pixel(Math.max(2, x.at(band.to) - x.at(band.from))),
          height: extents.y.from - extents.y.to,
          fill: band.colour,
          'fill-opacity': 0.2,
        })
  const drawn = lines.map(({ points: own, colour, dashed }) => [
    element('path', {
      d: own
        .map((point, index) => `${index === 0 ? 'M' : 'L'}${pixel(x.at(point.x))} ${pixel(y.at(point.y))}`)
        .join(''),
      fill: 'none',
      stroke: colour,
      'stroke-width': 1.5,
      'stroke-dasharray': dashed === true ? '5 3' : undefined,
    }),
    own.map((point) =>
      element('circle', { cx: pixel(x.at(point.x)), cy: pixel(y.at(point.y)), r: DOT_RADIUS, fill: point.mark }),
    ),
  ])
  return chart({ description, height: HEIGHT, x, y, legend: lines }, shade, drawn)
}
