import { element, type Markup } from '../markup.ts'
import { chart, type LegendEntry, pixel, plotExtents } from './frame.ts'
import { linearScale, logScale, type Scale, timeScale } from './scale.ts'

/** One line of a chart: a value a span, null where there is none. */
export interface Line extends LegendEntry {
  readonly values: readonly (number | null)[]
  /** Default 1.5. */
  readonly width?: number
}

/** Lines over the time of a run. */
export interface LineChart {
  readonly description: string
  readonly lines: readonly Line[]
  /** The time that one value stands for. */
  readonly spanSeconds: number
  readonly label: (value: number) => string
  /** `log`: for latencies, which differ by powers of ten. Default linear, from 0. */
  readonly scale?: 'linear' | 'log'
  /** Pixels; default 220. */
  readonly height?: number
}

export function lineChart({ description, lines, spanSeconds, label, scale, height = 220 }: LineChart): Markup {
  const extents = plotExtents(height)
  const count = Math.max(1, ...lines.map((line) => line.values.length))
  const x = timeScale(count * spanSeconds, extents.x)
  const [least, most] = rangeOf(lines)
  const y = scale === 'log' ? logScale(Math.max(1, least), most, extents.y, label) : linearScale(most, extents.y, label)
  const at = (place: number): number => x.at((place + 0.5) * spanSeconds)
  const shown = lines.filter((line) => line.values.some((value) => value !== null))
  return chart(
    { description, height, x, y, legend: shown },
    shown.map((line) => lineOf(line, at, y)),
  )
}

function lineOf({ values, colour, dashed, width = 1.5 }: Line, at: (place: number) => number, y: Scale): Markup {
  return element('path', {
    d: pathOf(values, at, y),
    fill: 'none',
    stroke: colour,
    'stroke-width': width,
    'stroke-linejoin': 'round',
    'stroke-linecap': 'round',
    'stroke-dasharray': dashed === true ? '5 3' : undefined,
  })
}

/** A gap where there is no value; a value alone becomes a dot, by its round ends. */
export function pathOf(values: readonly (number | null)[], at: (place: number) => number, y: Scale): string {
  let path = ''
  let pen = 'M'
  for (const [place, value] of values.entries()) {
    if (value === null) {
      pen = 'M'
      continue
    }
    const isAlone = pen === 'M' && (values[place + 1] ?? null) === null
    path += `${pen}${pixel(at(place))} ${pixel(y.at(value))}${isAlone ? 'h0' : ''}`
    pen = 'L'
  }
  return path
}

/** Least above 0, and most; 1 and 1 where nothing is. */
function rangeOf(lines: readonly Line[]): [least: number, most: number] {
  let [least, most] = [Infinity, 0]
  for (const { values } of lines) {
    for (const value of values) {
      if (value === null) continue
      if (value > 0 && value < least) least = value
      if (value > most) most = value
    }
  }
  return most === 0 ? [1, 1] : [least, most]
}
